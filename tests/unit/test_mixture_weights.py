"""Weights of linear mixtures: by hand, against a grid, and what EM must keep to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.mixture.weights import PRIOR_TOKENS, em_weights, em_weights_by_class, mixed


def likelihood(log_probs: np.ndarray, weights: np.ndarray) -> float:
    return float(mixed(log_probs, weights).sum())


def test_one_step_by_hand() -> None:
    """Two tokens; the sources give them 1/2, 1/4 and 1/4, 1/2: by symmetry a half each. With a
    third token of 1/2 and 1/4 the likelihood (1 + x)(2 - x)(1 + x) / 64 has its maximum where
    2 (2 - x) = 1 + x, at x = 1."""
    symmetric = np.log([[0.5, 0.25], [0.25, 0.5]])
    np.testing.assert_allclose(em_weights(symmetric), [0.5, 0.5], atol=1e-8)
    three = np.log([[0.5, 0.25], [0.25, 0.5], [0.5, 0.25]])
    np.testing.assert_allclose(em_weights(three), [1.0, 0.0], atol=1e-4)
    # (1 + 3x)(4 - 3x)(1 + 3x): 6 (4 - 3x) = 3 (1 + 3x), x = 7/9
    sharper = np.log([[0.4, 0.1], [0.1, 0.4], [0.4, 0.1]])
    np.testing.assert_allclose(em_weights(sharper), [7 / 9, 2 / 9], atol=1e-7)


@given(st.integers(0, 10_000), st.floats(0.1, 6.0))
def test_two_weights_agree_with_a_grid(seed: int, spread: float) -> None:
    generator = np.random.default_rng(seed)
    log_probs = generator.normal(-5, spread, (300, 2)) + generator.normal(0, 1, 2)
    found = em_weights(log_probs)
    assert found.sum() == pytest.approx(1)
    grid = np.linspace(0, 1, 2001)[1:-1]
    probs = np.exp(log_probs - log_probs.max(axis=1, keepdims=True))
    mixtures = np.outer(probs[:, 0], grid) + np.outer(probs[:, 1], 1 - grid)
    best = grid[int(np.log(mixtures).sum(axis=0).argmax())]
    assert abs(found[0] - best) < 1e-3
    assert likelihood(log_probs, found) >= likelihood(log_probs, np.array([best, 1 - best])) - 1e-6


def test_three_weights_agree_with_a_grid() -> None:
    generator = np.random.default_rng(5)
    log_probs = generator.normal((-5.7, -6, -6.2), 1.5, (400, 3))
    found = em_weights(log_probs)
    probs = np.exp(log_probs - log_probs.max(axis=1, keepdims=True))
    best = np.full(3, 1 / 3)
    for step in (0.02, 0.002, 0.0005):
        around = np.arange(-25, 26) * step
        tried = [
            (best[0] + a, best[1] + b, 1 - best[0] - best[1] - a - b)
            for a in around
            for b in around
        ]
        kept = np.array([w for w in tried if min(w) > 0])
        best = kept[np.log(kept @ probs.T).sum(axis=1).argmax()]
    np.testing.assert_allclose(found, best, atol=1e-3)


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_no_other_weights_are_better(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    log_probs = generator.normal(-8, 2, (200, count))
    found = em_weights(log_probs)
    assert (found >= 0).all()
    best = likelihood(log_probs, found)
    for other in generator.dirichlet(np.ones(count), 20):
        assert likelihood(log_probs, other) <= best + 1e-6


def test_tokens_that_no_source_allows_say_nothing() -> None:
    log_probs = np.log([[0.4, 0.1], [0.1, 0.4], [0.4, 0.1]])
    with_more = np.concatenate((log_probs, np.full((5, 2), -np.inf)))
    np.testing.assert_allclose(em_weights(with_more), em_weights(log_probs), atol=1e-12)
    np.testing.assert_allclose(em_weights(np.zeros((0, 2))), [0.5, 0.5])
    impossible = np.array([[0.0, -np.inf], [-1.0, -np.inf]])
    np.testing.assert_allclose(em_weights(impossible), [1, 0], atol=1e-8)


def test_very_small_probabilities_do_not_vanish() -> None:
    log_probs = np.log([[0.4, 0.1], [0.1, 0.4], [0.4, 0.1]])
    np.testing.assert_allclose(em_weights(log_probs - 5000), em_weights(log_probs), atol=1e-9)
    np.testing.assert_allclose(
        mixed(log_probs - 5000, np.array([0.5, 0.5])), mixed(log_probs, np.array([0.5, 0.5])) - 5000
    )


class TestByClass:
    def test_each_class_has_its_own(self) -> None:
        generator = np.random.default_rng(0)
        log_probs = generator.normal(-5, 1, (20_000, 2))
        classes = np.repeat([0, 1], 10_000)
        log_probs[:10_000, 0] += 0.5
        log_probs[10_000:, 1] += 0.5
        found = em_weights_by_class(log_probs, classes, 2, np.ones((2, 2), bool))
        for number in (0, 1):
            alone = em_weights(log_probs[classes == number])
            np.testing.assert_allclose(found[number], alone, atol=5e-3)

    def test_a_small_class_leans_on_all(self) -> None:
        generator = np.random.default_rng(1)
        log_probs = generator.normal((-4.5, -5), 1, (5000, 2))
        classes = np.zeros(5000, np.int64)
        classes[0] = 1
        found = em_weights_by_class(log_probs, classes, 3, np.ones((3, 2), bool))
        everywhere = em_weights(log_probs)
        np.testing.assert_allclose(found[2], everywhere, atol=1e-6)
        posterior = everywhere * np.exp(log_probs[0] - log_probs[0].max())
        posterior /= posterior.sum()
        # One token of its own among PRIOR_TOKENS of the others can move it so far and no further.
        assert np.abs(found[1] - everywhere).max() <= 1 / PRIOR_TOKENS

    def test_what_has_nothing_to_say_gets_nothing(self) -> None:
        generator = np.random.default_rng(2)
        log_probs = generator.normal(-5, 1, (1000, 3))
        classes = np.arange(1000) % 2
        log_probs[classes == 1, 2] = -np.inf
        usable = np.array([[True, True, True], [True, True, False]])
        found = em_weights_by_class(log_probs, classes, 2, usable)
        assert found[1, 2] == 0
        np.testing.assert_allclose(found.sum(axis=1), 1)
