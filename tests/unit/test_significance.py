"""Paired tests over sentences: exact enumeration, known answers, and how often they are wrong."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lmkit.evaluate import significance
from lmkit.evaluate.significance import paired_bootstrap, paired_permutation


def brute_force_permutation(differences: list[float]) -> float:
    """All ways to set the signs, one by one."""
    found = abs(sum(differences))
    ways = list(itertools.product((1, -1), repeat=len(differences)))
    further = sum(
        abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= found - 1e-12
        for signs in ways
    )
    return further / len(ways)


def test_permutation_by_hand() -> None:
    # All of one sign: only ++++ and ---- sum to as much, 2 ways of 16.
    assert paired_permutation(np.array([[1.0], [2.0], [3.0], [4.0]]))[0] == 2 / 16
    # 3 - 1 = 2: of +-3 +-1 all four are at least 2 from zero.
    assert paired_permutation(np.array([[3.0], [-1.0]]))[0] == 1.0


@pytest.mark.parametrize("units", [1, 2, 5, 9, 12])
def test_small_samples_are_enumerated(units: int) -> None:
    generator = np.random.default_rng(units)
    # Integers, so that sums tie.
    differences = generator.integers(-3, 5, (units, 4)).astype(float)
    expected = [brute_force_permutation(list(column)) for column in differences.T]
    assert paired_permutation(differences).tolist() == expected


def test_random_signs_come_near_the_exact_value() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, (12, 5))
    exact = paired_permutation(differences, resamples=1 << 12)
    drawn = paired_permutation(differences, resamples=(1 << 12) - 1)
    assert np.abs(exact - drawn).max() < 4 * math.sqrt(0.25 / (1 << 12))


@pytest.mark.slow
def test_permutation_is_the_normal_distribution_in_the_long_run() -> None:
    differences = np.random.default_rng(5).normal(0, 1, (4000, 1))
    differences += 1.5 / math.sqrt(4000) - differences.mean()
    # The sum of random signs has variance sum(d^2), so z = sum(d) / sqrt(sum(d^2)).
    z = float(differences.sum() / math.sqrt((differences**2).sum()))
    expected = math.erfc(z / math.sqrt(2))
    assert paired_permutation(differences)[0] == pytest.approx(expected, abs=0.015)


def test_a_model_does_not_differ_from_itself() -> None:
    zeros = np.zeros((50, 1))
    result = paired_bootstrap(zeros, np.full(50, 7.0))
    assert (result.estimate[0], result.low[0], result.high[0]) == (0, 0, 0)
    assert result.p_value[0] == 1.0
    assert paired_permutation(zeros)[0] == 1.0


def test_bootstrap_of_two_sentences_by_hand() -> None:
    # Resamples: (0, 0), (0, 8), (8, 0), (8, 8) with ratios 0, 1/2 twice, 1: mean 8/16 = 1/2.
    result = paired_bootstrap(np.array([[0.0], [8.0]]), np.array([8.0, 8.0]))
    assert result.estimate[0] == 0.5
    assert (result.low[0], result.high[0]) == (0.0, 1.0)
    # |drawn - 1/2| >= 1/2 in half of the resamples.
    assert result.p_value[0] == pytest.approx(0.5, abs=0.02)


def test_bootstrap_has_the_width_of_the_normal_interval() -> None:
    generator = np.random.default_rng(11)
    values = generator.normal(2.0, 3.0, (1000, 1))
    result = paired_bootstrap(values, np.ones(1000))
    error = values.std() / math.sqrt(1000)
    assert result.low[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert result.high[0] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert result.p_value[0] < 0.001


def test_the_interval_of_a_ratio_knows_that_long_sentences_give_more() -> None:
    # Every sentence has exactly 3 bits a character: whatever is drawn, the ratio is 3.
    lengths = np.random.default_rng(1).integers(1, 100, 200).astype(float)
    result = paired_bootstrap(3 * lengths[:, None], lengths)
    assert result.low[0] == pytest.approx(3)
    assert result.high[0] == pytest.approx(3)


def test_both_are_wrong_as_often_as_they_say() -> None:
    """Under no difference a p-value below 0.1 comes one time in ten, and the interval misses
    zero one time in twenty."""
    generator = np.random.default_rng(17)
    differences = generator.standard_t(5, (120, 800)) * generator.uniform(1, 3, (120, 1))
    permuted = paired_permutation(differences, resamples=2000)
    bootstrapped = paired_bootstrap(differences, np.ones(120), resamples=2000)
    assert 0.07 < (permuted < 0.1).mean() < 0.13
    assert 0.07 < (bootstrapped.p_value < 0.1).mean() < 0.14
    assert 0.03 < ((bootstrapped.low > 0) | (bootstrapped.high < 0)).mean() < 0.08


def test_long_texts_are_resampled_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    values, weights = generator.normal(0.05, 1, (1000, 1)), generator.uniform(1, 2, 1000)
    whole = paired_bootstrap(values, weights)
    monkeypatch.setattr(significance, "MOST_UNITS", 300)
    runs = paired_bootstrap(values, weights)
    assert runs.estimate[0] == pytest.approx(whole.estimate[0], rel=1e-12)
    assert runs.high[0] - runs.low[0] == pytest.approx(whole.high[0] - whole.low[0], rel=0.2)
    sums, counts = significance.grouped(values, weights)
    assert sums.shape == (300, 1)
    assert counts.sum() == pytest.approx(weights.sum())


def test_the_same_seed_gives_the_same_figures() -> None:
    values = np.random.default_rng(0).normal(0.1, 1, (60, 2))
    first, second = (paired_permutation(values, seed=4) for _ in range(2))
    assert first.tolist() == second.tolist()
    one, two = (paired_bootstrap(values, np.ones(60), seed=4) for _ in range(2))
    assert one.low.tolist() == two.low.tolist()
