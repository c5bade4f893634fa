"""Lower case: İ keeps to one code point, and three languages have rules of their own
(SpecialCasing.txt of the Unicode character database)."""

from __future__ import annotations

import pytest

from lmkit.text.normalization import normalizer
from lmkit.text.settings import TextSettings


@pytest.mark.parametrize(
    ("language", "text", "lower"),
    [
        (True, "İZMİR IŞIK", "izmir işik"),
        ("tr", "İZMİR IŞIK", "izmir ışık"),
        ("az", "İZMİR IŞIK", "izmir ışık"),
        # I and a dot above are İ; a mark below does not part them, one above does.
        (True, "I\u0307Z I\u0323\u0307 I\u0301\u0307", "iz i\u0323 i\u0301\u0307"),
        ("tr", "I\u0307Z I\u0323\u0307 I", "iz i\u0323 ı"),
        # A dot above another letter stays.
        (True, "Ż Z\u0307 Q\u0307", "ż z\u0307 q\u0307"),
        # Lithuanian keeps the dot of i and j below another accent.
        ("lt", "Ì Í Ĩ", "i\u0307\u0300 i\u0307\u0301 i\u0307\u0303"),
        (
            "lt",
            "J\u0301 Į\u0301 I\u0328\u0301 IJ",
            "j\u0307\u0301 į\u0307\u0301 i\u0307\u0328\u0301 ij",
        ),
        (True, "Ì J\u0301", "ì j\u0301"),
        # No case folding: letters that are lower case already stay.
        (True, "STRASSE Straße ﬁ ΟΔΟΣ ΣΑΣ. ᾼ ĲS Ǆ", "strasse straße ﬁ οδος σας. ᾳ ĳs ǆ"),
        ("tr", "STRASSE Straße ΟΔΟΣ", "strasse straße οδος"),
        (True, "IJ ASCII", "ij ascii"),
    ],
)
def test_lower_case(language: bool | str, text: str, lower: str) -> None:
    function = normalizer("none", language)
    assert function is not None
    assert function(text) == lower


@pytest.mark.parametrize("form", ["nfc", "nfkc"])
def test_with_normalization(form: str) -> None:
    function = normalizer(form, True)
    assert function is not None
    assert function("I\u0307ZMI\u0307R") == "izmir"
    assert "\u0307" not in function("İ")
    # What is lower case already does not change, so text may be read twice.
    for text in ("İZMİR", "Í J\u0301", "ΑΣ", "ǰ"):
        assert function(function(text)) == function(text)


def test_models_trained_before_read_as_they_did() -> None:
    old = TextSettings.from_dict({"tokenizer": "whitespace", "lowercase": True})
    function = old.make_normalizer()
    assert old.rules == 1 and function is not None
    assert function("İZ") == "i\u0307z"
