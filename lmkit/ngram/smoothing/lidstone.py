"""Additive smoothing: k is added to the count of every token that could follow a context.

p(w|h) = (c(h, w) + k) / (c(h) + k V), with V the number of tokens that can follow: the
vocabulary without ``<s>``. Lower orders have no part in it, and after a context that never
occurred all tokens are equally likely. Lidstone 1920; with k = 1, Laplace's rule of succession.
Compared with better methods by Gale and Church 1994, "What is wrong with adding one?".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.ngram.smoothing.base import Block, Evidence, Form, Smoothing
from lmkit.store.facts import SMALLEST, Rule, integer, number

DEFAULT_K = 0.1


class Lidstone(Smoothing):
    """Adds ``k``, any number above 0."""

    name = "lidstone"
    forms = ("floor",)
    options: ClassVar[tuple[str, ...]] = ("k",)

    def __init__(self, form: Form | None = None, k: float = DEFAULT_K) -> None:
        super().__init__(form)
        if not (k > 0 and np.isfinite(k)):
            raise UsageError(
                f"k must be a number above 0, not {k:g}",
                "--smoothing maximum-likelihood to add nothing",
            )
        self.k = float(k)
        self.events_ = 0

    def fit(self, evidence: Evidence) -> None:
        self.events_ = evidence.events

    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        total = block.totals + self.k * block.events
        listed = block.counts > 0
        share = np.where(listed, (block.counts + self.k) / block.spread(total), 0.0)
        return share, self.k * (block.events - block.sum(listed)) / total

    def parameters(self) -> dict[str, Any]:
        return {**super().parameters(), "k": self.k, "events": self.events_}

    def restore(self, parameters: dict[str, Any]) -> None:
        super().restore(parameters)
        self.k, self.events_ = parameters["k"], parameters["events"]

    @classmethod
    def learns(cls, order: int) -> Mapping[str, Rule]:
        return {"k": number(SMALLEST, 1e300), "events": integer(1)}

    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        return f"({count} + {self.k:g}) / ({total} + {self.k:g} × {self.events_})"


class Laplace(Lidstone):
    """Adds one."""

    name = "laplace"
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, form: Form | None = None) -> None:
        super().__init__(form, k=1.0)
