"""N-gram models in plain Python dictionaries, to compare the real ones with."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from lmkit.model import BOS, EOS
from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import Trie
from lmkit.text.corpus import Corpus, build_corpus
from lmkit.text.settings import TextSettings

Ngram = tuple[int, ...]
WHITESPACE = TextSettings(tokenizer="whitespace")


def corpus_of(lines: Iterable[str], settings: TextSettings = WHITESPACE, **how: Any) -> Corpus:
    text = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    return build_corpus(text, settings, **how)


def train(lines: Iterable[str], order: int, smoothing: str, **options: Any) -> NgramModel:
    return NgramBackend.train(corpus_of(lines), order=order, smoothing=smoothing, **options)


def ngrams_of(trie: Trie, order: int) -> list[Ngram]:
    """The n-grams of ``order`` as tuples of ids, by row."""
    if order == 1:
        return [(i,) for i in range(trie[1].size)]
    first, token = trie[order - 1].first_child, trie[order].token
    assert first is not None and token is not None
    bounds, tokens = first.array().tolist(), token.array().tolist()
    return [
        (*context, tokens[row])
        for number, context in enumerate(ngrams_of(trie, order - 1))
        for row in range(bounds[number], bounds[number + 1])
    ]


def column_of(trie: Trie, order: int, name: str) -> list[Any]:
    column = getattr(trie[order], name)
    assert column is not None
    return column.array().tolist()


def counted(sentences: Iterable[Sequence[int]], order: int) -> Counter[Ngram]:
    """How often each n-gram of ``order`` stands in ``sentences``, lists of ids."""
    counts: Counter[Ngram] = Counter()
    for sentence in sentences:
        ids = (BOS, *sentence, EOS)
        counts.update(ids[i : i + order] for i in range(len(ids) - order + 1))
    return counts


class DictModel:
    """p(w|h) by the definition of backing off, one n-gram after the other."""

    def __init__(self, model: NgramModel) -> None:
        trie = model.trie
        self.order = trie.order
        self.words = [w for w in range(trie[1].size) if w != BOS]
        self.probs: dict[Ngram, float] = {}
        self.weights: dict[Ngram, float] = {}
        for order in range(1, trie.order + 1):
            ngrams = ngrams_of(trie, order)
            for ngram, value in zip(ngrams, column_of(trie, order, "log_prob"), strict=True):
                self.probs[ngram] = math.exp(value)
            if order < trie.order:
                weights = column_of(trie, order, "log_backoff")
                self.weights |= zip(ngrams, map(math.exp, weights), strict=True)

    def prob(self, context: Ngram, word: int) -> float:
        if (*context, word) in self.probs:
            return self.probs[*context, word]
        return self.weights.get(context, 1.0) * self.prob(context[1:], word)

    def distribution(self, context: Ngram) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([self.prob(context, word) for word in self.words])

    def unlisted(self, context: Ngram) -> float:
        """How much of p(.|h') lies on the words that ``context`` h does not list."""
        return sum(
            self.prob(context[1:], word)
            for word in self.words
            if (*context, word) not in self.probs
        )

    def contexts(self) -> Iterator[Ngram]:
        """The empty context and all that the model has a weight for."""
        yield ()
        yield from self.weights

    def history(self, context: Ngram) -> float:
        """p(h) as the product of the model's own probabilities; sentences begin as often as
        they end."""
        product = 1.0
        for place, word in enumerate(context):
            event = EOS if word == BOS else word
            product *= self.prob(context[:place], event)
        return product

    def cost_of_losing(self, ngram: Ngram, history: float) -> float:
        """Take ``ngram`` out, give its context a weight with which the distribution has the sum
        it had, and compare the two distributions token by token."""
        context, kept = ngram[:-1], self.probs[ngram]
        before = self.distribution(context)
        weight = self.weights[context]
        del self.probs[ngram]
        listed = np.array([(*context, word) in self.probs for word in self.words])
        below = np.array([self.prob(context[1:], word) for word in self.words])
        self.weights[context] = (before.sum() - before[listed].sum()) / below[~listed].sum()
        after = self.distribution(context)
        self.probs[ngram], self.weights[context] = kept, weight
        some = before > 0
        return history * float((before[some] * np.log(before[some] / after[some])).sum())
