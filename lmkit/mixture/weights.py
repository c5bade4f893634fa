"""Weights of a linear mixture by expectation maximisation (Dempster, Laird and Rubin 1977; for
language models Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters").

    p(w|h) = sum over k of weight_k p_k(w|h),
    weight_k <- the mean over the held-out tokens of weight_k p_k / p

The likelihood is concave in the weights: EM climbs to its one maximum from anywhere inside. Its
steps are lengthened as in Varadhan and Roland 2008 (SQUAREM), which never goes down.

``T`` is the number of held-out tokens, ``K`` of sources, ``C`` of classes of contexts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_STEPS = 1000
TOLERANCE = 1e-9
"""Weights that a step of EM changes by less are final."""
PRIOR_TOKENS = 20.0
"""How many tokens with the weights of all contexts each class has beside its own."""
_SMALLEST = 1e-300
_LOWEST = -1e300
"""Stands for the logarithm of nothing where that would have to be subtracted."""


def em_weights(log_probs: Floats, prior: Floats | None = None, strength: float = 0.0) -> Floats:
    """Weights [K] under which the tokens, of ``log_probs`` [T, K] under the sources, are
    likeliest; with ``prior`` [K] (sums to one) as if ``strength`` more tokens had chosen so.

    A source to which ``prior`` gives nothing gets nothing.
    """
    peak = log_probs.max(axis=1, keepdims=True, initial=-np.inf)
    possible = np.isfinite(peak[:, 0])
    probs = np.exp(log_probs[possible] - peak[possible])
    count = probs.shape[1]
    start = np.full(count, 1.0 / count) if prior is None else prior
    if not len(probs):
        return start.copy()
    ascent = _Ascent(np.ascontiguousarray(probs.T), start, strength)
    return ascent.run(start.copy())


class _Ascent:
    """EM on ``probs`` [K, T]."""

    def __init__(self, probs: Floats, prior: Floats, strength: float) -> None:
        self.probs = probs
        self.prior = prior
        self.strength = strength
        self.total = probs.shape[1] + strength

    def run(self, weights: Floats) -> Floats:
        _, after = self.step(weights)
        for _ in range(MOST_STEPS):
            if np.abs(after - weights).max() < TOLERANCE:
                break
            value_after, twice = self.step(after)
            weights, after = self._lengthened(weights, after, twice, value_after)
        return after

    def step(self, weights: Floats) -> tuple[float, Floats]:
        """The objective at ``weights``, and the weights after one step of EM."""
        mixed = np.maximum(weights @ self.probs, _SMALLEST)
        value = float(np.log(mixed).sum())
        if self.strength:
            used = self.prior > 0
            value += self.strength * float(
                self.prior[used] @ np.log(np.maximum(weights[used], _SMALLEST))
            )
        new = weights * (self.probs @ (1.0 / mixed)) + self.strength * self.prior
        return value, new / new.sum()

    def _lengthened(
        self, weights: Floats, after: Floats, twice: Floats, least: float
    ) -> tuple[Floats, Floats]:
        """A point that is no worse than ``after`` with the objective ``least``, and
        the point one step behind it."""
        first, bend = after - weights, twice - 2 * after + weights
        size = float(np.sqrt(bend @ bend))
        length = float(np.sqrt(first @ first)) / size if size > 0 else 1.0
        if length > 1:
            far = weights + 2 * length * first + length * length * bend
            if (far >= 0).all() and (far[self.prior > 0] > 0).all():
                far /= far.sum()
                value, behind = self.step(far)
                if value >= least:
                    return far, behind
        _, behind = self.step(twice)
        return twice, behind


def em_weights_by_class(
    log_probs: Floats, classes: NDArray[np.integer], count: int, usable: NDArray[np.bool_]
) -> Floats:
    """Weights [C, K] of each of ``count`` classes of contexts, of which ``classes`` [T] tells
    that of each token. ``usable`` [C, K]: which sources have anything to say in a class.

    A class with few tokens leans on the weights of all: it has `PRIOR_TOKENS` of these.
    """
    everywhere = em_weights(log_probs)
    order = np.argsort(classes, kind="stable")
    bounds = np.searchsorted(classes[order], np.arange(count + 1))
    weights = np.empty((count, log_probs.shape[1]))
    for number in range(count):
        own = order[bounds[number] : bounds[number + 1]]
        prior = np.where(usable[number], np.maximum(everywhere, 1e-6), 0.0)
        prior /= prior.sum()
        weights[number] = em_weights(log_probs[own], prior, PRIOR_TOKENS)
    return weights


def mixed(log_probs: Floats, weights: Floats) -> Floats:
    """log of the sum over the sources (the last axis of ``log_probs``) of weight times
    probability; ``weights`` has the same shape, or one that fits."""
    # One source after the other: sums over an axis of two or three entries are slow.
    peak = log_probs[..., 0]
    for number in range(1, log_probs.shape[-1]):
        peak = np.maximum(peak, log_probs[..., number])
    peak = np.maximum(peak, _LOWEST)
    total = np.zeros_like(peak)
    for number in range(log_probs.shape[-1]):
        part = log_probs[..., number] - peak
        np.exp(part, out=part)
        part *= weights[..., number]
        total += part
    with np.errstate(divide="ignore"):
        np.log(total, out=total)
    total += peak
    return total


def sources_of(parts: Sequence[Floats]) -> Floats:
    """The ``parts``, arrays of one shape, side by side along a new last axis."""
    return np.moveaxis(np.stack(parts), 0, -1)
