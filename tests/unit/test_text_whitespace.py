"""The whitespace tokenizer cuts where KenLM cuts, and touches nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.text.lexicon import Lexicon
from lmkit.text.tokenizers.whitespace import WhitespaceTokenizer


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("   ", []),
        ("a  b\tc\rd\x00e", ["a", "b", "c", "d", "e"]),
        ("a\x0bb c\x0cd", ["a\x0bb", "c\x0cd"]),
        ("no\u00a0break e\u2003m \u2028 x\x85y", ["no\u00a0break", "e\u2003m", "\u2028", "x\x85y"]),
        ("it 's <unk> @-@ don't", ["it", "'s", "<unk>", "@-@", "don't"]),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert WhitespaceTokenizer().tokenize(text) == tokens


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_bytes_decide_as_in_kenlm(text: str) -> None:
    expected = [token.decode() for token in re.split(rb"[\0\t\n\r ]+", text.encode()) if token]
    assert WhitespaceTokenizer().tokenize(text) == expected
    lexicon = Lexicon("word")
    bulk = WhitespaceTokenizer().bulk(None, lexicon)
    numbers = bulk(text.replace("\n", " ").encode() + b"\n")[:-1]
    assert [lexicon.tokens[number] for number in numbers] == expected


@given(st.lists(st.text(st.sampled_from("aé.'\x0b\u00a0"), min_size=1)))
def test_join_is_the_way_back(tokens: list[str]) -> None:
    tokenizer = WhitespaceTokenizer()
    assert tokenizer.tokenize(tokenizer.join(tokens)) == tokens
