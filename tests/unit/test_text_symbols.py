"""Characters and bytes: every one is a token, and joining inverts tokenizing exactly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lmkit.text.tokenizers.byte import TOKENS, ByteTokenizer
from lmkit.text.tokenizers.char import CharTokenizer

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(any_text)
def test_characters_and_back(text: str) -> None:
    tokens = CharTokenizer().tokenize(text)
    assert tokens == list(text)
    assert CharTokenizer().join(tokens) == text


@given(any_text)
def test_bytes_and_back(text: str) -> None:
    tokens = ByteTokenizer().tokenize(text)
    assert len(tokens) == len(text.encode())
    assert ByteTokenizer().join(tokens) == text


def test_how_bytes_are_written() -> None:
    assert ByteTokenizer().tokenize("a é~\x7f") == [
        "a", "<0x20>", "<0xC3>", "<0xA9>", "~", "<0x7F>",
    ]  # fmt: skip
    assert ByteTokenizer().tokenize("<0x41>") == list("<0x41>")
    assert len(set(TOKENS)) == 256


def test_drawn_bytes_that_are_no_text() -> None:
    assert ByteTokenizer().join(["a", "<0xC3>", "b", "<unk>"]) == "a\udcc3b<unk>"
