"""Normalization: the four forms, and that it may be applied piece by piece."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.text.normalization import normalizer


def applied(text: str, form: str, lowercase: bool = False) -> str:
    function = normalizer(form, lowercase)
    return text if function is None else function(text)


@pytest.mark.parametrize(
    ("form", "expected"),
    [("none", "Cafe\u0301 \ufb01"), ("nfc", "Caf\u00e9 \ufb01"), ("nfkc", "Caf\u00e9 fi")],
)
def test_forms(form: str, expected: str) -> None:
    assert applied("Cafe\u0301 \ufb01", form) == expected
    assert applied("Cafe\u0301 \ufb01", form, lowercase=True) == expected.lower()


def test_no_function_where_nothing_is_to_do() -> None:
    assert normalizer("none", lowercase=False) is None


def test_lower_case_stays_normalized() -> None:
    # Lower case of U+0130 is i and a combining dot above: composed with what follows or not,
    # the result must be in the form.
    text = "\u0130\u0323"
    assert unicodedata.is_normalized("NFC", applied(text, "nfc", lowercase=True))


mixed = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from(" \n\tAΣe\u0301\u0300\u0323\u00a0ﬁ\uac00\u1100\u1161\u11a8İ"),
    ),
    max_size=30,
)


@given(mixed, st.sampled_from(["none", "nfc", "nfkc"]), st.booleans())
def test_lines_and_pieces_give_what_the_whole_text_gives(
    text: str, form: str, lowercase: bool
) -> None:
    whole = applied(text, form, lowercase)
    for separator in ("\n", " ", "\t"):
        parts = [applied(part, form, lowercase) for part in text.split(separator)]
        assert separator.join(parts) == whole


@given(mixed, st.sampled_from(["none", "nfc", "nfkc"]), st.booleans())
def test_no_line_end_comes_of_it(text: str, form: str, lowercase: bool) -> None:
    result = applied(text, form, lowercase)
    for separator in "\n\r\t\x00":
        assert result.count(separator) == text.count(separator)
