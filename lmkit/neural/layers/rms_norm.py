"""Root mean square normalisation: Zhang and Sennrich 2019, layer norm without a mean or a shift."""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.layers.normalisation import EPSILON
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class RMSNorm(Layer):
    """y = gain x / sqrt(mean(x^2) + epsilon), the mean over the features of each column.

    Weights ``<prefix>gain`` [D]; x and y [D, N].
    """

    def __init__(self, size: int, prefix: str) -> None:
        self.size = size
        self.name = f"{prefix}gain"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.name: (self.size,)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """Gains of one."""
        weights[self.name][...] = 1

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State = ()
    ) -> tuple[Array, State, Backward]:
        """See `Layer.forward`."""
        gain = weights[self.name][:, None]
        # A mean over the features is a product with a constant vector.
        even = np.full((1, len(x)), 1 / len(x), x.dtype)
        inverse = 1 / np.sqrt(even @ (x * x) + EPSILON)
        unit = x * inverse

        def backward(dy: Array, gradients: Gradients) -> Array:
            weighted = dy * unit
            gradients.add(self.name, weighted.sum(axis=1))
            weighted *= gain
            dx = dy * gain
            dx -= unit * (even @ weighted)
            dx *= inverse
            return dx

        return unit * gain, (), backward
