"""Witten-Bell smoothing: a context leaves as much to words it has not seen as it has seen
different ones.

share(h, w) = c(h, w) / (c(h) + N1+(h)),   rest(h) = N1+(h) / (c(h) + N1+(h)),
where N1+(h) is the number of distinct words seen after h. Witten and Bell 1991, "The
zero-frequency problem" (method C); the interpolated form is Chen and Goodman's (1998,
section 2.6).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.ngram.smoothing.base import Block, Smoothing, over


class WittenBell(Smoothing):
    """Without parameters, and sound where counts of counts are not, as on characters."""

    name = "witten-bell"
    forms = ("interpolated", "backoff")

    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        types = block.sum(block.counts > 0)
        total = block.totals + types
        return over(block.counts, block.spread(total)), over(types, total, 1.0)

    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        return f"{count} / ({total} + {sum(sizes[1:])})"
