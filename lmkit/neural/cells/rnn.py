"""The simple recurrent network of Elman (1990), as a language model by Mikolov et al. (2010).

    h_t = tanh(w x_t + u h_{t-1} + b)

Shapes: x_t [D, B], h_t [H, B], w [H, D], u [H, H], b [H].
"""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, Room, Weights, by_step
from lmkit.neural.blas import product
from lmkit.neural.cells.base import Cell
from lmkit.neural.layer import Backward
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class RNN(Cell):
    """Elman's cell."""

    name = "rnn"
    gates = ("h",)

    def unroll(
        self, weights: Weights, z: Array, state: State, mask: Array | None, room: Room
    ) -> tuple[Array, State, Backward]:
        """See `Cell.unroll`. With a_t the argument of tanh and g_t the gradient of h_t:

        da_t = (1 - h_t^2) g_t,  g_{t-1} = dy_{t-1} + u' da_t,  du = sum_t da_t h_{t-1}'.
        """
        size = self.hidden
        steps, _, batch = z.shape
        h = room.empty(f"{self.prefix}h", (steps + 1, size, batch), z.dtype)
        h[0] = state[0]
        part = np.empty_like(h[0])
        multiply = product(weights[f"{self.prefix}u:read"], part)
        for t in range(steps):
            read = h[t] if mask is None else h[t] * mask
            multiply(read)
            part += z[t]
            np.tanh(part, out=z[t])
            h[t + 1] = z[t]
        outputs = self._by_feature(room, "h", h)

        def backward(dy: Array, gradients: Gradients) -> Array:
            gradient = room.empty(f"{self.prefix}dy", (steps, size, batch), dy.dtype)
            by_step(dy, steps, gradient)
            slope = 1 - h[1:] * h[1:]
            dz = slope
            back = np.zeros_like(h[0])
            multiply = product(weights[f"{self.prefix}u:back"], back)
            for t in range(steps - 1, -1, -1):
                gradient[t] += back
                np.multiply(slope[t], gradient[t], out=dz[t])
                multiply(dz[t])
                if mask is not None:
                    back *= mask
            read = self._read(room, h, outputs, mask)
            whole = self._by_feature(room, "z", dz)
            self._recurrent_gradient(weights, whole, read, gradients)
            return whole

        return outputs[:, batch:], (h[-1],), backward
