"""The smoothing methods against NLTK's, where the two mean the same.

NLTK counts whatever n-grams it is given; here it gets those of sentences with one ``<s>`` before
and one ``</s>`` behind them, as lmkit counts. Two differences remain, and are stepped around:

- The interpolated methods end at the unigrams there, unsmoothed; lmkit goes on to the uniform
  distribution, so that a word never seen has a probability. NLTK is given lmkit's unigrams, and
  its own are compared with what lmkit's were before the last step.
- Kneser-Ney there counts left contexts for n-grams that begin with ``<s>`` as well, which have
  none, divides by their number, and sums to more than one; lmkit keeps the plain counts of those,
  as Kneser-Ney with sentence boundaries is commonly done. Contexts with ``<s>`` are left out.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lmkit.ngram.model import NgramModel

from ..small_models import distribution, train

ORDERS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def lines(zipf_lines: list[str]) -> list[str]:
    return zipf_lines[:150]


def fitted(model: Any, lines: list[str]) -> Any:
    """An NLTK model with the counts of ``lines``."""
    sentences = [["<s>", *line.split(), "</s>"] for line in lines]
    model.vocab.update(token for sentence in sentences for token in sentence[1:])
    model.counts.update(
        [
            tuple(tokens[end - n : end])
            for n in range(1, model.order + 1)
            for end in range(max(n, 2), len(tokens) + 1)
        ]
        for tokens in sentences
    )
    return model


def contexts(lines: list[str], order: int, beginnings: bool = True) -> list[tuple[str, ...]]:
    """Some that were seen, of every length, and some that were not."""
    generator = np.random.default_rng(order)
    chosen = [(), ("w0",)[: order - 1], ("w1", "w0", "w0")[: order - 1]]
    for line in generator.choice([x for x in lines if len(x.split()) > 3], 25):
        tokens = line.split()
        end = int(generator.integers(1, len(tokens)))
        length = int(generator.integers(0, order))
        chosen.append(tuple(tokens[max(end - length, 0) : end]))
        chosen.append(tuple(reversed(tokens[max(end - length, 0) : end])))
        if beginnings and order > 1:
            chosen.append(("<s>", *tokens[: int(generator.integers(0, order - 1))]))
    return chosen


def unigrams_of(model: NgramModel) -> dict[str, float]:
    return {token: math.exp(log_prob) for token, log_prob in distribution(model, ()).items()}


def same(ours: NgramModel, theirs: Any, histories: list[tuple[str, ...]], seen: bool) -> None:
    """Equal probabilities; with ``seen`` only of words that stand in the text."""
    for history in histories:
        for token, log_prob in distribution(ours, history).items():
            if seen and token == "<unk>":
                continue
            expected = theirs.unmasked_score(token, history)
            assert math.exp(log_prob) == pytest.approx(expected, rel=2e-5), (history, token)


@pytest.mark.parametrize("order", ORDERS)
class TestNltk:
    def test_maximum_likelihood(self, nltk_lm: ModuleType, lines: list[str], order: int) -> None:
        """After a context never seen NLTK gives every word 0; lmkit shortens the context."""
        theirs = fitted(nltk_lm.MLE(order), lines)
        seen = [h for h in contexts(lines, order) if not h or theirs.context_counts(h)]
        assert len(seen) > 25
        same(train(lines, order, "maximum-likelihood"), theirs, seen, seen=False)

    @pytest.mark.parametrize("k", [0.05, 1.0])
    def test_lidstone(self, nltk_lm: ModuleType, lines: list[str], order: int, k: float) -> None:
        """Contexts shorter than order - 1 are contexts of a lower order there too."""
        theirs = fitted(nltk_lm.Lidstone(k, order), lines)
        same(train(lines, order, "lidstone", k=k), theirs, contexts(lines, order), seen=False)

    def test_laplace(self, nltk_lm: ModuleType, lines: list[str], order: int) -> None:
        theirs = fitted(nltk_lm.Laplace(order), lines)
        same(train(lines, order, "laplace"), theirs, contexts(lines, order), seen=False)

    def test_stupid_backoff(self, nltk_lm: ModuleType, lines: list[str], order: int) -> None:
        """A word never seen has the score 0 there, and the weight times one in V here."""
        theirs = fitted(nltk_lm.StupidBackoff(0.35, order), lines)
        ours = train(lines, order, "stupid-backoff", weight=0.35)
        same(ours, theirs, contexts(lines, order), seen=True)

    def test_witten_bell(self, nltk_lm: ModuleType, lines: list[str], order: int) -> None:
        theirs = fitted(nltk_lm.WittenBellInterpolated(order), lines)
        ours = train(lines, order, "witten-bell")
        unigrams = unigrams_of(ours)
        total = sum(theirs.counts.unigrams.values())
        types = len(theirs.counts.unigrams)
        for token, probability in unigrams.items():
            kept = theirs.estimator.unigram_score(token) * total / (total + types)
            rest = types / (total + types) / len(unigrams)
            assert probability == pytest.approx(kept + rest, rel=1e-5)
        theirs.estimator.unigram_score = unigrams.__getitem__
        same(ours, theirs, contexts(lines, order), seen=False)

    @pytest.mark.parametrize("discount", [0.3, 0.75])
    def test_absolute_discounting(
        self, nltk_lm: ModuleType, lines: list[str], order: int, discount: float
    ) -> None:
        theirs = fitted(nltk_lm.AbsoluteDiscountingInterpolated(order, discount), lines)
        ours = train(lines, order, "absolute-discounting", discounts=[discount])
        unigrams = unigrams_of(ours)
        total = sum(theirs.counts.unigrams.values())
        rest = discount * len(theirs.counts.unigrams) / total / len(unigrams)
        for token, probability in unigrams.items():
            kept = max(theirs.counts.unigrams[token] - discount, 0) / total
            assert probability == pytest.approx(kept + rest, rel=1e-5)
        theirs.estimator.unigram_score = unigrams.__getitem__
        same(ours, theirs, contexts(lines, order), seen=False)


@pytest.mark.parametrize("order", ORDERS[1:])
@pytest.mark.parametrize("discount", [0.1, 0.75])
def test_kneser_ney(nltk_lm: ModuleType, lines: list[str], order: int, discount: float) -> None:
    theirs = fitted(nltk_lm.KneserNeyInterpolated(order, discount), lines)
    ours = train(lines, order, "kneser-ney", discounts=[discount])
    unigrams = unigrams_of(ours)
    _, total = theirs.estimator._continuation_counts("w0")
    rest = discount * len(theirs.counts.unigrams) / total / len(unigrams)
    for token in ("w0", "w1", "w5", "</s>", "<unk>"):
        score = theirs.estimator.unigram_score(token)
        assert unigrams[token] == pytest.approx(max(score - discount / total, 0) + rest)
    theirs.estimator.unigram_score = unigrams.__getitem__
    # Each of NLTK's scores goes through all n-grams: a few histories and words have to do.
    for history in contexts(lines, order, beginnings=False)[:20]:
        found = distribution(ours, history)
        words = [*list(found)[:: max(len(found) // 15, 1)], "</s>", "w0", "w1"]
        for token in words:
            expected = theirs.unmasked_score(token, history)
            assert math.exp(found[token]) == pytest.approx(expected, rel=2e-5)
