"""What an optimizer is: a rule that changes the flat vector of weights by its gradient.

It works through the vector in chunks that stay in the cache, and any stretch of it can be done
by itself, so that worker threads share the work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array, check_options
from lmkit.store.facts import check, integer

CHUNK = 1 << 15
"""Entries that are updated at once: with two moments and room to work, within a core's cache."""


class Optimizer(ABC):
    """An update rule. ``options`` are its own; ``weight_decay`` every one has.

    ``slots`` are vectors [P] that it keeps beside the weights, by name; ``count`` is the number of
    updates made. Both, with the options, are all that a checkpoint needs.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    slot_names: ClassVar[tuple[str, ...]] = ()
    default_rate: ClassVar[float]
    """A learning rate to begin with."""

    def __init__(self, weight_decay: float = 0.0, **options: Any) -> None:
        check_options("optimizer", self.name, options, self.options)
        if weight_decay < 0:
            raise UsageError(f"weight decay must be at least 0, not {weight_decay}")
        self.weight_decay = weight_decay
        self.count = 0
        self.slots: dict[str, Array] = {}
        self.spared: Sequence[slice] = ()
        """Stretches of the vector of weights that decoupled decay leaves alone."""

    def start(self, weights: Array) -> None:
        """Make the slots for ``weights`` [P]."""
        self.slots = {name: np.zeros_like(weights) for name in self.slot_names}

    def step(self, weights: Array, gradient: Array, rate: float) -> None:
        """One update of all ``weights`` [P], in place, from the ``gradient`` [P]."""
        self.begin()
        self.update(weights, gradient, rate, 0, len(weights))

    def begin(self) -> None:
        """Count one more update; then every stretch of the vector goes through `update` once."""
        self.count += 1

    def update(
        self,
        weights: Array,
        gradient: Array,
        rate: float,
        start: int,
        stop: int,
        factor: float = 1.0,
    ) -> None:
        """Update the entries from ``start`` up to ``stop``, from ``factor`` times the gradient."""
        room = np.empty(min(CHUNK, stop - start), gradient.dtype)
        for low in range(start, stop, CHUNK):
            here = slice(low, min(low + CHUNK, stop))
            g = np.multiply(gradient[here], factor, out=room[: here.stop - low])
            self._chunk(weights[here], g, rate, here)

    @abstractmethod
    def _chunk(self, w: Array, g: Array, rate: float, here: slice) -> None:
        """Update the entries ``here``: ``w`` from ``g``, a copy that may be overwritten."""

    def averaged(self, weights: Array) -> Array:
        """The weights to use: averaging optimizers have others than those they train."""
        return weights

    def state(self) -> dict[str, Any]:
        """What, besides the slots, must be known to go on: JSON values."""
        return {"count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        """Set what `state` gave. Raises `ValueError` or `KeyError` where it is not that."""
        check(state["count"], integer(), "optimizer.count")
        self.count = state["count"]
