"""Discounting by a constant that depends on the count only: what absolute discounting,
Kneser-Ney and modified Kneser-Ney have in common.

share(h, w) = max(c - D(c), 0) / total(h),   rest(h) = sum of D(c) over the n-grams of h / total(h)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.ngram.smoothing.base import Block, Evidence, Form, Smoothing, over
from lmkit.store.facts import Rule, boolean, check, number, optional, sequence


def _numbers_or_lists(value: Any, where: str) -> None:
    """Rule for discounts that a user gave: those of all orders, or a list an order."""
    lists = isinstance(value, list) and any(isinstance(entry, list) for entry in value)
    check(value, sequence(sequence(number()) if lists else number(), 1), where)


def _discounts(levels: int) -> Rule:
    """Rule for the discounts of one order: of the counts 1 to ``levels``, none above its count."""

    def rule(value: Any, where: str) -> None:
        check(value, sequence(number(), levels, levels), where)
        for count, discount in enumerate(value, 1):
            check(discount, number(0, count), f"{where}[{count - 1}]")

    return rule


class Discounting(Smoothing):
    """``levels`` discounts an order: the last is for its count and all above.

    ``discounts`` fixes them: one list for every order, or one list an order; ``tune`` fits
    them to held-out text, beginning at the estimates.
    """

    forms = ("interpolated", "backoff")
    options = ("discounts", "tune")
    option_rules: ClassVar[Mapping[str, Rule]] = {
        "discounts": optional(_numbers_or_lists),
        "tune": boolean,
    }
    levels: int
    fallback: tuple[float, ...]

    def __init__(
        self,
        form: Form | None = None,
        discounts: Sequence[float] | Sequence[Sequence[float]] | None = None,
        tune: bool = False,
    ) -> None:
        super().__init__(form)
        self.discounts = discounts
        self.tune = tune
        self.discounts_: list[list[float]] = []

    def estimate(self, counts_of_counts: list[int]) -> list[float] | None:
        """Discounts from ``counts_of_counts[k]``, k up to ``levels + 1``; None where they are
        not determined."""
        raise NotImplementedError

    def fit(self, evidence: Evidence) -> None:
        self.discounts_ = []
        given = self._given(evidence.order)
        for order in range(1, evidence.order + 1):
            if given is not None:
                self.discounts_.append(given[order - 1])
                continue
            estimates = self.estimate(evidence.counts_of_counts(order, self.levels + 1))
            if estimates is None or not self._allowed(estimates):
                estimates = list(self.fallback)
                self.notes.append(
                    f"order {order}: the counts of counts do not determine the discounts; "
                    f"took {', '.join(f'{d:g}' for d in estimates)}"
                )
            self.discounts_.append(estimates)
        if self.tune:
            from lmkit.ngram.tuning import tune_discounts

            tune_discounts(self, evidence)

    def _given(self, order: int) -> list[list[float]] | None:
        """The discounts that the user fixed, one list an order."""
        if self.discounts is None:
            return None
        if not self.discounts:
            raise UsageError("no discounts are given", "--discount 0.75")
        first = self.discounts[0]
        lists = (
            [list(map(float, d)) for d in self.discounts]  # type: ignore[arg-type]
            if isinstance(first, Sequence)
            else [list(map(float, self.discounts))] * order  # type: ignore[arg-type]
        )
        if len(lists) < order:
            lists += [lists[-1]] * (order - len(lists))
        for values in lists[:order]:
            if len(values) != self.levels:
                raise UsageError(
                    f"{self.name} takes {self.levels} discount{'s' * (self.levels > 1)} an order, "
                    f"not {len(values)}",
                    f"--discount {','.join(f'{d:g}' for d in self.fallback)}",
                )
            for count, value in enumerate(values, 1):
                if not 0 <= value <= count or (value == count and self.form == "backoff"):
                    raise UsageError(
                        f"the discount of count {count} must lie between 0 and {count}"
                        f"{' and, in the backoff form, below' * (self.form == 'backoff')}, "
                        f"not be {value:g}",
                        f"--discount {','.join(f'{d:g}' for d in self.fallback)}",
                    )
        return lists[:order]

    def _allowed(self, discounts: list[float]) -> bool:
        """Whether the estimated ``discounts`` leave something to unseen words, and take no more
        than the counts; in the backoff form, where an n-gram has nothing but its share, less."""
        below = self.form == "backoff"
        return all(
            0 < d < count or (d == count and not below) for count, d in enumerate(discounts, 1)
        )

    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        table = np.array([0.0, *self.discounts_[block.order - 1]])
        taken = table[np.minimum(block.counts, self.levels)]
        share = over(block.counts - taken, block.spread(block.totals))
        return share, over(block.sum(taken), block.totals, 1.0)

    def parameters(self) -> dict[str, Any]:
        return {"form": self.form, "discounts": self.discounts_}

    def restore(self, parameters: dict[str, Any]) -> None:
        super().restore(parameters)
        self.discounts_ = parameters["discounts"]

    @classmethod
    def learns(cls, order: int) -> Mapping[str, Rule]:
        return {"discounts": sequence(_discounts(cls.levels), order)}

    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        values = self.discounts_[order - 1]
        discount = values[min(count, self.levels) - 1] if count else 0.0
        # Where nearly all of the count is taken off, four digits of the discount leave none of the
        # difference.
        share = discount / (count - discount) if discount < count else 1.0
        digits = 4 + max(0, math.ceil(math.log10(share))) if share > 0 else 4
        return f"({count} - {discount:.{digits}g}) / {total}"


def leave_one_out_discount(n1: int, n2: int) -> float | None:
    """D = n1 / (n1 + 2 n2) (Ney, Essen and Kneser 1994); None where it is 0, 1 or undefined."""
    return n1 / (n1 + 2 * n2) if n1 and n2 else None
