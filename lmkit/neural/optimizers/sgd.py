"""Stochastic gradient descent, with momentum (Polyak 1964) by option.

v = momentum v + (g + decay w)        w = w - rate v
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array
from lmkit.neural.optimizers.base import Optimizer


class SGD(Optimizer):
    """Plain or with ``momentum``."""

    name = "sgd"
    options = ("momentum",)
    default_rate = 1.0

    def __init__(
        self,
        weight_decay: float = 0.0,
        *,
        momentum: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, **options)
        if not 0 <= momentum < 1:
            raise UsageError(f"momentum must be at least 0 and below 1, not {momentum}")
        self.momentum = momentum

    def start(self, weights: Array) -> None:
        self.slots = {"velocity": np.zeros_like(weights)} if self.momentum else {}

    def _chunk(self, w: Array, g: Array, rate: float, here: slice) -> None:
        if self.weight_decay:
            g += self.weight_decay * w
        if self.momentum:
            velocity = self.slots["velocity"][here]
            velocity *= self.momentum
            velocity += g
            w -= rate * velocity
        else:
            g *= rate
            w -= g
