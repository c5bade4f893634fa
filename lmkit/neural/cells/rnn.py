"""The simple recurrent network of Elman (1990), as a language model by Mikolov et al. (2010).

    h_t = tanh(w x_t + u h_{t-1} + b)

Shapes: x_t [D, B], h_t [H, B], w [H, D], u [H, H], b [H].
"""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, by_step
from lmkit.neural.blas import product
from lmkit.neural.cells.base import Backward, Cell, CellState, Prepared
from lmkit.neural.parameters import Gradients


class RNN(Cell):
    """Elman's cell."""

    name = "rnn"
    gates = ("h",)

    def unroll(
        self, prepared: Prepared, z: Array, state: CellState, mask: Array | None = None
    ) -> tuple[Array, CellState, Backward]:
        """See `Cell.unroll`. With a_t the argument of tanh and g_t the gradient of h_t:

        da_t = (1 - h_t^2) g_t,  g_{t-1} = dy_{t-1} + u' da_t,  du = sum_t da_t h_{t-1}'.
        """
        size = self.hidden
        steps, _, batch = z.shape
        h = self._empty(prepared, "h", (steps + 1, size, batch), z.dtype)
        h[0] = state[0]
        part = np.empty_like(h[0])
        multiply = product(prepared.u, part)
        for t in range(steps):
            read = h[t] if mask is None else h[t] * mask
            multiply(read)
            part += z[t]
            np.tanh(part, out=z[t])
            h[t + 1] = z[t]
        outputs = self._by_feature(prepared, "h", h)

        def backward(dy: Array, gradients: Gradients) -> Array:
            room = self._empty(prepared, "dy", (steps, size, batch), dy.dtype)
            gradient = by_step(dy, steps, room)
            slope = 1 - h[1:] * h[1:]
            dz = slope
            back = np.zeros_like(h[0])
            assert prepared.u_t is not None
            multiply = product(prepared.u_t, back)
            for t in range(steps - 1, -1, -1):
                gradient[t] += back
                np.multiply(slope[t], gradient[t], out=dz[t])
                multiply(dz[t])
                if mask is not None:
                    back *= mask
            read = (
                outputs[:, :-batch]
                if mask is None
                else self._by_feature(prepared, "read", h[:-1] * mask)
            )
            whole = self._by_feature(prepared, "z", dz)
            self._recurrent_gradient(prepared, whole, read, gradients)
            return whole

        return outputs[:, batch:], (h[-1],), backward
