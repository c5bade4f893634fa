"""Lists of misspellings: from the forms they are published in to pairs."""

from __future__ import annotations

import pytest

from lmkit.datasets import get_dataset
from lmkit.datasets.pairs import FORMS, write_pairs
from lmkit.errors import DownloadError

from ..mirror import Mirror, broken, fails, left_behind

LISTS = {
    "dollar": ("$harbour\nharber\n?\nhar_bour\n\n$well_off\nwell-off\nwich 4\n", [
        ("harber", "harbour"), ("har bour", "harbour"), ("well-off", "well off"),
        ("wich", "well off"),
    ]),
    "arrow": (" harber->harbour\nlite->light, lit\nclas->class, off as it is a name\nno arrow\n"
              "bote->boat, both,\n", [
        ("harber", "harbour"), ("lite", "light"), ("lite", "lit"), ("clas", "class"),
        ("bote", "boat"), ("bote", "both"),
    ]),
    "colon": ("harbour: harber  haror\nlight: lite\nnothing\n", [
        ("harber", "harbour"), ("haror", "harbour"), ("lite", "light"),
    ]),
    "annotations": (
        "File\tMisspelling\tType\tCorrection\n1\tharber\tM\tharbour\n1\thar ber\tM2\tharbour\n"
        "2\tshort line\n2\tofthe\tM\tof the\n",
        [("harber", "harbour"), ("ofthe", "of the")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_pairs(form):
    text, pairs = LISTS[form]
    assert list(FORMS[form](text.splitlines())) == pairs


def test_what_says_nothing_is_left_out(tmp_path):
    source, target = tmp_path / "list", tmp_path / "pairs"
    source.write_bytes("same: same other\r\nnaïve: naive\r\n".encode())
    assert write_pairs(source, target, "colon") == 2
    assert target.read_text(encoding="utf-8") == "other\tsame\nnaive\tnaïve\n"


def test_a_list_is_fetched_and_becomes_pairs(mirror: Mirror):
    mirror.add("small", b"harbour: harber\n", conversion="colon")
    path = get_dataset("small")["all"]
    assert path.read_text(encoding="utf-8") == "harber\tharbour\n"


@pytest.mark.parametrize(
    "content", [b"nothing of the kind\n", b"\xff\xfe: x\n", b""], ids=["else", "bytes", "empty"]
)
def test_a_list_of_something_else_is_refused(mirror: Mirror, content):
    mirror.add("small", content, conversion="colon")
    assert "cannot read small" in fails().message
    assert left_behind() == []


def test_a_list_that_is_too_short_is_refused(mirror: Mirror):
    mirror.add("small", b"harbour: harber\n", conversion="colon", least=2)
    with pytest.raises(DownloadError, match="holds 1 pairs, not 2"):
        get_dataset("small")


def test_what_only_its_commit_pins_is_fetched_whole_or_anew(mirror: Mirror):
    content = b"harbour: harber\n" * 1000
    served = mirror.add(
        "small", content, conversion="colon", blob_known=False, size_known=False, cuts=broken()
    )
    fails()
    # The pieces could not be checked when they are joined, so nothing is kept to go on from.
    assert left_behind() in ([], [".partial"])
    served.cuts.clear()
    assert len(get_dataset("small")["all"].read_text(encoding="utf-8").splitlines()) == 1000
