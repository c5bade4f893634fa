"""Stupid backoff: relative frequencies, and a fixed weight for each token of context given up.

S(w|h) = c(h, w) / c(h) where that n-gram occurred, else weight * S(w|h'). A context that never
occurred costs the weight as well. These are scores, which do not sum to one. Brants, Popat, Xu,
Och and Dean 2007, "Large language models in machine translation". Words never seen, of which
the paper does not speak, have the weight times the uniform distribution, so no score is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.ngram.smoothing.base import Block, Form, Smoothing, over
from lmkit.store.facts import SMALLEST, Rule, number

DEFAULT_WEIGHT = 0.4
"""The paper's."""


class StupidBackoff(Smoothing):
    """Cheap, and on very large texts nearly as good as the proper methods."""

    name = "stupid-backoff"
    normalised = False
    forms = ("constant",)
    options = ("weight",)

    def __init__(self, form: Form | None = None, weight: float = DEFAULT_WEIGHT) -> None:
        super().__init__(form)
        if not 0 < weight <= 1:
            raise UsageError(
                f"the weight must be above 0 and at most 1, not {weight:g}",
                f"--backoff-weight {DEFAULT_WEIGHT:g}",
            )
        self.weight = float(weight)

    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        share = over(block.counts, block.spread(block.totals))
        return share, np.where(block.totals == 0, 1.0, 0.0)

    def parameters(self) -> dict[str, Any]:
        return {**super().parameters(), "weight": self.weight}

    def restore(self, parameters: dict[str, Any]) -> None:
        super().restore(parameters)
        self.weight = parameters["weight"]

    @classmethod
    def learns(cls, order: int) -> Mapping[str, Rule]:
        return {"weight": number(SMALLEST, 1)}

    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        return f"{count} / {total}"
