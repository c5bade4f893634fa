"""Where tokens are in a line, and what a tokenizer makes of a text."""

from __future__ import annotations

import pytest

from lmkit.text.figures import figures_of, script_of
from lmkit.text.settings import TextSettings
from lmkit.text.tokenized import LineTokenizer, Spans


def places(settings: TextSettings, line: str) -> list[str | None]:
    ((_, numbers),) = (cut := LineTokenizer(settings)([line]))
    tokens = [cut.tokens[number] for number in numbers]
    found = Spans(settings).of(line, tokens)
    data = line.encode(errors="surrogateescape")
    for span in found:
        if span is not None:
            part = line[span[0] : span[1]].encode(errors="surrogateescape")
            assert part == data[span[2] : span[3]]
    return [None if span is None else line[span[0] : span[1]] for span in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("the the  the", ["the", "the", "the"]),
        ("A\u030a \u212b a", ["A\u030a", "\u212b", "a"]),
        ("\uac00\u1100\u1161\u11a8 x", ["\uac00\u1100\u1161\u11a8", "x"]),
        ("q\u0307\u0323 x", ["q\u0307\u0323", "x"]),  # marks that change places
        ("", []),
    ],
)
def test_normalized_words_are_found_where_they_were(line: str, expected: list[str]) -> None:
    assert places(TextSettings("whitespace", normalize="nfc"), line) == expected


def test_lower_case_that_is_longer_or_shorter() -> None:
    settings = TextSettings("word", lowercase=True, normalize="nfkc")
    assert places(settings, "İİ ﬃ ΣΑΣ Ⅷ x") == ["İİ", "ﬃ", "ΣΑΣ", "Ⅷ", "x"]


def test_what_was_cut_into_words_before_has_no_places() -> None:
    settings = TextSettings("char", pre_tokenizer="word")
    assert places(settings, "a,b") == [None] * 5


def test_bytes_that_are_a_part_of_a_letter_have_the_letter() -> None:
    assert places(TextSettings("char"), "o\u0308x") == ["o\u0308", "x"]
    settings = TextSettings("byte")
    found = Spans(settings).of("aö\udcff", ["a", "<0xC3>", "<0xB6>", "<0xFF>"])
    assert found == [(0, 1, 0, 1), (1, 2, 1, 2), (1, 2, 2, 3), (2, 3, 3, 4)]


@pytest.mark.parametrize(
    ("word", "script"),
    [
        ("don't", "Latin"),
        ("¿qué?", "Latin"),
        ("«море»", "Cyrillic"),
        ("東京", "Han"),
        ("タワー", "Katakana"),
        ("ไทย", "Thai"),
        ("ᏣᎳᎩ", "other scripts"),
        ("12:30", "no letters"),
        ("☃", "no letters"),
        ("\udcff", "no letters"),
    ],
)
def test_scripts(word: str, script: str) -> None:
    assert script_of(word) == script


def test_figures_of_characters() -> None:
    figures = figures_of(TextSettings("char"), [b"ab  c\n\n", "é b\n".encode()])
    said = figures.as_dict()
    assert (said["lines"], said["words"], said["characters"], said["bytes"]) == (3, 4, 8, 9)
    assert (said["tokens"], said["vocabulary_used"], said["vocabulary_share"]) == (8, 5, None)
    assert said["tokens_per_word"] == 2.0
    # Each word by itself has a space before it.
    (latin,) = said["scripts"]
    assert (latin["words"], latin["tokens"]) == (4, 9)
    assert figures_of(TextSettings("char"), []).as_dict()["characters_per_token"] is None
