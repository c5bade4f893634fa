"""Cutting text into pieces, counting them, remembering them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.errors import UsageError
from lmkit.text.subwords import alphabet, borders, patterns, pieces
from lmkit.text.subwords.hashing import IntegerTable
from lmkit.text.subwords.patterns import GPT2, GPT4, NAMED, splitter

HOSTILE = [
    *"'\"sSdDmMtTlLvVrReEſaZ1²Ⅷ२ \t\r\n\x0b\x0c\x00\x1c\x85\xa0\u1680\u2028\u3000\u200b.!-_é字ا",
    *"\u0301\u200d\ufe0f😀👩🇩\U0001d7d8\udc80\udcc3\udcff",
    *("'s", "'LL", "'ve", "'rE", "'ſ", "  ", "\r\n", "\n\n", "123", "don't", "👩\u200d💻"),
]
texts = st.lists(st.sampled_from(HOSTILE), max_size=14).map("".join)
any_bytes = st.binary(max_size=30) | texts.map(lambda text: text.encode(errors="surrogateescape"))


def encoded(parts: Sequence[str]) -> list[bytes]:
    return [part.encode(errors="surrogateescape") for part in parts]


def expected(pattern: str, text: bytes) -> list[bytes]:
    """What the ``regex`` package finds: these patterns match every character."""
    return encoded(regex.findall(pattern, text.decode(errors="surrogateescape")))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
@given(text=any_bytes)
def test_whole_arrays_are_cut_where_the_regular_expression_cuts(name: str, text: bytes) -> None:
    assert splitter(name).split(text) == expected(NAMED[name], text)


@pytest.mark.parametrize("pattern", [*NAMED, r"\w+|\s", "(a)(b)?|'s", "x*"])
@settings(max_examples=40)
@given(text=any_bytes)
def test_lines_are_cut_one_by_one_and_nothing_is_lost(pattern: str, text: bytes) -> None:
    cut = splitter(pattern)
    found = cut.split_lines(text)
    wanted: list[bytes] = []
    for number, line in enumerate(text.split(b"\n")):
        wanted += [b"\n"] * (number > 0) + cut.split(line)
    assert found == wanted
    assert b"".join(found) == text
    assert b"" not in found


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("gpt2", " I'm  12 days\t\tlate!!  ", " I|'m| | 12| days|\t|\t|late|!!|  "),
        ("gpt2", "''s 's x'sing", "''|s| '|s| x|'s|ing"),
        ("gpt2", "a \xa0b", "a| |\xa0|b"),
        ("gpt4", " I'M  12345 days\t\tlate!!  ", " I|'M| | |123|45| days|\t|\tlate|!!|  "),
        ("gpt4", "a.\r\r b\r c(d", "a|.\r\r| b|\r| c|(d"),
        ("gpt4", "x \r ", "x| \r "),
        ("none", "a b", "a b"),
        (r"\p{L}+", "ab, c!", "ab|, |c|!"),
    ],
)
def test_pieces_by_hand(name: str, text: str, wanted: str) -> None:
    assert [piece.decode() for piece in splitter(name).split(text.encode())] == wanted.split("|")


def test_bytes_that_are_no_text_are_neither_letters_nor_spaces() -> None:
    assert splitter("gpt2").split(b"a\xc3 \xe9b \xff.") == [
        b"a",
        b"\xc3",
        b" \xe9",
        b"b",
        b" \xff.",
    ]


def test_a_text_of_all_256_bytes_is_cut_as_well() -> None:
    text = bytes(range(256)) * 2
    for name in NAMED:
        assert splitter(name).split(text) == expected(NAMED[name], text)


@pytest.mark.parametrize("pattern", [*NAMED, r"\S+|\s", "special"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_slices_of_a_text_give_the_same_pieces(
    pattern: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = splitter("gpt2", ["b c"]) if pattern == "special" else splitter(pattern)
    text = ("ab c  d\n\n'll b c, d'd x" * 5 + "éa b c\n" + "long line of words" * 3 + end).encode()
    whole = cut.split_lines(text)
    for size in (1, 3, 20):
        monkeypatch.setattr(patterns, "_SLICE", size)
        parts = list(cut.slices(text))
        assert b"".join(parts) == text
        assert [piece for part in parts for piece in cut.split_lines(part)] == whole


def test_special_tokens_are_never_cut_and_end_the_text_before_them() -> None:
    cut = splitter("gpt2", ["<|x|>", "<|x|>y", "ü"])
    text = "a  <|x|>  b\n<|x|>y<|x|üé".encode()
    wanted = ["a", "  ", "<|x|>", " ", " b", "\n", "<|x|>y", "<|", "x", "|", "ü", "é"]
    assert cut.split_lines(text) == encoded(wanted)
    assert pieces.count_pieces([text], cut).keys() == {
        b"a",
        b"  ",
        b" ",
        b" b",
        b"<|",
        b"x",
        b"|",
    } | {"é".encode()}


@pytest.mark.parametrize("token", ["", "a\nb", "\udc80"])
def test_what_cannot_be_a_special_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="cannot be a special token"):
        splitter("gpt2", [token])


def test_a_pattern_that_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the pattern '\(a' is no regular expression: missing \)"):
        splitter("(a")


def test_a_pattern_that_tries_endlessly_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "_PATIENCE", 0.01)
    for pattern in (r"(x|x)*y|z", r"(?:x|x)*y|z"):  # with groups and without
        with pytest.raises(UsageError, match=r"takes more than 0 s for one line of 40 characters"):
            splitter(pattern).split(b"x" * 40)


def test_the_named_patterns_are_known_by_their_text_too() -> None:
    assert (splitter(GPT2).pattern, splitter(GPT4).pattern) == ("gpt2", "gpt4")


@pytest.mark.slow
@settings(max_examples=40)
@given(chunks=st.lists(texts.map(lambda text: text.encode(errors="surrogateescape") + b"\n")))
def test_pieces_are_counted_over_chunks(chunks: list[bytes]) -> None:
    counts = pieces.count_pieces(chunks, splitter("gpt2"))
    wanted = Counter(
        piece
        for chunk in chunks
        for line in chunk.split(b"\n")
        for piece in splitter("gpt2").split(line)
    )
    assert counts == wanted
    assert list(counts) == sorted(wanted)


def test_no_more_distinct_pieces_are_held_than_there_is_room_for() -> None:
    chunks = [b"abc abd\n", b" abd abe abe\n", b"abc abc\n", b"long-enough abc\n"]
    counts = pieces.count_pieces(chunks, splitter("gpt2"), most_bytes=7)
    assert counts == {b"abc": 2, b" abd": 2}


def test_a_cache_encodes_each_piece_once_and_forgets_when_it_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bytes] = []

    def encode(new: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        asked.extend(new)
        return np.frombuffer(b"".join(new), np.uint8).astype(np.int32), np.array([*map(len, new)])

    cache = pieces.PieceCache(encode, line_end=-1)
    assert cache([b"ab", b"\n", b"c", b"ab"]).tolist() == [97, 98, -1, 99, 97, 98]
    assert cache([b"c", b"d"]).tolist() == [99, 100]
    assert cache([]).tolist() == []
    assert asked == [b"ab", b"c", b"d"]
    monkeypatch.setattr(pieces, "MOST_BYTES", 3)
    assert cache([b"d", b"\n"]).tolist() == [100, -1]
    assert asked == [b"ab", b"c", b"d", b"d"]


def test_every_byte_has_a_printable_character_of_its_own() -> None:
    everything = bytes(range(256))
    spelling = alphabet.spell(everything)
    assert alphabet.unspell(spelling) == everything
    assert len(set(spelling)) == 256
    assert all(character.isprintable() and not character.isspace() for character in spelling)
    assert alphabet.spell(b" the\n" + "é".encode()) == "ĠtheĊÃ©"
    with pytest.raises(ValueError, match="stands for no byte"):
        alphabet.unspell("a b")


@settings(max_examples=40)
@given(
    tokens=st.lists(st.text("abc", min_size=2, max_size=5).map(str.encode), max_size=8),
    text=st.text("abcd", max_size=40).map(str.encode),
    block=st.sampled_from([1, 3, 7, 1 << 20]),
)
def test_borders_are_where_no_token_reaches_across(
    tokens: list[bytes], text: bytes, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(borders, "_BLOCK", block)
        found = borders.Borders([b"a", *tokens]).of(np.frombuffer(text, np.uint8), np.array([0]))
    across = {
        place
        for start in range(len(text))
        for token in tokens
        if text.startswith(token, start)
        for place in range(start + 1, start + len(token))
    }
    assert found.tolist() == [place for place in range(len(text)) if place not in across]


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(0, 2**62) | st.integers(0, 300), max_size=60), max_size=6),
    st.lists(st.integers(-5, 400), max_size=60),
)
def test_a_table_of_integers_is_a_dictionary(groups: list[list[int]], asked: list[int]) -> None:
    table, wanted = IntegerTable(), dict[int, int]()
    for group in groups:
        new = [key for key in dict.fromkeys(group) if key not in wanted]
        values = np.arange(len(wanted), len(wanted) + len(new), dtype=np.int32)
        table.put(np.array(new, np.int64), values)
        wanted.update(zip(new, values.tolist(), strict=True))
        keys = [*wanted, *asked]
        found = table.get(np.array(keys, np.int64)).tolist()
        assert found == [wanted.get(key, -1) for key in keys]


@settings(max_examples=40)
@given(st.lists(st.lists(st.binary(min_size=1, max_size=11), max_size=30), max_size=4))
def test_distinct_pieces_are_numbered_in_the_order_of_the_text(texts: list[list[bytes]]) -> None:
    distinct, wanted = pieces.DistinctPieces(), dict[bytes, int]()
    for text in texts:
        starts = np.cumsum([0, *map(len, text)])[:-1]
        before = [wanted.get(piece, -1) for piece in text]
        if text:
            assert distinct.numbers(b"".join(text), starts, learn=False).tolist() == before
            numbers = distinct.numbers(b"".join(text), starts).tolist()
            assert numbers == [wanted.setdefault(piece, len(wanted)) for piece in text]
    assert distinct.all == list(wanted)
    assert distinct.bytes == sum(map(len, wanted))


def test_pieces_that_differ_in_nul_bytes_only_are_different() -> None:
    text = b"".join(b"\x00" * size + b"\n" for size in range(10))
    counts = pieces.count_pieces([text * 2], splitter("gpt2"))
    assert counts == {b"\x00" * size: 2 for size in range(1, 10)}


def test_a_token_longer_than_is_compared_counts_as_there_if_it_begins_so() -> None:
    token = b"ab" * 40
    text = np.frombuffer(b"x" + token[:60] + b"y" * 80, np.uint8)
    found = borders.Borders([b"a", token]).of(text, np.array([0]))
    # 32 bytes are compared. The last place from which they are there is 29, and 29 + 80 is 109.
    assert found.tolist() == [0, 1, *range(109, 141)]
