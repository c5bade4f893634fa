"""Jelinek-Mercer smoothing: the weights that EM finds, their buckets, and where there is nothing
to learn them from. Its distributions are in test_smoothing_brute_force.py."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.ngram.counting import count_ngrams
from lmkit.ngram.estimation import CountEvidence
from lmkit.ngram.heldout import HeldOut
from lmkit.ngram.smoothing.jelinek_mercer import JelinekMercer, buckets_of

from ..reference.smoothing import JelinekMercer as Reference
from ..reference.smoothing import with_facts
from ..small_models import corpus_of, distribution, held_out_corpus, texts, train


def fitted(lines: list[str], order: int, valid: list[str] | None = None) -> JelinekMercer:
    corpus = corpus_of(lines)
    trie = count_ngrams(corpus.chunks(), order, len(corpus.vocabulary))
    held_out = None
    if valid is not None:
        held_out = HeldOut(trie, held_out_corpus(valid, corpus).chunks())
    method = JelinekMercer()
    method.fit(CountEvidence(trie, False, held_out))
    return method


def test_buckets_are_powers_of_two() -> None:
    totals = np.array([0, 1, 2, 3, 4, 7, 8, 2**40])
    assert buckets_of(totals).tolist() == [-1, 0, 1, 1, 2, 2, 3, 40]


def test_one_weight_by_hand() -> None:
    """Left out in its turn, each of the three a of "a a a b" has the relative frequency 2/4,
    b and </s> have 0; the uniform distribution gives each 1/4 (a, b, </s>, <unk>).

    The likelihood (L/2 + (1 - L)/4)^3 ((1 - L)/4)^2 is highest where 3/(1 + L) = 2/(1 - L), at
    L = 1/5. One round of EM makes 6/5 L/(1 + L) of L, so it comes nearer by a sixth each time.
    """
    method = fitted(["a a a b"], 1)
    assert method.lambdas_[0][2] == pytest.approx(1 / 5, abs=0.005)
    at_half = (3 * math.log(3 / 8) + 2 * math.log(1 / 8)) / 5
    after_one = (3 * math.log(0.4 / 2 + 0.6 / 4) + 2 * math.log(0.6 / 4)) / 5
    assert method.log_likelihoods_[:2] == pytest.approx([at_half, after_one])
    # p(a) = 1/5 * 3/5 + 4/5 * 1/4.
    found = distribution(train(["a a a b"], 1, "jelinek-mercer"), [])
    assert math.exp(found["a"]) == pytest.approx(0.12 + 0.2, abs=0.002)


def test_held_out_text_by_hand() -> None:
    """ "a b" gives a, b and </s> 1/3 each, better than the uniform 1/4, so "a a a" wants all the
    weight there is: by Laplace's rule 5/6, for its four tokens."""
    method = fitted(["a b"], 1, valid=["a a a"])
    assert method.lambdas_[0][1] == pytest.approx(5 / 6)
    assert "4 held-out tokens" in method.notes[-1]


def test_unknown_words_in_held_out_text_take_weight_from_what_was_seen() -> None:
    # Of four held-out tokens two are unknown: they want the uniform distribution's weight.
    method = fitted(["a b"], 1, valid=["x y a"])
    # (L/3 + (1 - L)/4)^2 ((1 - L)/4)^2 falls with L from the start: 2/(3 + L) < 2/(1 - L).
    assert method.lambdas_[0][1] < 0.05


@pytest.mark.slow
@settings(max_examples=30)
@given(lines=texts(), order=st.integers(1, 4), valid=texts("abcx"))
def test_learns_from_held_out_text_as_its_definition_does(
    lines: list[str], order: int, valid: list[str]
) -> None:
    method = fitted(lines, order, valid)
    rounds = len(method.log_likelihoods_) - 1
    kind = with_facts("jelinek-mercer", valid=valid, rounds=rounds)
    reference = kind(lines, order)
    assert isinstance(reference, Reference)
    assert method.log_likelihoods_ == pytest.approx(reference.log_likelihoods, abs=1e-9)
    for (n, bucket), weight in reference.lambdas.items():
        assert method.lambdas_[n - 1][bucket] == pytest.approx(weight, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=60)
