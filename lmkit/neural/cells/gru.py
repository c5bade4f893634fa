"""The gated recurrent unit of Cho et al. (2014), in the form that applies the reset gate after
the product (as cuDNN and PyTorch do), so that one product a step serves all gates.

    r_t = sigma(w_r x_t + u_r h_{t-1} + b_r)
    z_t = sigma(w_z x_t + u_z h_{t-1} + b_z)
    m_t = u_n h_{t-1} + b_m
    n_t =  tanh(w_n x_t + b_n + r_t m_t)
    h_t = n_t + z_t (h_{t-1} - n_t)

Shapes: x_t [D, B]; r, z, m, n, h [H, B]; w [3H, D] and b [3H] in the order n, r, z; u [3H, H] in
the order r, z, n; b_m [H].
"""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, Room, Weights, by_step
from lmkit.neural.blas import product
from lmkit.neural.cells.base import Cell
from lmkit.neural.layer import Backward
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class GRU(Cell):
    """The GRU cell, reset after."""

    name = "gru"
    gates = ("n", "r", "z")
    state_gates = ("r", "z", "n")
    half = ("r", "z")
    scratch = 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {**super().shapes(), f"{self.prefix}b_m": (self.hidden,)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        super().initialise(weights, generator)
        weights[f"{self.prefix}b_m"][...] = 0

    def unroll(
        self, weights: Weights, z: Array, state: State, mask: Array | None, room: Room
    ) -> tuple[Array, State, Backward]:
        """See `Cell.unroll`."""
        size = self.hidden
        steps, _, batch = z.shape
        h = room.empty(f"{self.prefix}h", (steps + 1, size, batch), z.dtype)
        h[0] = state[0]
        # Blocks n, r, z and m of each step: the gradients of the first three are those of the
        # projected input, of the last three those of what u gives.
        part = np.empty((3 * size, batch), z.dtype)
        multiply = product(weights[f"{self.prefix}u:read"], part)
        bias = weights[f"{self.prefix}b_m"][:, None]
        for t in range(steps):
            now = z[t]
            n, r, update, m = now.reshape(4, size, batch)
            logistic = now[size : 3 * size]
            read = h[t] if mask is None else h[t] * mask
            multiply(read)
            logistic += part[: 2 * size]
            np.tanh(logistic, out=logistic)
            logistic *= 0.5
            logistic += 0.5
            np.add(part[2 * size :], bias, out=m)
            n += r * m
            np.tanh(n, out=n)
            np.subtract(h[t], n, out=h[t + 1])
            h[t + 1] *= update
            h[t + 1] += n
        outputs = self._by_feature(room, "h", h)

        def backward(dy: Array, gradients: Gradients) -> Array:
            gradient = room.empty(f"{self.prefix}dy", (steps, size, batch), dy.dtype)
            by_step(dy, steps, gradient)
            update = self._derivatives(z, h)
            dh = np.zeros_like(h[0])
            back = np.empty_like(dh)
            multiply = product(weights[f"{self.prefix}u:back"], back)
            for t in range(steps - 1, -1, -1):
                dh += gradient[t]
                z[t].reshape(4, size, batch)[...] *= dh
                dh *= update[t]
                multiply(z[t, size:])
                if mask is not None:
                    back *= mask
                dh += back
            read = self._read(room, h, outputs, mask)
            whole = self._by_feature(room, "z", z)
            self._recurrent_gradient(weights, whole[size:], read, gradients)
            gradients.add(f"{self.prefix}b_m", whole[3 * size :].sum(axis=1))
            return whole[: 3 * size]

        return outputs[:, batch:], (h[-1],), backward

    def _derivatives(self, gates: Array, h: Array) -> Array:
        """Overwrite the gates by the factors that turn dh into their gradients; return z:

        a_n = (1 - z)(1 - n^2)   a_r = a_n m r (1 - r)   a_z = (h_{t-1} - n) z (1 - z)
        a_m = a_n r
        """
        blocks = gates.reshape(len(gates), 4, self.hidden, -1)
        n, r, z, m = (blocks[:, k] for k in range(4))
        update = z.copy()
        a_n = (1 - z) * (1 - n * n)
        z *= (1 - z) * (h[:-1] - n)
        a_r = a_n * m * r * (1 - r)
        np.multiply(a_n, r, out=m)
        n[...] = a_n
        r[...] = a_r
        return update
