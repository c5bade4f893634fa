"""Whether two models differ, or the test text only happens to suit one of them.

Paired tests over sentences: Koehn 2004, "Statistical significance tests for machine translation
evaluation" (bootstrap); Noreen 1989, "Computer-intensive methods for testing hypotheses"
(permutation, also called approximate randomisation). ``S`` is the number of sentences, ``M`` of
models that are compared with one and the same other, ``R`` of resamples. All models share the
resamples, so that their figures can be set beside each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 10_000
MOST_UNITS = 10_000
"""Longer texts are resampled in runs of neighbouring sentences, of which there are so many."""
_CELLS = 4_000_000
"""How many draws are held in memory at once."""
_TOLERANCE = 1e-9
"""What rounding may do to a sum, of the sum of its absolute terms."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Ratios ``estimate`` [M] with the ``low`` [M] and ``high`` [M] ends of their 95 % intervals,
    and the two-sided ``p_value`` [M] of each being zero."""

    estimate: Array
    low: Array
    high: Array
    p_value: Array


def paired_bootstrap(
    values: Array, weights: Array, *, resamples: int = RESAMPLES, seed: int = 0
) -> Intervals:
    """Intervals of sum(values) / sum(weights) when sentences are drawn anew with replacement.

    ``values`` [S, M] are what each sentence gives (differences in bits, say), ``weights`` [S] what
    it counts (its characters). The interval is that of the percentiles. The p-value is how often
    the ratio of a resample lies as far from the ratio found as that one lies from zero, with the
    one found counted in: (k + 1) / (R + 1).
    """
    values, weights = grouped(values, weights)
    estimate = values.sum(axis=0) / weights.sum()
    drawn = np.concatenate(
        [
            (counts @ values) / (counts @ weights)[:, None]
            for counts in _resampled(len(weights), resamples, seed)
        ]
    )
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    slack = _TOLERANCE * np.abs(values).sum(axis=0) / weights.sum()
    further = np.abs(drawn - estimate) >= np.abs(estimate) - slack
    return Intervals(estimate, low, high, (further.sum(axis=0) + 1) / (resamples + 1))


def paired_permutation(differences: Array, *, resamples: int = RESAMPLES, seed: int = 0) -> Array:
    """Two-sided p-values [M] of ``differences`` [S, M] between two models, sentence by sentence.

    If the models were equally good, each difference could as well have the other sign. The p-value
    is how often random signs give a sum at least as far from zero. Where there are no more than
    ``resamples`` ways to set the signs all of them are gone through, and the p-value is exact.
    """
    differences, _ = grouped(differences, np.ones(len(differences)))
    units = len(differences)
    found = np.abs(differences.sum(axis=0))
    found = found - _TOLERANCE * np.abs(differences).sum(axis=0)
    exact = units < 40 and 1 << units <= resamples
    further = np.zeros(differences.shape[1])
    for signs in _all_signs(units) if exact else _random_signs(units, resamples, seed):
        further += (np.abs(signs @ differences) >= found).sum(axis=0)
    return further / (1 << units) if exact else (further + 1) / (resamples + 1)


def grouped(values: Array, weights: Array) -> tuple[Array, Array]:
    """``values`` [S, M] and ``weights`` [S] summed over runs of neighbouring sentences, where
    there are more than `MOST_UNITS`; in long texts that also respects that neighbours are alike."""
    if len(weights) <= MOST_UNITS:
        return values, weights
    starts = np.arange(MOST_UNITS) * len(weights) // MOST_UNITS
    return np.add.reduceat(values, starts, axis=0), np.add.reduceat(weights, starts)


def _resampled(units: int, resamples: int, seed: int) -> Iterator[Array]:
    """How often each unit was drawn [r, units], in stretches of r resamples."""
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS // units)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, units, (rows, units))
        drawn += np.arange(rows)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=rows * units)
        yield counts.reshape(rows, units).astype(np.float64)


def _random_signs(units: int, resamples: int, seed: int) -> Iterator[Array]:
    generator = np.random.default_rng(seed)
    step = max(1, _CELLS // units)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = np.frombuffer(generator.bytes((rows * units + 7) // 8), np.uint8)
        yield _signs(np.unpackbits(drawn, count=rows * units).reshape(rows, units))


def _all_signs(units: int) -> Iterator[Array]:
    numbers = np.arange(1 << units)
    yield _signs(numbers[:, None] >> np.arange(units) & 1)


def _signs(bits: NDArray[np.integer]) -> Array:
    return 1.0 - 2.0 * bits.astype(np.float64)
