"""Drawing the next token from a distribution: temperature, top-k, top-p, greedy.

Works on any model's ``next_log_probs``, a batch of rows at a time.
Top-k: Fan, Lewis and Dauphin 2018. Top-p (nucleus): Holtzman et al. 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw. The defaults draw from the model's own distribution.

    The filters apply in this order: ``temperature``, then ``top_k``, then
    ``top_p``; ``greedy`` takes the likeliest token and ignores the others.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    greedy: bool = False

    def __post_init__(self) -> None:
        if not self.temperature > 0 or not np.isfinite(self.temperature):
            raise UsageError(
                f"temperature must be a number above 0, not {self.temperature}",
                "--greedy for the likeliest token each time",
            )
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top-k must be at least 1, not {self.top_k}", "--top-k 40")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(
                f"top-p must be above 0 and at most 1, not {self.top_p}", "--top-p 0.9"
            )

    @property
    def plain(self) -> bool:
        """True where the draw follows the model's distribution unchanged."""
        return (
            not self.greedy
            and self.temperature == 1.0
            and self.top_k is None
            and self.top_p is None
        )


def draw(
    log_probs: NDArray[np.floating], how: Sampling, generator: np.random.Generator
) -> NDArray[np.int64]:
    """One token id a row of ``log_probs`` [B, V] (natural log; -inf is never drawn)."""
    if how.greedy:
        return log_probs.argmax(axis=1)
    scaled = log_probs.astype(np.float64)
    scaled -= scaled.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # what a temperature near 0 makes impossible
        scaled /= how.temperature
    if how.top_k is not None and how.top_k < scaled.shape[1]:
        kth = np.partition(scaled, -how.top_k, axis=1)[:, -how.top_k, None]
        scaled[scaled < kth] = -np.inf
    weights = np.exp(scaled)
    if how.top_p is not None and how.top_p < 1:
        _keep_nucleus(weights, how.top_p)
    cumulative = weights.cumsum(axis=1)
    points = generator.random(len(weights)) * cumulative[:, -1]
    # Counting the entries at or below the point never lands on a zero weight.
    chosen = (cumulative <= points[:, None]).sum(axis=1)
    return np.minimum(chosen, weights.shape[1] - 1)


def _keep_nucleus(weights: NDArray[np.float64], top_p: float) -> None:
    """Zero, in place, all but the fewest tokens of each row that hold ``top_p`` of its mass."""
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=1)
    before = ranked.cumsum(axis=1) - ranked
    ranked[before >= top_p * ranked.sum(axis=1, keepdims=True)] = 0.0
    np.put_along_axis(weights, order, ranked, axis=1)
