"""Maximum likelihood: relative frequencies, unsmoothed.

p(w|h) = c(h, w) / c(h). A word that never followed a context that did occur has probability
zero; after a context that never occurred stands the distribution of its longest suffix that did.
The yardstick for the other methods, and what text sounds like without smoothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.ngram.smoothing.base import Block, Smoothing, over


class MaximumLikelihood(Smoothing):
    """Nothing is left for what was not seen."""

    name = "maximum-likelihood"
    forms = ("backoff",)

    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        share = over(block.counts, block.spread(block.totals))
        return share, np.where(block.totals == 0, 1.0, 0.0)

    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        return f"{count} / {total}"
