"""Kneser-Ney smoothing: one discount an order, continuation counts below the highest order.

Kneser and Ney 1995, "Improved backing-off for m-gram language modeling"; the interpolated form
is Chen and Goodman's (1998, section 4.1.6).
"""

from __future__ import annotations

from lmkit.ngram.smoothing.discounting import Discounting, leave_one_out_discount


class KneserNey(Discounting):
    """A lower order asks in how many contexts a word is new, not how often it is seen."""

    name = "kneser-ney"
    continuation = True
    levels = 1
    fallback = (0.5,)

    def estimate(self, counts_of_counts: list[int]) -> list[float] | None:
        discount = leave_one_out_discount(counts_of_counts[1], counts_of_counts[2])
        return None if discount is None else [discount]
