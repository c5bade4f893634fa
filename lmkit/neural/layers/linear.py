"""A linear map without a bias: from the width of one layer to that of another."""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import glorot
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class Linear(Layer):
    """y = w x with ``name`` [outputs, inputs]; x [inputs, N]."""

    def __init__(self, name: str, inputs: int, outputs: int) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.name: (self.outputs, self.inputs)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """Glorot's range."""
        glorot(weights[self.name], generator)

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State = ()
    ) -> tuple[Array, State, Backward]:
        """See `Layer.forward`."""
        w = weights[self.name]

        def backward(dy: Array, gradients: Gradients) -> Array:
            gradients.product(self.name, dy, x.T)
            return np.matmul(w.T, dy)

        return np.matmul(w, x), (), backward
