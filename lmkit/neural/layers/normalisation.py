"""Layer normalisation: Ba, Kiros and Hinton 2016, on what enters a layer."""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State

EPSILON = 1e-5


class LayerNorm(Layer):
    """y = gain (x - mean) / sqrt(variance + epsilon) + shift over the features of each column.

    Weights ``<prefix>gain`` [D] and ``<prefix>shift`` [D]; x and y [D, N].
    """

    def __init__(self, size: int, prefix: str) -> None:
        self.size = size
        self.prefix = prefix

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {f"{self.prefix}gain": (self.size,), f"{self.prefix}shift": (self.size,)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """Gains of one, no shift."""
        weights[f"{self.prefix}gain"][...] = 1
        weights[f"{self.prefix}shift"][...] = 0

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State = ()
    ) -> tuple[Array, State, Backward]:
        """See `Layer.forward`."""
        gain = weights[f"{self.prefix}gain"][:, None]
        centred = x - x.mean(axis=0)
        inverse = 1 / np.sqrt((centred * centred).mean(axis=0) + EPSILON)
        unit = centred * inverse

        def backward(dy: Array, gradients: Gradients) -> Array:
            gradients.add(f"{self.prefix}gain", (dy * unit).sum(axis=1))
            gradients.add(f"{self.prefix}shift", dy.sum(axis=1))
            du = dy * gain
            return inverse * (du - du.mean(axis=0) - unit * (du * unit).mean(axis=0))

        return unit * gain + weights[f"{self.prefix}shift"][:, None], (), backward
