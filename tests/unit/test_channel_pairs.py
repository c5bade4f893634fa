"""Reading pairs: what counts, and what is said about lines that are none."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.channel.edits.pairs import collected, read_pairs
from lmkit.channel.edits.strings import edit_distances
from lmkit.errors import TextError


def pairs_of(folder: Path, text: str, **options: bool) -> list[tuple[str, str, float]]:
    path = folder / "pairs.tsv"
    path.write_text(text, encoding="utf-8")
    return list(read_pairs(path, **options))


def test_a_count_may_follow_and_what_is_no_number_is_none(tmp_path: Path) -> None:
    text = "teh\tthe\t3\nfone\tphone\tbirkbeck\nwich\twhich\ncat\tcta\tnan\tand more\n"
    assert pairs_of(tmp_path, text) == [
        ("teh", "the", 3),
        ("fone", "phone", 1),
        ("wich", "which", 1),
        ("cat", "cta", 1),
    ]


def test_equal_pairs_are_one_whatever_their_case_and_form(tmp_path: Path) -> None:
    text = "Teh\tThe\t2\nteh\tthe\n\ncafe\tcafe\u0301\ncafe\tcaf\u00e9\n"
    assert pairs_of(tmp_path, text) == [("teh", "the", 3), ("cafe", "caf\u00e9", 2)]
    assert pairs_of(tmp_path, "Teh\tThe\n", lowercase=False) == [("Teh", "The", 1)]


def test_spaces_inside_are_single_and_those_around_do_not_matter(tmp_path: Path) -> None:
    assert pairs_of(tmp_path, " ofthe \tof  the\n") == [("ofthe", "of the", 1)]


def test_pairs_counted_never_are_left_out(tmp_path: Path) -> None:
    assert pairs_of(tmp_path, "a\tb\t0\nb\tc\n") == [("b", "c", 1)]


def test_many_errors_of_one_word_count_less_each(tmp_path: Path) -> None:
    """``the`` was mistyped in four ways, ``wich`` in one; typing right is none."""
    text = "teh\tthe\t3\nhte\tthe\nth\tthe\nthr\tthe\nthe\tthe\t9\nwich\twhich\t2\n"
    path = tmp_path / "pairs.tsv"
    path.write_text(text, encoding="utf-8")
    pairs = read_pairs(path)
    assert pairs.damped(0.5).counts.tolist() == [1.5, 0.5, 0.5, 0.5, 4.5, 2]
    assert pairs.damped(0.0).counts.tolist() == pairs.counts.tolist()


def test_far_off_errors_count_less() -> None:
    """teh is two edits from the, and 0.5 times as much; fone is two from phone; aple is one."""
    found = [(("teh", "the"), 8), (("fone", "phone"), 4), (("aple", "apple"), 3), (("a", "a"), 2)]
    pairs = collected(found)
    assert pairs.damped(0.0, 0.5).counts.tolist() == [4, 2, 3, 2]


def _distance(one: str, other: str) -> int:
    """By the recursion as it is written in books."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return _distance(one[1:], other[1:])
    return 1 + min(
        _distance(one[1:], other), _distance(one, other[1:]), _distance(one[1:], other[1:])
    )


@given(st.lists(st.tuples(st.text("abé ", max_size=5), st.text("abé ", max_size=5))))
def test_edit_distances_are_those_of_the_recursion(pairs: list[tuple[str, str]]) -> None:
    one, other = [x for x, _ in pairs], [y for _, y in pairs]
    assert edit_distances(one, other).tolist() == [_distance(x, y) for x, y in pairs]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("teh", "line 2: one column where there should be two"),
        ("teh the", "line 2: one column where there should be two"),
        ("\tthe", "line 2: the typed side is empty"),
        ("teh\t", "line 2: the intended side is empty"),
        ("teh\t  \t4", "line 2: the intended side is empty"),
        ("t\x07h\tthe", "line 2: a control character on the typed side"),
        ("teh\tt\x1ce", "line 2: a control character on the intended side"),
        ("teh\tthe\t-2", "line 2: a pair that was counted -2 times"),
        ("teh\tthe\t1e308", "line 2: a pair that was counted 1e308 times"),
    ],
)
def test_what_is_no_pair_is_said_in_one_line(tmp_path: Path, line: str, what: str) -> None:
    with pytest.raises(TextError) as raised:
        pairs_of(tmp_path, f"wich\twhich\n{line}\n")
    assert raised.value.message == f"{tmp_path / 'pairs.tsv'}, {what}"
    assert "\n" not in str(raised.value)
    assert "typed<TAB>intended" in str(raised.value)


@pytest.mark.parametrize("text", ["", "\n\n", "a\tb\t0\n"])
def test_no_pairs_at_all_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(TextError, match="has no pairs"):
        pairs_of(tmp_path, text)


def test_invalid_utf_8_is_an_error_and_compressed_files_are_read(tmp_path: Path) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_bytes(b"te\xff\tthe\n")
    with pytest.raises(TextError, match=r"bad\.tsv"):
        read_pairs(bad)
    packed = tmp_path / "pairs.tsv.gz"
    packed.write_bytes(gzip.compress(b"teh\tthe\n"))
    assert list(read_pairs(packed)) == [("teh", "the", 1.0)]
