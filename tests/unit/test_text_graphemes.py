"""The tokenizer ``word`` and grapheme clusters (UAX 29): none is ever cut."""

from __future__ import annotations

import random
import re

import pytest
import regex

from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.word import WordTokenizer

SKIN = "👍\U0001f3fd"
FAMILY = "👨\u200d👩\u200d👧"
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (f"ok {SKIN} 🇩🇪", ["ok", SKIN, "🇩🇪"]),
        (f"ok{SKIN}🇩🇪🇫🇷.", ["ok", SKIN, "🇩🇪", "🇫🇷", "."]),
        ("🇩🇪🇫", ["🇩🇪", "🇫"]),
        (f"{FAMILY}{FAMILY}", [FAMILY, FAMILY]),
        (f"{ENGLAND}!", [ENGLAND, "!"]),
        (
            "1\ufe0f\u20e32\ufe0f\u20e3 #\ufe0f\u20e3",
            ["1\ufe0f\u20e3", "2\ufe0f\u20e3", "#\ufe0f\u20e3"],
        ),
        ("1\u20e3 12", ["1\u20e3", "12"]),
        ("❤\ufe0f\u200d🔥ok", ["❤\ufe0f\u200d🔥", "ok"]),
        ("ℹ\ufe0fℹ\u200d🔥", ["ℹ\ufe0f", "ℹ\u200d🔥"]),
        ("a\U0001f3fdb", ["a\U0001f3fd", "b"]),
        # Combining marks, on letters and on signs.
        ("e\u0301a\u0328 .\u0301 -\u0300", ["e\u0301a\u0328", ".\u0301", "-\u0300"]),
        ("1.\u03012", ["1", ".\u0301", "2"]),
        ("<s>\u0301 <unk>\u0301", ["<", "s", ">\u0301", "<", "unk", ">\u0301"]),
        ("<s> a </s> <unk>", ["<s>", "a", "</s>", "<unk>"]),
        # Joiners within words, as Persian and Indic scripts have them.
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("क\u094d\u200dष क्षि नमस्ते", ["क\u094d\u200dष", "क्षि", "नमस्ते"]),
        ("நி", ["நி"]),
        # Hangul, precomposed and as letters.
        (
            "\u1112\u1161\u11ab\u1100\u1173\u11af 한글",
            ["\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"],
        ),
        # Han: an ideographic variation selector; kana with marks of their own.
        ("葛\U000e0100城", ["葛\U000e0100", "城"]),
        ("か\u3099か\uff9eカタカナ", ["か\u3099", "か\uff9e", "カタカナ"]),
        ("\u0600١٢٣", ["\u0600١٢٣"]),
    ],
)
def test_clusters(text: str, tokens: list[str]) -> None:
    assert WordTokenizer().tokenize(text) == tokens


def test_no_cluster_is_cut() -> None:
    """Against the clusters of the package ``regex``: its own way to find them."""
    draw = random.Random(1)
    pool = "ab1.-'’@:/ <>s\n\u0301\u200d\u200c\ufe0f\u20e3👍🏽🏿🇩🇪🇫👩👧❤🔥ℹⓂ🅰漢か゛ー\uff9eक" + (
        "น\u0e33\u1100\u1161\u11a8각#*9©\U000e0067\U000e007f\u00ad\u200b\u0600"
    )
    tokenizer = WordTokenizer()
    for _ in range(20_000):
        text = "".join(draw.choice(pool) for _ in range(draw.randint(1, 9))).replace("\n", " ")
        tokens = tokenizer.tokenize(text)
        assert "".join(tokens) == re.sub(r"\s", "", text)
        ends, place = set(), 0
        for cluster in regex.findall(r"\X", text):
            place += len(cluster)
            ends.add(place)
        place = 0
        for token in tokens:
            place = text.index(token, place) + len(token)
            # White space parts tokens always, though a mark may stand on a space.
            assert place in ends or text[place : place + 1].isspace(), ascii(text)


def test_old_rules_stay() -> None:
    """A model keeps the rules that it was trained with: files without a number have the first."""
    text = f"ok {SKIN} 🇩🇪 ℹ\ufe0f1\u20e3 don't 3.14 漢字か e\u0301."
    expected = ["ok", "👍", "\U0001f3fd", "🇩", "🇪", "ℹ\ufe0f1\u20e3", "don't", "3.14"]
    expected += ["漢", "字", "か", "e\u0301", "."]
    stored = {key: value for key, value in TextSettings().as_dict().items() if key != "rules"}
    old = TextSettings.from_dict(stored)
    assert old.rules == 1
    assert old.tokenizer.tokenize(text) == expected
    assert TextSettings.from_dict(TextSettings().as_dict()) == TextSettings()


@pytest.mark.parametrize("tokenizer", ["whitespace", "char"])
def test_tokenizers_without_new_rules_are_the_same(tokenizer: str) -> None:
    settings = TextSettings(tokenizer)
    stored = {key: value for key, value in settings.as_dict().items() if key != "rules"}
    assert TextSettings.from_dict(stored) == settings
