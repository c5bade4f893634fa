"""Discounts tuned on held-out text: the search sees what scoring sees, and never loses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.errors import UsageError
from lmkit.ngram.building import make_smoothing
from lmkit.ngram.counting import count_ngrams
from lmkit.ngram.estimation import CountEvidence
from lmkit.ngram.heldout import HeldOut
from lmkit.ngram.model import NgramModel
from lmkit.ngram.smoothing.discounting import Discounting
from lmkit.ngram.tuning import DiscountedText

from ..small_models import corpus_of, held_out_corpus, texts, train

METHODS = ["absolute-discounting", "kneser-ney", "modified-kneser-ney"]
FORMS = ["interpolated", "backoff"]


def log_probs(model: NgramModel, lines: list[str]) -> np.ndarray:
    return model.score(model.batch(lines))[0]


def discounts_of(model: NgramModel) -> list[list[float]]:
    return model.facts["smoothing"]["parameters"]["discounts"]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=40)
@given(
    lines=texts(),
    valid=texts("abcx"),
    order=st.integers(1, 4),
    parts=st.lists(st.floats(0.05, 0.95), min_size=12, max_size=12),
)
def test_the_search_sees_what_a_trained_model_would_say(
    name: str, form: str, lines: list[str], valid: list[str], order: int, parts: list[float]
) -> None:
    corpus = corpus_of(lines)
    trie = count_ngrams(corpus.chunks(), order, len(corpus.vocabulary))
    held_out = HeldOut(trie, held_out_corpus(valid, corpus).chunks())
    method = make_smoothing(name, form=form)
    assert isinstance(method, Discounting)
    text = DiscountedText(method, CountEvidence(trie, method.continuation, held_out), held_out)
    levels = np.arange(1, method.levels + 1)
    discounts = np.array(parts)[: order * method.levels].reshape(order, -1) * levels
    model = train(lines, order, name, form=form, discounts=discounts.tolist())
    assert text.log_probs(discounts) == pytest.approx(log_probs(model, valid), abs=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=25)
@given(lines=texts(), valid=texts("abcx"), order=st.integers(1, 4))
def test_never_less_likely_than_the_estimates(
    name: str, form: str, lines: list[str], valid: list[str], order: int
) -> None:
    before = train(lines, order, name, form=form)
    after = train(lines, order, name, form=form, tune=True, valid=valid)
    gain = log_probs(after, valid).sum() - log_probs(before, valid).sum()
    assert gain >= -1e-4  # scores are float32
    for values in discounts_of(after):
        assert all(0 <= value <= count for count, value in enumerate(values, 1))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHODS)
def test_no_other_discounts_are_better(name: str, form: str, zipf_lines: list[str]) -> None:
    """Each discount a little up or down, and random ones, are no likelier than those found."""
    lines, valid = zipf_lines[:1500], zipf_lines[1500:]
    tuned = train(lines, 3, name, form=form, tune=True, valid=valid)
    best = log_probs(tuned, valid).sum()
    found = np.array(discounts_of(tuned))
    assert log_probs(train(lines, 3, name, form=form), valid).sum() < best
    highest = np.tile(np.arange(1, found.shape[1] + 1) - 0.01, (3, 1))
    generator = np.random.default_rng(2)
    others = [generator.uniform(0.01, highest) for _ in range(5)]
    for place in range(found.size):
        for difference in (-0.03, 0.03):
            moved = found.copy()
            moved.flat[place] += difference
            others.append(np.clip(moved, 0.01, highest))
    for discounts in others:
        other = train(lines, 3, name, form=form, discounts=discounts.tolist())
        assert log_probs(other, valid).sum() < best + 0.1


def test_says_what_it_gained(zipf_lines: list[str]) -> None:
    lines, valid = zipf_lines[:500], zipf_lines[500:600]
    before = train(lines, 2, "kneser-ney").perplexity(valid).perplexity
    model = train(lines, 2, "kneser-ney", tune=True, valid=valid)
    after = model.perplexity(valid).perplexity
    note = model.facts["smoothing"]["notes"][-1]
    assert f"perplexity {before:.2f} before, {after:.2f} after" in note


def test_begins_at_given_discounts_even_impossible_ones() -> None:
    """With nothing discounted a word not seen is impossible: the search leaves such a start."""
    lines, valid = ["a b a b", "a c"], ["b a x"]
    model = train(lines, 2, "kneser-ney", discounts=[0.0], tune=True, valid=valid)
    assert np.isfinite(log_probs(model, valid)).all()
    assert "perplexity inf before" in model.facts["smoothing"]["notes"][-1]
    assert math.isfinite(model.perplexity(valid).perplexity)


def test_needs_held_out_text() -> None:
    with pytest.raises(UsageError, match="held-out text") as failure:
        train(["a b"], 2, "modified-kneser-ney", tune=True)
    assert failure.value.hint is not None
    assert "--valid" in failure.value.hint
