"""The word tokenizer: examples, and that nothing but white space is lost."""

from __future__ import annotations

import subprocess
import sys

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from lmkit.text.tokenizers.word import WordTokenizer


def joined(tokens: list[str]) -> str:
    return "|".join(tokens)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't re-use it.", "Don't|re-use|it|."),
        ("the dogs' don’t 'tis o'clock", "the|dogs|'|don’t|'|tis|o'clock"),
        ("mother-in-law, well--yes - no", "mother-in-law|,|well|--|yes|-|no"),
        ("3.14 and 1,000,000.50 in 1914-1918.", "3.14|and|1,000,000.50|in|1914|-|1918|."),
        ("the 3rd 2-year-old A-1", "the|3rd|2-year-old|A-1"),
        ("the U.S. (e.g. J.R.R. Tolkien)", "the|U.S.|(|e.g.|J.R.R.|Tolkien|)"),
        ("Hm... what?!", "Hm|...|what|?|!"),
        ("see https://a.b/c?d=e, or www.x.org!", "see|https://a.b/c?d=e|,|or|www.x.org|!"),
        ("mail me.too+x@mail.example.org.", "mail|me.too+x@mail.example.org|."),
        ("<unk> of <s> and </s>, <b>", "<unk>|of|<s>|and|</s>|,|<|b|>"),
        ("snake_case x² ½", "snake_case|x|²|½"),
        ("日本語のテスト。", "日|本|語|の|テスト|。"),
        ("कार्य می‌خواهم", "कार्य|می‌خواهم"),
        ("e\u0301te\u0301 soft\u00adhyphen", "e\u0301te\u0301|soft\u00adhyphen"),
        ("👩‍👩‍👧 👍!", "👩‍👩‍👧|👍|!"),
        ("a\u00a0b\u2003c\u2028d\x85e\x0bf\x00g", "a|b|c|d|e|f|g"),
        ("50% $5.00 #1 C++", "50|%|$|5.00|#|1|C|+|+"),
        ("", ""),
        (" \t ", ""),
    ],
)
def test_tokens(text: str, tokens: str) -> None:
    assert joined(WordTokenizer().tokenize(text)) == tokens


texts = st.text(
    st.one_of(
        st.sampled_from("ab1.,-'’@:/<>us_ \u00a0\u200d\ufe0fé\u0301字のकْ"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


@given(texts)
def test_nothing_but_white_space_is_lost(text: str) -> None:
    tokens = WordTokenizer().tokenize(text)
    assert all(tokens)
    assert "".join(tokens) == regex.sub(r"[\s\x00]", "", text)


@given(texts)
def test_a_token_is_one_token(text: str) -> None:
    tokenizer = WordTokenizer()
    for token in tokenizer.tokenize(text):
        assert tokenizer.tokenize(token) == [token]


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["a", "a.", "a-", "x@", "e\u0301", "www.", "'", "me@a-", "\u200d", "1.", "http://'", "<"],
)
def test_long_tokens_take_linear_time(unit: str) -> None:
    # Quadratic time would take hours here.
    text = unit * (1_000_000 // len(unit))
    assert "".join(WordTokenizer().tokenize(text)) == text


def test_regex_is_imported_only_for_words() -> None:
    code = (
        "import sys; from lmkit.text.settings import TextSettings;"
        "from lmkit.text.encoder import TextEncoder; from lmkit.text.vocabulary import Vocabulary;"
        "e = TextEncoder(TextSettings('whitespace'), Vocabulary(['<unk>', '<s>', '</s>']));"
        "e.encode(['a b']); TextSettings('word'); sys.exit('regex' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "line",
    [
        "Hello, world! How are you?",
        '"Hi," she said; "it is (almost) done."',
        "He gave 3.5% of $100 to Mr. Smith's dog...",
        "no—well, either/or",
        "the dogs' tails and the 'quoted' word",
        "日本語のテスト、です。",
        "“Quotes” and ‘these’ too: fine.",
    ],
)
def test_join_writes_as_people_do(line: str) -> None:
    tokenizer = WordTokenizer()
    assert tokenizer.join(tokenizer.tokenize(line)) == line


@given(texts)
def test_join_loses_nothing(text: str) -> None:
    tokenizer = WordTokenizer()
    tokens = tokenizer.tokenize(text)
    assert tokenizer.join(tokens).replace(" ", "") == "".join(tokens)
