"""Discounts that make held-out text likeliest, for the methods that discount by constants.

The probabilities of all held-out tokens are a few array operations away from the discounts, so
the search asks for them directly; nothing is estimated anew. The search is Newton's with the
sum of outer products of the tokens' gradients in place of the Hessian (Berndt, Hall, Hall and
Hausman 1974), damped as by Levenberg and Marquardt; a step is taken only if it helps.
Chen and Goodman 1998, section 3.3, fit discounts so, by Powell's search.

``T`` is the number of held-out tokens, ``P`` of discounts: ``levels`` an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.ngram.smoothing.base import NOTHING_LEFT, Evidence, over

if TYPE_CHECKING:
    from lmkit.ngram.heldout import Occurrences
    from lmkit.ngram.smoothing.discounting import Discounting

MARGIN = 0.01
"""The search keeps this far from discounts that leave nothing, to a context or to an n-gram."""

MOST_ROUNDS = 30
ENOUGH = 1e-6
"""The search ends when the slope promises less than this to the mean log-likelihood of a token."""

DIFFERENCE = 1e-4
LARGEST_DAMPING = 1e6


def tune_discounts(method: Discounting, evidence: Evidence) -> None:
    """Fit ``method.discounts_``, as they are, to the held-out text of ``evidence``.

    What comes out is never less likely on that text than what went in. Notes the perplexity
    before and after. Raises `UsageError` without held-out text.
    """
    occurrences = evidence.held_out()
    if occurrences is None or not len(occurrences):
        raise UsageError("discounts are tuned on held-out text, and there is none", "--valid FILE")
    text = DiscountedText(method, evidence, occurrences)
    start = np.array(method.discounts_)
    tuned = _search(text, start)
    before, after = (float(np.exp(-text.log_probs(values).mean())) for values in (start, tuned))
    method.discounts_ = tuned.tolist()
    method.notes.append(
        f"discounts tuned on {len(occurrences)} held-out tokens: perplexity {before:.2f} before, "
        f"{after:.2f} after"
    )


@dataclass(slots=True)
class _Order:
    """What decides the probability of each held-out token [T] at one order.

    ``counts`` of the n-gram (0: not listed), and ``levels`` [T], the index of their discount;
    ``part``: one over the total of its context (0 without context) and ``unknown``: whether
    there is none (1 or 0); ``sizes`` [levels, T]: how many n-grams of the context have count 1,
    2, ... and the last level's or more. For the backoff form also ``lower_counts`` and
    ``lower_sizes`` [levels, T]: the total and sizes of the context's n-grams without their first
    tokens, as they are counted one order below.
    """

    counts: NDArray[np.float64]
    levels: NDArray[np.int64]
    part: NDArray[np.float64]
    unknown: NDArray[np.float64]
    sizes: NDArray[np.float64]
    lower_counts: NDArray[np.float64]
    lower_sizes: NDArray[np.float64]


@dataclass(slots=True)
class _Reached:
    """Probability [T] of the tokens up to some order, and by how much the shares of their
    contexts there are raised, for those contexts have no unlisted token to leave a rest to."""

    probability: NDArray[np.float64]
    scale: NDArray[np.float64]


class DiscountedText:
    """A held-out text whose probability under ``method`` is asked for any discounts."""

    def __init__(self, method: Discounting, evidence: Evidence, occurrences: Occurrences) -> None:
        self.levels = method.levels
        self.size = len(occurrences)
        self._step = self._interpolate if method.form == "interpolated" else self._back_off
        self._beginning = _Reached(np.full(self.size, 1 / evidence.events), np.ones(self.size))
        self._orders: list[_Order] = []
        lower = np.empty(0, np.int64)
        for order in range(1, evidence.order + 1):
            counts = np.asarray(evidence.counts(order))
            self._orders.append(
                self._order(evidence, occurrences, order, counts, lower, method.form == "backoff")
            )
            lower = counts

    def _order(
        self,
        evidence: Evidence,
        occurrences: Occurrences,
        order: int,
        counts: NDArray[np.int64],
        lower: NDArray[np.int64],
        backoff: bool,
    ) -> _Order:
        def of_contexts(values: NDArray[np.int64]) -> NDArray[np.float64]:
            sums = evidence.context_sums(order, values)
            return occurrences.of_contexts(order, sums).astype(np.float64)

        def by_level(values: NDArray[np.int64]) -> NDArray[np.float64]:
            capped = np.minimum(values, self.levels)
            return np.array([of_contexts(capped == k) for k in range(1, self.levels + 1)])

        here = occurrences.of_ngrams(order, counts).astype(np.int64)
        totals, sizes = of_contexts(counts), by_level(counts)
        lower_counts, lower_sizes = np.empty(0), np.empty((self.levels, 0))
        if backoff and order == 1:
            # Below stands the uniform distribution: an equal part of one each.
            lower_counts, lower_sizes = sizes.sum(axis=0) / evidence.events, np.zeros_like(sizes)
        elif backoff:
            below = lower[evidence.trie[order].suffix.array()]
            lower_counts, lower_sizes = of_contexts(below), by_level(below)
        return _Order(
            here.astype(np.float64),
            np.minimum(here, self.levels),
            over(np.ones(self.size), totals),
            (totals == 0).astype(np.float64),
            sizes,
            lower_counts,
            lower_sizes,
        )

    def log_probs(self, discounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """log p [T] of the held-out tokens under ``discounts`` [orders, levels]."""
        return self._finish(discounts, 0, self._beginning)

    def gradients(self, discounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much each token's log-probability grows with each discount: [P, T]."""
        base = self.log_probs(discounts)
        gradients = np.empty((discounts.size, self.size))
        reached = self._beginning
        for place in range(len(discounts)):
            for level in range(self.levels):
                moved = discounts.copy()
                moved[place, level] -= DIFFERENCE
                difference = base - self._finish(moved, place, reached)
                gradients[place * self.levels + level] = difference / DIFFERENCE
            reached = self._step(place, discounts, reached)
        return gradients

    def _finish(
        self, discounts: NDArray[np.float64], place: int, reached: _Reached
    ) -> NDArray[np.float64]:
        """log p [T], from what is ``reached`` below the order at ``place``."""
        for above in range(place, len(self._orders)):
            reached = self._step(above, discounts, reached)
        with np.errstate(divide="ignore"):
            return np.log(reached.probability)

    def _parts(
        self, place: int, discounts: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The share [T] of each token's n-gram, and the rest [T] of its context."""
        here = self._orders[place]
        taken = np.append(0.0, discounts[place])[here.levels]
        rest = (discounts[place] @ here.sizes) * here.part + here.unknown
        return (here.counts - taken) * here.part, rest

    def _interpolate(self, place: int, discounts: NDArray[np.float64], below: _Reached) -> _Reached:
        share, rest = self._parts(place, discounts)
        return _Reached(share + rest * below.probability, below.scale)

    def _back_off(self, place: int, discounts: NDArray[np.float64], below: _Reached) -> _Reached:
        share, rest = self._parts(place, discounts)
        here = self._orders[place]
        listed = here.lower_counts
        if place > 0:
            listed = listed - discounts[place - 1] @ here.lower_sizes
            listed *= below.scale * self._orders[place - 1].part
        left = 1 - listed
        full = left < NOTHING_LEFT
        scale = np.ones(self.size)
        if full.any():
            left[full] = 1.0
            scale[full] = over(np.ones(self.size), 1 - rest)[full]
            rest = np.where(full, 0.0, rest)
        unlisted = rest / left * below.probability
        return _Reached(np.where(here.counts > 0, share * scale, unlisted), scale)


def _search(text: DiscountedText, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Discounts from ``start`` [orders, levels] on that are likelier than those, if there are."""
    lowest = np.full(start.shape, MARGIN)
    highest = np.tile(np.arange(1.0, text.levels + 1) - MARGIN, (len(start), 1))
    here, best = start, float(text.log_probs(start).sum())
    if not np.isfinite(best):
        here = np.clip(start, lowest, highest)
        best = float(text.log_probs(here).sum())
    damping = 1e-3
    for _ in range(MOST_ROUNDS):
        gradients = text.gradients(here)
        slope = gradients.sum(axis=1)
        # A discount at its bound stays there while the slope points outside.
        free = ~((here <= lowest).ravel() & (slope < 0)) & ~(
            (here >= highest).ravel() & (slope > 0)
        )
        slope, products = slope[free], gradients[free] @ gradients[free].T
        scale = np.diag(np.maximum(np.diag(products), 1e-9))
        reached = best
        while damping < LARGEST_DAMPING and reached <= best:
            step = np.zeros(here.size)
            step[free] = np.linalg.solve(products + damping * scale, slope)
            if slope @ step[free] < ENOUGH * text.size:
                return here
            trial = np.clip(here + step.reshape(here.shape), lowest, highest)
            reached = float(text.log_probs(trial).sum())
            damping = damping / 10 if reached > best else damping * 10
        if not reached > best:
            break
        here, best = trial, reached
    return here
