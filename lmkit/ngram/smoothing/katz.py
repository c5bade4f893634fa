"""Katz smoothing: Good-Turing discounts for small counts, and backing off.

A count r of 1 to k keeps the part d(r) of itself; what is taken goes to words that the context
has not seen, in proportion to the order below. With n(r) the number of n-grams of count r and
r* = (r + 1) n(r + 1) / n(r),

    d(r) = (r*/r - A) / (1 - A),   A = (k + 1) n(k + 1) / n(1);   counts above k stay as they are.

Katz 1987, "Estimation of probabilities from sparse data for the language model component of a
speech recognizer"; the counts it trusts are those of the text at every order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.ngram.smoothing.base import Block, Evidence, Form, Smoothing, over
from lmkit.store.facts import Rule, integer, number, sequence

DEFAULT_MAX_COUNT = 5
"""Katz's own."""
MOST_DISCOUNTED = 1_000_000

ROUNDING = 1e-9
"""A ratio this near to 1 is 1, that no context is left a mass of rounding errors."""


class Katz(Smoothing):
    """``max_count`` is k, the largest count that is discounted.

    Where n(1) ... n(k + 1) give no ratios between 0 and 1, k is lowered at that order until
    they do, down to none. A context all of whose counts are kept whole would leave nothing to
    the words it has not seen: its total is raised by one, as SRILM does after Doug Paul, and
    that one is left to them.
    """

    name = "katz"
    forms = ("backoff",)
    options = ("max_count",)

    def __init__(self, form: Form | None = None, max_count: int = DEFAULT_MAX_COUNT) -> None:
        super().__init__(form)
        if not 0 <= max_count <= MOST_DISCOUNTED or max_count != int(max_count):
            raise UsageError(
                "the largest count to discount must be a whole number from 0 to"
                f" {MOST_DISCOUNTED:,}, not {max_count}",
                f"--max-count {DEFAULT_MAX_COUNT}",
            )
        self.max_count = int(max_count)
        self.ratios_: list[list[float]] = []
        self.events_ = 0

    @property
    def told_apart(self) -> int:
        return max(map(len, self.ratios_), default=0) + 1

    def fit(self, evidence: Evidence) -> None:
        self.events_ = evidence.events
        self.ratios_ = []
        for order in range(1, evidence.order + 1):
            counts = evidence.counts_of_counts(order, self.max_count + 1)
            ratios = good_turing_ratios(counts, self.max_count)
            if len(ratios) < self.max_count:
                kept = f"counts up to {len(ratios)} are" if ratios else "no count is"
                self.notes.append(
                    f"order {order}: the counts of counts do not determine Good-Turing discounts "
                    f"up to {self.max_count}; {kept} discounted"
                )
            self.ratios_.append(ratios)

    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ratios = np.array([0.0, *self.ratios_[block.order - 1], 1.0])
        kept = ratios[np.minimum(block.counts, len(ratios) - 1)]
        taken = block.sum((1 - kept) * block.counts)
        listed = block.sum(block.counts > 0)
        nothing = (taken <= 0) & (block.totals > 0) & (listed < block.events)
        taken[nothing] = 1.0
        totals = block.totals + nothing
        share = over(kept * block.counts, block.spread(totals))
        return share, over(taken, totals, 1.0)

    def parameters(self) -> dict[str, Any]:
        return {
            **super().parameters(),
            "max_count": self.max_count,
            "ratios": self.ratios_,
            "events": self.events_,
        }

    def restore(self, parameters: dict[str, Any]) -> None:
        super().restore(parameters)
        self.max_count = parameters["max_count"]
        self.ratios_, self.events_ = parameters["ratios"], parameters["events"]

    @classmethod
    def learns(cls, order: int) -> Mapping[str, Rule]:
        ratios = sequence(sequence(number(0, 1)), order)
        return {"max_count": integer(0, MOST_DISCOUNTED), "ratios": ratios, "events": integer(1)}

    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        ratios = self.ratios_[order - 1]
        discounted = any(size and ratio < 1 for size, ratio in zip(sizes[1:], ratios, strict=False))
        raised = not discounted and sum(sizes[1:]) < self.events_
        below = f"({total} + 1)" if raised else f"{total}"
        if 1 <= count <= len(ratios):
            return f"{ratios[count - 1]:.4g} × {count} / {below}"
        return f"{count} / {below}"


def good_turing_ratios(counts_of_counts: list[int], max_count: int) -> list[float]:
    """d(1) ... d(k) for the largest k up to ``max_count`` at which ``counts_of_counts[r]``,
    r up to k + 1, put all of them above 0 and at most at 1; none where there is no such k."""
    n = counts_of_counts
    for k in range(max_count, 0, -1):
        if not all(n[1 : k + 2]):
            continue
        common = (k + 1) * n[k + 1] / n[1]
        if common >= 1:
            continue
        ratios = [
            ((r + 1) * n[r + 1] / (r * n[r]) - common) / (1 - common) for r in range(1, k + 1)
        ]
        if all(0 < ratio < 1 + ROUNDING for ratio in ratios):
            return [1.0 if ratio > 1 - ROUNDING else ratio for ratio in ratios]
    return []
