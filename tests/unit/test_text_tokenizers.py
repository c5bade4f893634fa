"""What every tokenizer must do, whatever its tokens: a contract over the registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.model import EOS
from lmkit.registry import names
from lmkit.text.growing import gather
from lmkit.text.lexicon import Lexicon, SpecialTokenError
from lmkit.text.normalization import normalizer
from lmkit.text.tokenizers import base
from lmkit.text.tokenizers.base import LineBulk, PieceBulk, Tokenizer
from lmkit.text.tokenizers.making import Unlearnt, make_tokenizer

ALPHABET = "ab.,-'’ \t\x00\x0b\x0c\x85\xa0\u2028\u200dée\u0301字の😀<>/ﬁ1"
lines = st.text(
    st.one_of(st.sampled_from(ALPHABET), st.characters(exclude_categories=["Cs"])), max_size=25
).map(lambda line: re.sub("[\r\n]", " ", line))
words = st.sampled_from(["don't", "<unk>", "a.b", "3.14", "...", "word", " ", "\x0b", "e\u0301"])
documents = st.lists(st.one_of(lines, st.lists(words).map(" ".join)), max_size=6)

every_tokenizer = pytest.mark.parametrize("name", names("tokenizer"))


@cache
def tokenizer_named(name: str) -> Tokenizer:
    """That of the registry; one that learns has learnt a little."""
    tokenizer = make_tokenizer(name)
    return tokenizer.learnt([b"a word ...\n" * 9]) if isinstance(tokenizer, Unlearnt) else tokenizer


def in_bulk(
    tokenizer: Tokenizer, document: list[str], normalize: Callable[[str], str] | None = None
) -> list[list[str]]:
    """The tokens of each line, by way of the bulk path."""
    lexicon = Lexicon("word")
    numbers = tokenizer.bulk(normalize, lexicon)("".join(f"{x}\n" for x in document).encode())
    assert numbers.dtype == np.int32
    assert len(set(lexicon.tokens)) == len(lexicon.tokens)
    found: list[list[str]] = [[]]
    for number in numbers.tolist():
        if number == EOS:
            found.append([])
        else:
            found[-1].append(lexicon.tokens[number])
    assert found.pop() == []
    return found


@every_tokenizer
@given(document=documents)
def test_bulk_is_line_by_line(name: str, document: list[str]) -> None:
    tokenizer = tokenizer_named(name)
    assert in_bulk(tokenizer, document) == [tokenizer.tokenize(line) for line in document]


@every_tokenizer
@given(document=documents, form=st.sampled_from(["nfc", "nfkc"]), lowercase=st.booleans())
def test_bulk_normalizes_like_single_lines(
    name: str, document: list[str], form: str, lowercase: bool
) -> None:
    tokenizer, normalize = tokenizer_named(name), normalizer(form, lowercase)
    assert normalize is not None
    expected = [tokenizer.tokenize(normalize(line)) for line in document]
    assert in_bulk(tokenizer, document, normalize) == expected


@every_tokenizer
@given(document=documents)
def test_numbers_follow_first_appearance(name: str, document: list[str]) -> None:
    tokenizer, lexicon = tokenizer_named(name), Lexicon("word")
    tokenizer.bulk(None, lexicon)("".join(f"{line}\n" for line in document).encode())
    seen = [token for line in document for token in tokenizer.tokenize(line)]
    expected = [token for token in dict.fromkeys(seen) if token != "<unk>"]
    assert lexicon.tokens[3:] == expected


@every_tokenizer
@given(line=lines)
def test_widths_sum_to_the_reference_text(name: str, line: str) -> None:
    tokenizer = tokenizer_named(name)
    tokens = tokenizer.tokenize(line)
    length = max(int(tokenizer.widths(tokens).sum()) + tokenizer.end_width, 1)
    reference = " ".join(tokens) if tokenizer.unit == "word" else line
    assert length == len(reference) + 1


@every_tokenizer
@given(line=lines)
def test_any_tokenizer_can_go_line_by_line(name: str, line: str) -> None:
    tokenizer, one, other = tokenizer_named(name), Lexicon("word"), Lexicon("word")
    text = f"{line}\n\n{line}\n".encode()
    by_line = LineBulk(tokenizer, None, one)(text)
    assert by_line.tolist() == tokenizer.bulk(None, other)(text).tolist()
    assert one.tokens == other.tokens


@every_tokenizer
def test_a_literal_unk_is_one_token_of_words(name: str) -> None:
    tokenizer = tokenizer_named(name)
    if tokenizer.unit == "word":
        assert tokenizer.tokenize("an <unk> word") == ["an", "<unk>", "word"]
        lexicon = Lexicon()
        assert tokenizer.bulk(None, lexicon)(b"<unk> a\n").tolist() == [0, 3, EOS]
    else:
        assert "<unk>" not in tokenizer.tokenize("an <unk> word")


@every_tokenizer
def test_special_tokens_concern_words_only(name: str) -> None:
    tokenizer = tokenizer_named(name)
    bulk = tokenizer.bulk(None, Lexicon("error"))
    if tokenizer.unit == "word":
        with pytest.raises(SpecialTokenError, match="a literal </s>, which marks the end"):
            bulk(b"fine\nend </s> here\n")
    else:
        assert len(bulk(b"</s>\n")) == 5


def test_long_texts_go_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PieceBulk, "_SLICE", 8)
    tokenizer = tokenizer_named("whitespace")
    document = ["one line of rather many words", "", "x" * 50, "a b " * 20 + "y" * 30, "end"]
    assert in_bulk(tokenizer, document) == [line.split() for line in document]
    assert in_bulk(tokenizer, []) == []


def test_forgotten_pieces_keep_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PieceBulk, "_MOST_PIECES", 3)
    lexicon = Lexicon()
    bulk = tokenizer_named("word").bulk(None, lexicon)
    assert bulk(b"a b, c\n").tolist() == [3, 4, 5, 6, EOS]
    assert bulk(b"c, b, a\n").tolist() == [6, 5, 4, 5, 3, EOS]
    assert bulk(b"d b, a\n").tolist() == [7, 4, 5, 3, EOS]


def test_many_new_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.SymbolBulk, "_SAMPLE", 2)
    text = "aaaaaaabcdefghij" + "".join(map(chr, range(0x4E00, 0x4F00))) + "zz"
    assert in_bulk(tokenizer_named("char"), [text]) == [list(text)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_gather(spans: list[tuple[int, int]]) -> None:
    flat = np.arange(10, 20, dtype=np.int32)
    starts = np.array([min(span) for span in spans], np.int64)
    stops = np.array([max(span) for span in spans], np.int64)
    expected = [x for a, b in zip(starts, stops, strict=True) for x in flat[a:b].tolist()]
    assert gather(flat, starts, stops).tolist() == expected
