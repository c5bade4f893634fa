"""Spaces around numbers, punctuation and quotation marks, as edited text has them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import regex

from lmkit.channel.splitting.spacing import spaces


@pytest.mark.parametrize(
    "text",
    [
        'He said , "Yes ." Then he left .',
        "It 's ' quoted ' here",
        'the " Beds "( 1990 - 95 ) are',
        "Church – Turing thesis",
    ],
)
def test_tokens_that_are_given_with_spaces_come_back_without_loss(text: str):
    pieces = text.split(" ")
    parts = list(itertools.pairwise([0, *np.cumsum([len(p) for p in pieces]).tolist()]))
    assert len(spaces("".join(pieces), parts)) == len(pieces)


@pytest.mark.parametrize(
    "text",
    [
        'He said, "Yes." Then he left.',
        'the "Beds" (1990-95) are',
        'binding occur within the sample being classified"',
        "Church–Turing thesis",
        "she was – at first – alone",
        "21 August 1903 – 6 March 1978",
        "the 1980–81 season, 2010–11 League",
        "W. B. Yeats was in the U.S. then, e.g. here",
        "about 50% of $ 3".replace("$ ", "$"),
        "at 18:30: nothing",
        "R&B and Hall & Oates",
        "well-known; pre-Beatles",
        "H2O at 20 °C".replace(" °", "°"),
        "the T52 and the AD 98",
        "SR 56 and US 2, TV3 and an R80",
        "the 335e of 50 m, the 883f and 14 km² of it",
        "501(c)(3) and 2010 (ninth)",
        "a B.A. in art, an M.F.A., her Ph.D. of 1990 and B.Sc. then",
        "J. R. R. Tolkien and W. H. Auden",
        "the line <br> ends here </ref>",
        "AT&T for US$36 or $5",
        "the 1960's, \"Pollstar\"'s list",
        "third- and fourth-year pupils, hit-and-run",
        "2012 Open – Singles and Games - Doubles race",
        "either/or — neither".replace(" — ", "—"),
        "it is (very) good [sic]!",
        "Narak | Young Neqa | Nashville || the end |",
        "as in (a|b) of that",
    ],
)
def test_spaces_are_those_of_edited_text(text: str):
    parts, line = [], ""
    for token in regex.findall(r"'s\b|\d+|[\p{L}]+|\S", text):
        parts.append((len(line), len(line) + len(token)))
        line += token
    wanted = spaces(line, parts)
    found = "".join(" " * space + line[a:b] for space, (a, b) in zip(wanted, parts, strict=True))
    assert found == text


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["می", "\u200c", "خواهم"], "می\u200cخواهم"),
        (["co", "\u00ad", "operate"], "co\u00adoperate"),
        (["\ufeff", "the", "\x07", "cat"], "\ufeffthe\x07cat"),
        (["7", "\ufe0f\u20e3", "cats"], "7\ufe0f\u20e3 cats"),
        (["cafe\u0301", "there"], "cafe\u0301 there"),
    ],
)
def test_what_joins_letters_or_is_not_seen_has_no_spaces_around(parts: list[str], expected: str):
    places = list(itertools.pairwise([0, *np.cumsum([len(p) for p in parts]).tolist()]))
    apart = spaces("".join(parts), places)
    joined = "".join(" " * gap + part for gap, part in zip(apart, parts, strict=True))
    assert joined == expected
