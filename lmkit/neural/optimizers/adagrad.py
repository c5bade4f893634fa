"""AdaGrad: Duchi, Hazan and Singer 2011.

s = s + g^2        w = w - rate g / (sqrt(s) + epsilon)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.neural.arrays import Array
from lmkit.neural.optimizers.base import Optimizer


class AdaGrad(Optimizer):
    """Steps that shrink where gradients have been large."""

    name = "adagrad"
    options = ("epsilon",)
    slot_names = ("sum",)
    default_rate = 0.1

    def __init__(
        self,
        weight_decay: float = 0.0,
        *,
        epsilon: float = 1e-10,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, **options)
        self.epsilon = epsilon

    def _chunk(self, w: Array, g: Array, rate: float, here: slice) -> None:
        total = self.slots["sum"][here]
        if self.weight_decay:
            g += self.weight_decay * w
        total += g * g
        g *= rate
        g /= np.sqrt(total) + self.epsilon
        w -= g
