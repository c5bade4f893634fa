"""What a recurrent cell is.

A cell of ``H`` hidden units and ``D`` inputs has ``k`` blocks of H rows, its gates:

- ``w`` [k * H, D] reads the input, ``b`` [k * H] is its bias, ``u`` [k * H, H] reads the state.

`project` makes the input's part of all steps at once, `unroll` runs the recurrence over it. Passes
read the weights in another form than they are trained in: `Cell.prepare` adds to the weights

- ``w:read``, ``u:read``, ``b:read`` [k * H, 1], with the rows of logistic gates halved,
- ``u:back``, in training: ``u`` transposed, for the backward pass,
- ``u:mask``, where one was drawn: what ``u`` is multiplied with entry by entry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array, Room, Weights, by_feature, by_step, check_options
from lmkit.neural.blas import block_rows, product
from lmkit.neural.initialisation import glorot, orthogonal
from lmkit.neural.layer import Backward, Pass
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State

LEAST_COLUMNS = 16
"""From so many streams on, the products of single steps are as fast as one of all steps, and need
no transposing afterwards."""


class Cell(ABC):
    """The equations of a recurrent layer; ``options`` are the cell's own. Its state are arrays
    [H, B], of which the first is the output of the step before."""

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    gates: ClassVar[tuple[str, ...]]
    """Names of the blocks of rows of ``w``, in their order."""
    state_gates: ClassVar[tuple[str, ...]] = ()
    """The same of ``u``, where their order is another one."""
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
        """Glorot's range for the input, orthogonal matrices for the state, no bias."""
        glorot(weights[f"{self.prefix}w"], generator, len(self.gates))
        orthogonal(weights[f"{self.prefix}u"], generator)
        weights[f"{self.prefix}b"][...] = 0

    def start(self, streams: int, dtype: DTypeLike) -> State:
        """The state of ``streams`` that have read nothing."""
        return tuple(np.zeros((self.hidden, streams), dtype) for _ in range(self.states))

    def prepare(self, weights: Weights, pass_: Pass) -> Weights:
        """See `Layer.prepare` and above. Masks on ``u`` are those of weight dropping (Merity et al.
        2018)."""
        p, empty = self.prefix, pass_.room.empty
        w, u, b = weights[f"{p}w"], weights[f"{p}u"], weights[f"{p}b"]
        made: Weights = {}
        mask = pass_.noise.recurrent_matrix(u)
        if mask is not None:
            made[f"{p}u:mask"] = mask
            u = u * mask
        for name, value, gates in (
            ("w:read", w, self.gates),
            ("u:read", u, self.state_gates or self.gates),
            ("b:read", b[:, None], self.gates),
        ):
            out = empty(f"{p}{name}", value.shape, value.dtype)
            halves = halved(gates, self.half, self.hidden, value.dtype)
            made[f"{p}{name}"] = np.multiply(value, halves, out=out)
        if pass_.training:
            back = made[f"{p}u:back"] = empty(f"{p}u:back", u.shape[::-1], u.dtype)
            back[...] = u.T
        return made

    def project(self, weights: Weights, x: Array, pass_: Pass) -> tuple[Array, Backward]:
        """The input's part of the gates, of ``x`` [D, N]: [T, rows, B], with room for the
        cell's scratch behind; its backward takes the gradients of the gates as [k * H, N]."""
        steps, room = pass_.steps, pass_.room
        w, b = weights[f"{self.prefix}w:read"], weights[f"{self.prefix}b:read"]
        batch = x.shape[1] // steps
        rows = self.rows + self.scratch * self.hidden
        z = room.empty(f"{self.prefix}z", (steps, rows, batch), x.dtype)
        gates = z[:, : self.rows]
        if batch >= LEAST_COLUMNS and block_rows(*w.shape, batch) < self.rows:
            steps_of_x = room.empty(f"{self.prefix}x", (steps, len(x), batch), x.dtype)
            by_step(x, steps, steps_of_x)
            bias = np.repeat(b, batch, axis=1)
            for now, read in zip(gates, steps_of_x, strict=True):
                product(w, now)(read)
                now += bias
        else:
            whole = np.matmul(w, x).reshape(self.rows, steps, batch)
            np.add(whole.transpose(1, 0, 2), b, out=gates)

        def backward(dz: Array, gradients: Gradients) -> Array:
            gradients.product(f"{self.prefix}w", dz, x.T)
            gradients.product(f"{self.prefix}b", dz, np.ones(dz.shape[1], dz.dtype))
            return np.matmul(weights[f"{self.prefix}w"].T, dz)

        return z, backward

    @abstractmethod
    def unroll(
        self, weights: Weights, z: Array, state: State, mask: Array | None, room: Room
    ) -> tuple[Array, State, Backward]:
        """Run the recurrence over the projected input ``z`` [T, rows, B], which is overwritten by
        the gates.

        ``mask`` [H, B] multiplies the state that each step reads (Gal and Ghahramani 2016);
        ``room`` is memory to work in. Returns the outputs [H, N], the last state, and a backward
        from the gradient of the outputs [H, N] to that of ``z``, as [k * H, N].
        """

    def gates_in(self, room: Room, steps: int, streams: int, dtype: DTypeLike) -> Array:
        """The gates [T, k * H, B] of the last pass, one in use, that worked in ``room``."""
        rows = self.rows + self.scratch * self.hidden
        return room.empty(f"{self.prefix}z", (steps, rows, streams), dtype)[:, : self.rows]

    def _by_feature(self, room: Room, name: str, steps: Array) -> Array:
        """``steps`` [T, F, B] as [F, N]."""
        shape = (steps.shape[1], len(steps) * steps.shape[2])
        return by_feature(steps, room.empty(f"{self.prefix}{name} by feature", shape, steps.dtype))

    def _read(self, room: Room, h: Array, outputs: Array, mask: Array | None) -> Array:
        """What the steps have read [H, N] of the states ``h`` [T + 1, H, B], which as [H, N + B]
        are ``outputs``."""
        if mask is None:
            return outputs[:, : -h.shape[2]]
        return self._by_feature(room, "read", h[:-1] * mask)

    def _recurrent_gradient(
        self, weights: Weights, dz: Array, read: Array, gradients: Gradients
    ) -> None:
        """Add the gradient of ``u`` from those of the gates [k * H, N] and the states that each
        step has read [H, N]."""
        gradients.product(f"{self.prefix}u", dz, read.T, weights.get(f"{self.prefix}u:mask"))


@cache
def halved(gates: tuple[str, ...], half: tuple[str, ...], size: int, dtype: np.dtype) -> Array:
    """[k * H, 1]: a half for the rows of the ``gates`` that are among ``half``, one for others."""
    factors = [0.5 if gate in half else 1 for gate in gates]
    return np.repeat(np.array(factors, dtype), size)[:, None]
