"""Models of small texts, and the contexts to look at in them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import lmkit
from lmkit.model import LanguageModel
from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.model import NgramModel
from lmkit.ngram.state import NgramState
from lmkit.text.corpus import Corpus, build_corpus
from lmkit.text.settings import TextSettings
from lmkit.text.vocabulary import Vocabulary


def corpus_of(lines: Sequence[str], tokenizer: str = "whitespace", **limits: Any) -> Corpus:
    """A corpus with one sentence a line."""
    text = "".join(f"{line}\n" for line in lines).encode()
    return build_corpus([io.BytesIO(text)], TextSettings(tokenizer=tokenizer), **limits)


def held_out_corpus(lines: Sequence[str], corpus: Corpus) -> Corpus:
    """Another text in the vocabulary of ``corpus``: other words are unknown."""
    known = Vocabulary(list(corpus.vocabulary.tokens), limited=True)
    return corpus_of(lines, corpus.settings.tokenizer, base=known)


def train(
    lines: Sequence[str],
    order: int,
    smoothing: str,
    *,
    valid: Sequence[str] | None = None,
    tokenizer: str = "whitespace",
    words: Sequence[str] | None = None,
    **options: Any,
) -> NgramModel:
    """A model trained on ``lines``, as `lmkit.train` trains it; ``words`` is its vocabulary
    where that is given."""
    corpus = corpus_of(lines, tokenizer, vocabulary=words)
    held_out = None
    if valid is not None:
        held_out = held_out_corpus(valid, corpus)
    return NgramBackend.train(corpus, held_out, order=order, smoothing=smoothing, **options)


def saved_bigrams(folder: Path, lines: Sequence[str]) -> Path:
    """A model file in ``folder``, trained on ``lines`` as a text file with the defaults."""
    text = folder / "text.txt"
    text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    lmkit.train(text, output=folder / "source.lm", order=2)
    return folder / "source.lm"


def source_with_rare_words(folder: Path, text: str) -> LanguageModel:
    """Bigrams of ``text``, very often, and of some rare words that teach how such are spelt."""
    path = folder / "text.txt"
    rare = "\n".join(f"qu{a}{b}st" for a in "aeiou" for b in "bdlnrst")
    path.write_text(text * 400 + rare)
    return lmkit.train(path, order=2, settings=TextSettings(lowercase=True))


def state_after(model: NgramModel, context: Sequence[str]) -> NgramState:
    """One stream after the tokens ``context``, which stand anywhere unless they begin with
    ``<s>``."""
    state = model.empty(1)
    for token in context:
        state = model.start(1) if token == "<s>" else model.advance(state, [_id(model, token)])
    return state


def _id(model: NgramModel, token: str) -> int:
    return 0 if token == "<unk>" else model.vocabulary.id_of(token)


def distribution(model: NgramModel, context: Sequence[str]) -> dict[str, float]:
    """log p of every token but ``<s>`` after ``context``."""
    log_probs: NDArray[np.float64] = model.next_log_probs(state_after(model, context))[0]
    tokens = model.vocabulary.tokens
    return {t: float(lp) for t, lp in zip(tokens, log_probs, strict=True) if t != "<s>"}


def texts(alphabet: str = "abcde") -> st.SearchStrategy[list[str]]:
    """Small texts of short sentences, some of them empty, in which n-grams come back."""
    sentence = st.lists(st.sampled_from(alphabet), max_size=7).map(" ".join)
    return st.lists(sentence, min_size=1, max_size=9).filter(any)
