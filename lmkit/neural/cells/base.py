"""What a recurrent cell is.

A cell of ``H`` hidden units and ``D`` inputs has ``k`` blocks of H rows, its gates:

- ``w`` [k * H, D] reads the input, ``b`` [k * H] is its bias, ``u`` [k * H, H] reads the state.

`project` makes the input's part of all steps at once, `unroll` runs the recurrence over it.
A layer's ``forward`` gives its result and a function ``backward``, which takes the gradient of
the result, adds to the gradients of the weights and returns the gradient of the input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lmkit.neural.arrays import Array, Fresh, Room, Weights, by_feature, by_step, check_options
from lmkit.neural.blas import block_rows, product
from lmkit.neural.initialisation import glorot, orthogonal
from lmkit.neural.parameters import Gradients

LEAST_COLUMNS = 16
"""From so many streams on, the products of single steps are as fast as one of all steps, and need
no transposing afterwards."""

FRESH = Fresh()

CellState = tuple[Array, ...]
"""Arrays [H, B]; the first is the output of the step before."""

Backward = Callable[[Array, Gradients], Array]
"""(gradient of the result, gradients of the weights to add to) -> gradient of the input."""


@dataclass(slots=True)
class Prepared:
    """Copies of a cell's weights in the form that the steps want, made once a sequence (or,
    for a model in use, once): ``w``, ``u``, ``b`` as the forward pass reads them, ``u_t`` the
    transposed ``u`` for the backward pass, ``drop`` the mask on ``u`` where one was drawn.
    ``room`` is where the arrays of a pass go."""

    w: Array
    u: Array
    b: Array
    u_t: Array | None
    drop: Array | None
    weights: Weights
    room: Room = FRESH


class Cell(ABC):
    """A recurrent layer; ``options`` are the cell's own."""

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    gates: ClassVar[tuple[str, ...]]
    """Names of the blocks of rows of ``w``, in their order."""
    half: ClassVar[tuple[str, ...]] = ()
    """Gates that are logistic: sigma(x) = tanh(x / 2) / 2 + 1 / 2, so that with their weights
    halved one tanh serves all gates."""
    scratch: ClassVar[int] = 0
    """Blocks of H rows behind the gates that `unroll` wants for its own use."""
    states: ClassVar[int] = 1
    """How many arrays [H, B] a state is."""

    def __init__(self, inputs: int, hidden: int, prefix: str = "", **options: Any) -> None:
        check_options("cell", self.name, options, self.options)
        self.inputs = inputs
        self.hidden = hidden
        self.prefix = prefix

    @property
    def rows(self) -> int:
        """k * H."""
        return len(self.gates) * self.hidden

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights that the cell needs, by full name."""
        return {
            f"{self.prefix}w": (self.rows, self.inputs),
            f"{self.prefix}u": (self.rows, self.hidden),
            f"{self.prefix}b": (self.rows,),
        }

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """Set the first weights: Glorot's for the input, orthogonal for the state, no bias."""
        glorot(weights[f"{self.prefix}w"], generator, len(self.gates))
        orthogonal(weights[f"{self.prefix}u"], generator)
        weights[f"{self.prefix}b"][...] = 0

    def start(self, streams: int, dtype: Any = np.float32) -> CellState:
        """The state of ``streams`` that have read nothing."""
        return tuple(np.zeros((self.hidden, streams), dtype) for _ in range(self.states))

    def prepare(
        self,
        weights: Weights,
        drop: Array | None = None,
        training: bool = True,
        room: Room = FRESH,
    ) -> Prepared:
        """``drop`` [k * H, H] multiplies ``u`` (weight dropping, Merity et al. 2018)."""
        w, u, b = (weights[f"{self.prefix}{name}"] for name in "wub")
        if drop is not None:
            u = u * drop
        scale = self._scale(w.dtype)
        u_t = np.ascontiguousarray(u.T) if training else None
        return Prepared(w * scale, u * scale, b * scale[:, 0], u_t, drop, weights, room)

    def _scale(self, dtype: Any) -> Array:
        """[k * H, 1]: a half for the rows of logistic gates."""
        scale = np.ones((len(self.gates), self.hidden), dtype)
        for i, gate in enumerate(self.gates):
            if gate in self.half:
                scale[i] = 0.5
        return scale.reshape(-1, 1)

    def project(self, prepared: Prepared, x: Array, steps: int) -> tuple[Array, Backward]:
        """The input's part of the gates, of ``x`` [D, N]: [T, rows, B], with room for the
        cell's scratch behind; its backward takes the gradients of the gates as [k * H, N]."""
        batch = x.shape[1] // steps
        rows = self.rows + self.scratch * self.hidden
        z = self._empty(prepared, "z", (steps, rows, batch), x.dtype)
        gates = z[:, : self.rows]
        if batch >= LEAST_COLUMNS and block_rows(*prepared.w.shape, batch) < self.rows:
            room = self._empty(prepared, "x", (steps, len(x), batch), x.dtype)
            steps_of_x = by_step(x, steps, room)
            bias = np.repeat(prepared.b[:, None], batch, axis=1)
            for now, read in zip(gates, steps_of_x, strict=True):
                product(prepared.w, now)(read)
                now += bias
        else:
            whole = np.matmul(prepared.w, x).reshape(self.rows, steps, batch)
            np.add(whole.transpose(1, 0, 2), prepared.b[:, None], out=gates)

        def backward(dz: Array, gradients: Gradients) -> Array:
            gradients.product(f"{self.prefix}w", dz, x.T)
            gradients.product(f"{self.prefix}b", dz, np.ones(dz.shape[1], dz.dtype))
            return np.matmul(prepared.weights[f"{self.prefix}w"].T, dz)

        return z, backward

    @abstractmethod
    def unroll(
        self, prepared: Prepared, z: Array, state: CellState, mask: Array | None = None
    ) -> tuple[Array, CellState, Backward]:
        """Run the recurrence over the projected input ``z`` [T, rows, B], which is overwritten by
        the gates.

        ``mask`` [H, B] multiplies the state that each step reads (Gal and Ghahramani 2016).
        Returns the outputs [H, N], the last state, and a backward from the gradient of the
        outputs [H, N] to that of ``z``, as [k * H, N]. The first state counts as given: no
        gradient flows into it (truncated backpropagation through time).
        """

    def forward(
        self,
        prepared: Prepared,
        x: Array,
        state: CellState,
        mask: Array | None = None,
    ) -> tuple[Array, CellState, Backward]:
        """Outputs [H, N] for the inputs ``x`` [D, N], the state after the last step, and the
        backward pass."""
        steps = x.shape[1] // state[0].shape[1]
        z, project_backward = self.project(prepared, x, steps)
        y, last, unroll_backward = self.unroll(prepared, z, state, mask)

        def backward(dy: Array, gradients: Gradients) -> Array:
            return project_backward(unroll_backward(dy, gradients), gradients)

        return y, last, backward

    def _empty(
        self, prepared: Prepared, name: str, shape: tuple[int, ...], dtype: np.dtype
    ) -> Array:
        return prepared.room.empty(self.prefix + name, shape, dtype)

    def _by_feature(self, prepared: Prepared, name: str, steps: Array) -> Array:
        """``steps`` [T, F, B] as [F, N]."""
        shape = (steps.shape[1], len(steps) * steps.shape[2])
        room = self._empty(prepared, f"{name} by feature", shape, steps.dtype)
        return by_feature(steps, room)

    def _recurrent_gradient(
        self, prepared: Prepared, dz: Array, read: Array, gradients: Gradients
    ) -> None:
        """Add the gradient of ``u`` from those of the gates [k * H, N] and the states that each
        step has read [H, N]."""
        gradients.product(f"{self.prefix}u", dz, read.T, prepared.drop)
