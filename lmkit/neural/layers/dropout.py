"""Dropout on what passes from layer to layer (see `lmkit.neural.noise` for its kinds)."""

from __future__ import annotations

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.noise import apply
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class Drop(Layer):
    """Masks what passes through it, at the rate that the pass has between layers; ``first``: at
    that of the inputs."""

    def __init__(self, first: bool = False) -> None:
        self.first = first

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State = ()
    ) -> tuple[Array, State, Backward]:
        """See `Layer.forward`; x and y [D, N]."""
        noise = pass_.noise
        drop = noise.inputs(x, pass_.steps) if self.first else noise.activations(x, pass_.steps)
        if drop is None:
            return x, (), unchanged

        def backward(dy: Array, gradients: Gradients) -> Array:
            return apply(dy, drop, pass_.by_stream)

        return apply(x, drop, pass_.by_stream), (), backward


def unchanged(dy: Array, gradients: Gradients) -> Array:
    """The backward pass of what changes nothing."""
    return dy
