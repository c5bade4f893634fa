"""Adam: Kingma and Ba 2015.

    m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
    w = w - rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

Weight decay is added to the gradient (L2); `lmkit.neural.optimizers.adamw` has the other kind.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array
from lmkit.neural.optimizers.base import Optimizer


class Adam(Optimizer):
    """Steps scaled by running moments of the gradient."""

    name = "adam"
    options = ("beta1", "beta2", "epsilon")
    slot_names = ("m", "v")
    default_rate = 0.003
    decoupled = False

    def __init__(
        self,
        weight_decay: float = 0.0,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(weight_decay, **options)
        for name, beta in (("beta1", beta1), ("beta2", beta2)):
            if not 0 <= beta < 1:
                raise UsageError(f"{name} must be at least 0 and below 1, not {beta}")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def _chunk(self, w: Array, g: Array, rate: float, here: slice) -> None:
        m, v = self.slots["m"][here], self.slots["v"][here]
        if self.weight_decay:
            if self.decoupled:
                self._decay(w, rate, here)
            else:
                g += self.weight_decay * w
        correction = math.sqrt(1 - self.beta2**self.count)
        step = rate * correction / (1 - self.beta1**self.count)
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        g *= g
        g *= 1 - self.beta2
        v += g
        np.sqrt(v, out=g)
        g += self.epsilon * correction
        np.divide(m, g, out=g)
        g *= step
        w -= g

    def _decay(self, w: Array, rate: float, here: slice) -> None:
        """Shrink the entries ``here``, but for those that are spared."""
        spared = [
            slice(max(s.start, here.start) - here.start, min(s.stop, here.stop) - here.start)
            for s in self.spared
            if s.start < here.stop and s.stop > here.start
        ]
        kept = [w[part].copy() for part in spared]
        w *= 1 - rate * self.weight_decay
        for part, values in zip(spared, kept, strict=True):
            w[part] = values
