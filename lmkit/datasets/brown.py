"""The Brown corpus: from tagged files in a zip to plain tokenized text.

Each of the 500 files ``brown/ca01`` … ``brown/cr09`` holds one sentence a line,
its tokens written ``word/tag``, with empty lines between sentences and
paragraphs. The plain text has the files in the order of their names, one
sentence a line, the words joined by single spaces; a word is what stands before
the last slash of its token. Empty lines and the tags are dropped, nothing else
is changed: quotation marks stay ```` `` ```` and ``''``.

Source: W. N. Francis and H. Kučera, Brown Corpus Manual, 1964 (revised 1979).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

TEXT_FILE = re.compile(r"(?:.*/)?c[a-r]\d\d")


def sentences(archive: zipfile.ZipFile) -> Iterator[str]:
    """The corpus, one plain sentence at a time."""
    for name in sorted(filter(TEXT_FILE.fullmatch, archive.namelist())):
        for line in archive.read(name).decode("utf-8").splitlines():
            words = [_word(token) for token in line.split()]
            if words:
                yield " ".join(words)


def write_plain_text(archive: Path, target: Path) -> None:
    """Write the zip file ``archive`` as plain text to ``target``.

    Raises ValueError or `zipfile.BadZipFile` where it is not the corpus.
    """
    with (
        zipfile.ZipFile(archive) as opened,
        target.open("w", encoding="utf-8", newline="\n") as out,
    ):
        count = 0
        for sentence in sentences(opened):
            out.write(f"{sentence}\n")
            count += 1
    if not count:
        raise ValueError("the archive holds no file of the Brown corpus")


def _word(token: str) -> str:
    word, slash, _ = token.rpartition("/")
    return word if slash and word else token
