"""The Brown corpus: from its tagged files to one plain sentence a line."""

from __future__ import annotations

import io
import zipfile

import pytest

from lmkit.datasets import get_dataset
from lmkit.errors import DownloadError

from ..mirror import Mirror, left_behind

# Sentences of our own in the layout of the corpus: a tab, tokens, empty lines between.
SECOND = "\n\n\tA/at second/od file/nn ,/, 1/2/cd ./.\n\n\n\t``/`` Why/wrb ''/'' ?/.\n\n"
FIRST = "\n\tThe/at harbour's/nn$ lights/nns went/vbd out/rp ./.\n\n\n"


def archive(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in members.items():
            opened.writestr(f"brown/{name}", content)
    return file.getvalue()


def test_words_without_tags(mirror: Mirror) -> None:
    content = archive(
        cb01=SECOND, ca44=FIRST, README="no/nn text/nn", CONTENTS="a/b", cats="ca44 x"
    )
    mirror.add("tagged", content, conversion="brown")
    path = get_dataset("tagged")["all"]
    assert path.read_text(encoding="utf-8").split("\n") == [
        "The harbour's lights went out .",
        "A second file , 1/2 .",
        "`` Why '' ?",
        "",
    ]
    assert left_behind() == ["tagged", "tagged/all.txt"]


@pytest.mark.parametrize("content", [b"no zip file", archive(README="nothing else")])
def test_archive_of_something_else(mirror: Mirror, content: bytes) -> None:
    mirror.add("tagged", content, conversion="brown")
    with pytest.raises(DownloadError, match="cannot read tagged: "):
        get_dataset("tagged")
    assert left_behind() == []
