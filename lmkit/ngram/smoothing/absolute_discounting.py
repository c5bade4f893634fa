"""Absolute discounting: one discount an order, taken from every count.

Ney, Essen and Kneser 1994, "On structuring probabilistic dependences in stochastic language
modelling".
"""

from __future__ import annotations

from lmkit.ngram.smoothing.discounting import Discounting, leave_one_out_discount


class AbsoluteDiscounting(Discounting):
    """Kneser-Ney without continuation counts."""

    name = "absolute-discounting"
    levels = 1
    fallback = (0.5,)

    def estimate(self, counts_of_counts: list[int]) -> list[float] | None:
        discount = leave_one_out_discount(counts_of_counts[1], counts_of_counts[2])
        return None if discount is None else [discount]
