"""Averaged stochastic gradient descent: Polyak and Juditsky 1992. The weights to use are the mean
of all weights since averaging began; the non-monotonic trigger of Merity et al. (2018) begins it
when the validation loss has not improved for some epochs.
"""

from __future__ import annotations

from typing import Any

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array
from lmkit.neural.optimizers.base import Optimizer
from lmkit.store.facts import check, integer, optional


class ASGD(Optimizer):
    """SGD whose result is an average. ``average_after``: how many updates are made first; None
    leaves it to `trigger`."""

    name = "asgd"
    options = ("average_after",)
    slot_names = ("average",)
    default_rate = 1.0

    def __init__(
        self,
        weight_decay: float = 0.0,
        *,
        average_after: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, **options)
        if average_after is not None and average_after < 0:
            raise UsageError(f"average-after must be at least 0, not {average_after}")
        self.average_after = average_after

    @property
    def averages(self) -> bool:
        """Whether averaging has begun."""
        return self.average_after is not None and self.count > self.average_after

    def trigger(self) -> None:
        """Begin to average with the next update, if that has not begun."""
        if self.average_after is None:
            self.average_after = self.count

    def _chunk(self, w: Array, g: Array, rate: float, here: slice) -> None:
        if self.weight_decay:
            g += self.weight_decay * w
        g *= rate
        w -= g
        if self.averages:
            assert self.average_after is not None
            average = self.slots["average"][here]
            average += (w - average) / (self.count - self.average_after)

    def averaged(self, weights: Array) -> Array:
        return self.slots["average"] if self.averages else weights

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "average_after": self.average_after}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        check(state["average_after"], optional(integer()), "optimizer.average_after")
        self.average_after = state["average_after"]