@given(lines=texts(), order=st.integers(1, 4), valid=st.none() | texts("abcx"))
def test_the_likelihood_never_falls(lines: list[str], order: int, valid: list[str] | None) -> None:
    steps = np.diff(fitted(lines, order, valid).log_likelihoods_)
    assert (steps > -1e-12).all()


def test_no_other_weight_is_better(zipf_lines: list[str]) -> None:
    """Neither a little more, where Laplace's rule allows it, nor a little less of any weight
    makes the held-out text likelier."""
    train_lines, valid = zipf_lines[:400], zipf_lines[400:420]
    kind = with_facts("jelinek-mercer", valid=valid, rounds=0)
    reference = kind(train_lines, 2)
    assert isinstance(reference, Reference)
    method = fitted(train_lines, 2, valid)
    occurrences = list(reference.held_out())
    numbers = Counter((n, b) for steps in occurrences for n, (_, b) in steps.items())

    def likelihood() -> float:
        return sum(math.log(reference.mixed(steps, 2)) for steps in occurrences)

    reference.lambdas = {(n, b): method.lambdas_[n - 1][b] for n, b in reference.lambdas}
    best = likelihood()
    assert best / len(occurrences) == pytest.approx(method.log_likelihoods_[-1])
    for key, weight in dict(reference.lambdas).items():
        n = numbers[key]
        for other in (0.95 * weight, min(weight + 0.05 * (1 - weight), (n + 1) / (n + 2))):
            reference.lambdas[key] = other
            assert likelihood() < best + 0.01
        reference.lambdas[key] = weight


class TestWithoutEvidence:
    def test_buckets_take_the_weight_of_the_nearest(self) -> None:
        # <s> was seen twice, a six times, b once; the held-out text has no word after b.
        method = fitted(["a a a a a b", "a"], 2, valid=["a a"])
        weights = method.lambdas_[1]
        assert weights[0] == weights[1] == pytest.approx(2 / 3)
        assert weights[2] != weights[1]
        assert any(
            note.startswith("order 2: nothing to learn the weight from of contexts seen 1 times")
            for note in method.notes
        )

    def test_noted_only_where_a_context_needs_it(self) -> None:
        # Order 1 has one context, seen 5 times: that nothing is known of contexts seen once
        # does not matter.
        assert not [n for n in fitted(["a a a b"], 1).notes if "nothing to learn" in n]

    def test_an_order_without_any(self) -> None:
        # Each context of two was seen once: with its only occurrence left out nothing remains.
        method = fitted(["a b c d"], 3)
        assert method.lambdas_[2] == [0.5]
        assert any(note.startswith("order 3: nothing to learn") for note in method.notes)

    def test_an_empty_order(self) -> None:
        assert fitted(["a"], 5).lambdas_[4] == [0.5]


def test_a_large_text_is_sampled(zipf_lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the tokens predicts other text nearly as well as all of them."""
    lines, valid = zipf_lines[:1800], zipf_lines[1800:]
    everything = train(lines, 3, "jelinek-mercer")
    monkeypatch.setattr("lmkit.ngram.smoothing.jelinek_mercer.MOST_OCCURRENCES", 5000)
    sample = train(lines, 3, "jelinek-mercer")
    tokens = sum(len(line.split()) + 1 for line in lines)
    assert f"on {tokens} training tokens" in sample.facts["smoothing"]["notes"][-1]
    perplexities = [model.perplexity(valid).perplexity for model in (everything, sample)]
    assert perplexities[0] != perplexities[1]
    assert perplexities[1] == pytest.approx(perplexities[0], rel=0.005)


def test_explanation() -> None:
    method = JelinekMercer()
    method.restore({"form": "interpolated", "lambdas": [[0.125, 0.25, 0.75]]})
    assert method.explain(1, 2, 3, []) == "0.25 × 2 / 3"
    assert method.explain(1, 9, 90, []) == "0.75 × 9 / 90"
