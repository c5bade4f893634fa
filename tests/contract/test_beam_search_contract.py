"""Beam search with every kind of model, through nothing but the interface, and what a search may
leave out with."""

from __future__ import annotations

import numpy as np
import pytest

from lmkit.model import EOS, UNK, Batch, LanguageModel
from lmkit.neural.use.model import NeuralModel
from lmkit.neural.use.quick import is_slow

from .models import MODELS, tolerance

CHOSEN = [name for name in MODELS if not name.startswith("ngram") or name.endswith((" 3", "s"))]
"""One order of each smoothing method; the others differ in nothing that a search sees."""


@pytest.fixture(scope="module", params=CHOSEN)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return MODELS[request.param]()


def test_two_tokens_are_the_best_two(model: LanguageModel) -> None:
    """All texts of a token and ``</s>``, or of two tokens, or of ``</s>`` alone."""
    size = len(model.vocabulary)
    state = model.start(1)
    first = model.next_log_probs(state)[0]
    first[UNK] = -np.inf
    going = np.array([token for token in range(size) if np.isfinite(first[token]) and token != EOS])
    second = model.next_log_probs(model.advance(state.select([0] * len(going)), going))
    second[:, UNK] = -np.inf
    everything = np.append((first[going, None] + second).reshape(-1), first[EOS])
    expected = np.sort(everything[np.isfinite(everything)])[::-1][:4]
    found = model.beam_search(4, beam=size, max_tokens=2)
    assert [sentence.log_probability for sentence in found] == pytest.approx(
        expected.tolist(), abs=10 * tolerance(model)
    )


def test_what_is_found_costs_what_scoring_says(model: LanguageModel) -> None:
    found = model.beam_search(3, beam=8, max_tokens=10, length_penalty=0.5)
    assert len({sentence.ids for sentence in found}) == 3
    for sentence in found:
        assert UNK not in sentence.ids
        ids = np.array(sentence.ids, np.int32)
        log_probs, _ = model.score(Batch(ids, np.array([0, len(ids)])))
        assert log_probs.sum() == pytest.approx(sentence.log_probability, abs=10 * tolerance(model))
        assert sentence.score == pytest.approx(sentence.log_probability / len(ids) ** 0.5)
    scores = [sentence.score for sentence in found]
    assert scores == sorted(scores, reverse=True)
    assert found == model.beam_search(3, beam=8, max_tokens=10, length_penalty=0.5)


def test_the_coarse_model_has_the_same_tokens(model: LanguageModel) -> None:
    coarse = model.coarse
    assert list(coarse.vocabulary.tokens) == list(model.vocabulary.tokens)
    tokens = np.random.default_rng(1).integers(3, len(model.vocabulary), 6)
    log_probs = coarse.next_log_probs(coarse.advance(coarse.start(6), tokens))
    assert log_probs.shape == (6, len(model.vocabulary))
    if coarse is not model:
        assert coarse.start(1).keys() is not None
        # It is part of the model: what it knows well is possible to the whole.
        known = np.isfinite(log_probs)
        assert np.isfinite(model.next_log_probs(model.advance(model.start(6), tokens))[known]).all()


def test_the_quick_model_is_near_the_model(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of networks with so few words as if these were many."""
    monkeypatch.setattr("lmkit.neural.use.quick.HEAD", 3)
    parts = [member.model for member in getattr(model, "members", ())]
    networks = [one for one in (model, *parts) if isinstance(one, NeuralModel)]
    for network in networks:
        # What is made here is not for other tests.
        monkeypatch.setitem(network.__dict__, "quick", None)
        del network.__dict__["quick"]
    quick = model.quick
    if networks and getattr(model, "product", None) is None:
        assert (quick is not model) == any(is_slow(one.network.softmax) for one in networks)
    assert quick.backend == model.backend
    assert list(quick.vocabulary.tokens) == list(model.vocabulary.tokens)
    tokens = np.random.default_rng(2).integers(3, len(model.vocabulary), (6, 4))
    state = quick.advance(quick.start(6), tokens[:, 0])
    expected = model.log_probs_of(model.advance(model.start(6), tokens[:, 0]), tokens)
    np.testing.assert_allclose(quick.log_probs_of(state, tokens), expected, atol=0.5)
