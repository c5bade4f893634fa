"""A linear map: from the width of one layer to that of another."""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import glorot, normal
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class Linear(Layer):
    """y = w x with ``name`` [outputs, inputs]; x [inputs, N]. With ``bias``: y = w x + b, where b
    is ``<name>.b`` [outputs].

    ``deviation``: the standard deviation of the first weights; None: Glorot's range.
    """

    def __init__(
        self,
        name: str,
        inputs: int,
        outputs: int,
        bias: bool = False,
        deviation: float | None = None,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.bias = f"{name}.b" if bias else None
        self.deviation = deviation

    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {self.name: (self.outputs, self.inputs)}
        if self.bias is not None:
            shapes[self.bias] = (self.outputs,)
        return shapes

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """Normal or Glorot's range; no bias."""
        if self.deviation is None:
            glorot(weights[self.name], generator)
        else:
            normal(weights[self.name], generator, self.deviation)
        if self.bias is not None:
            weights[self.bias][...] = 0

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State = ()
    ) -> tuple[Array, State, Backward]:
        """See `Layer.forward`."""
        w = weights[self.name]

        def backward(dy: Array, gradients: Gradients) -> Array:
            gradients.product(self.name, dy, x.T)
            if self.bias is not None:
                gradients.add(self.bias, dy.sum(axis=1))
            return np.matmul(w.T, dy)

        y = np.matmul(w, x)
        if self.bias is not None:
            y += weights[self.bias][:, None]
        return y, (), backward
