"""A recurrent layer: a cell (`lmkit.neural.cells`) that reads a sequence from end to end."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.cells.base import Cell
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class Recurrent(Layer):
    """``cell`` over all steps; ``reverse``: from the last step to the first.

    The state of a reverse layer is that *after* the last step when it goes in, and that of the
    first step when it comes out: of a sequence that is read in pieces, the later one goes first.
    A cell takes memory from the room of a pass by its prefix: in one room it stands once in a pass.
    """

    def __init__(self, cell: Cell, reverse: bool = False) -> None:
        self.cell = cell
        self.reverse = reverse

    @property
    def causal(self) -> bool:
        return not self.reverse

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.cell.shapes()

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        self.cell.initialise(weights, generator)

    def prepare(self, weights: Weights, pass_: Pass) -> Weights:
        return self.cell.prepare(weights, pass_)

    def start(self, streams: int, dtype: DTypeLike) -> State:
        return self.cell.start(streams, dtype)

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State
    ) -> tuple[Array, State, Backward]:
        """Outputs [H, N] for the inputs ``x`` [D, N]; see `Layer.forward`."""
        cell, steps = self.cell, pass_.steps
        mask = pass_.noise.state(cell.hidden, x.shape[1] // steps, x.dtype)
        if self.reverse:
            x = turned(x, steps)
        z, project_backward = cell.project(weights, x, pass_)
        y, last, unroll_backward = cell.unroll(weights, z, state, mask, pass_.room)

        def backward(dy: Array, gradients: Gradients) -> Array:
            return project_backward(unroll_backward(dy, gradients), gradients)

        def reverse_backward(dy: Array, gradients: Gradients) -> Array:
            return turned(backward(turned(dy, steps), gradients), steps)

        if self.reverse:
            return turned(y, steps), last, reverse_backward
        return y, last, backward


def turned(x: Array, steps: int) -> Array:
    """``x`` [D, T * B] with its steps in the opposite order."""
    return x.reshape(len(x), steps, -1)[:, ::-1].reshape(len(x), -1)
