"""Modified Kneser-Ney smoothing: three discounts an order, continuation counts below the
highest order.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling",
section 4.1.6 and equation 26: with n_k the number of n-grams of count k,
Y = n1 / (n1 + 2 n2),  D1 = 1 - 2 Y n2/n1,  D2 = 2 - 3 Y n3/n2,  D3+ = 3 - 4 Y n4/n3.
"""

from __future__ import annotations

from lmkit.ngram.smoothing.discounting import Discounting


class ModifiedKneserNey(Discounting):
    """The default: the best n-gram smoothing on most texts."""

    name = "modified-kneser-ney"
    continuation = True
    levels = 3
    fallback = (0.5, 1.0, 1.5)
    """What KenLM falls back on where the counts of counts do not determine the discounts."""

    def estimate(self, counts_of_counts: list[int]) -> list[float] | None:
        n = counts_of_counts
        if not (n[1] and n[2] and n[3]):
            return None
        y = n[1] / (n[1] + 2 * n[2])
        return [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
