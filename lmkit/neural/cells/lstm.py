"""Long short-term memory: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
2000 and, by option, the peepholes of Gers and Schmidhuber 2000.

    o_t = sigma(w_o x_t + u_o h_{t-1} + b_o (+ p_o c_t))
    i_t = sigma(w_i x_t + u_i h_{t-1} + b_i (+ p_i c_{t-1}))
    f_t = sigma(w_f x_t + u_f h_{t-1} + b_f (+ p_f c_{t-1}))
    g_t =  tanh(w_g x_t + u_g h_{t-1} + b_g)
    c_t = f_t c_{t-1} + i_t g_t
    h_t = o_t tanh(c_t)

Shapes: x_t [D, B]; o, i, f, g, c, h [H, B]; w [4H, D], u [4H, H], b [4H] in the order o, i, f, g:
the logistic gates side by side, and those that c_t depends on side by side; p [3, H] in the
order o, i, f.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.neural.arrays import Array, Room, Weights, by_step
from lmkit.neural.blas import product
from lmkit.neural.cells.base import Cell
from lmkit.neural.layer import Backward
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State

BLOCK = 1 << 17
"""Entries of gates whose derivatives are formed at once: few calls where a step is small, and
within the cache where it is large."""


class LSTM(Cell):
    """The LSTM cell; ``peepholes`` lets the gates see the cell state."""

    name = "lstm"
    options = ("peepholes",)
    gates = ("o", "i", "f", "g")
    half = ("o", "i", "f")
    states = 2

    def __init__(
        self,
        inputs: int,
        hidden: int,
        prefix: str = "",
        *,
        peepholes: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(inputs, hidden, prefix, **options)
        self.peepholes = peepholes

    def shapes(self) -> dict[str, tuple[int, ...]]:
        extra = {f"{self.prefix}p": (3, self.hidden)} if self.peepholes else {}
        return {**super().shapes(), **extra}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """As every cell, and the forget gate open (Jozefowicz et al. 2015)."""
        super().initialise(weights, generator)
        weights[f"{self.prefix}b"][2 * self.hidden : 3 * self.hidden] = 1
        if self.peepholes:
            weights[f"{self.prefix}p"][...] = 0

    def _peepholes(self, weights: Weights) -> Array | None:
        """[3, H, 1], or None without them."""
        return weights[f"{self.prefix}p"][:, :, None] if self.peepholes else None

    def unroll(
        self, weights: Weights, z: Array, state: State, mask: Array | None, room: Room
    ) -> tuple[Array, State, Backward]:
        """See `Cell.unroll`."""
        size = self.hidden
        steps, _, batch = z.shape
        h = room.empty(f"{self.prefix}h", (steps + 1, size, batch), z.dtype)
        c = room.empty(f"{self.prefix}c", h.shape, z.dtype)
        squashed = room.empty(f"{self.prefix}tanh c", (steps, size, batch), z.dtype)
        h[0], c[0] = state
        part = np.empty_like(z[0])
        multiply = product(weights[f"{self.prefix}u:read"], part)
        term = np.empty_like(h[0])
        p = self._peepholes(weights)
        for t in range(steps):
            gates, now = z[t], c[t + 1]
            read = h[t] if mask is None else h[t] * mask
            gates += multiply(read)
            if p is not None:
                gates[size : 3 * size].reshape(2, size, batch)[...] += 0.5 * p[1:] * c[t]
                np.tanh(gates[size:], out=gates[size:])
                logistic = gates[size : 3 * size]
            else:
                np.tanh(gates, out=gates)
                logistic = gates[: 3 * size]
            logistic *= 0.5
            logistic += 0.5
            np.multiply(gates[2 * size : 3 * size], c[t], out=now)
            np.multiply(gates[size : 2 * size], gates[3 * size :], out=term)
            now += term
            if p is not None:
                gates[:size] = 0.5 + 0.5 * np.tanh(gates[:size] + 0.5 * p[0] * now)
            np.tanh(now, out=squashed[t])
            np.multiply(gates[:size], squashed[t], out=h[t + 1])
        outputs = self._by_feature(room, "h", h)

        def backward(dy: Array, gradients: Gradients) -> Array:
            gradient = room.empty(f"{self.prefix}dy", (steps, size, batch), dy.dtype)
            by_step(dy, steps, gradient)
            self._unroll_backward(weights, z, c, squashed, gradient, mask)
            read = self._read(room, h, outputs, mask)
            dz = self._by_feature(room, "z", z)
            self._recurrent_gradient(weights, dz, read, gradients)
            if self.peepholes:
                blocks = z.reshape(steps, 4, size, batch)
                after = (blocks[:, 0] * c[1:]).sum(axis=(0, 2))
                before = (blocks[:, 1:3] * c[:-1, None]).sum(axis=(0, 3))
                gradients.add(f"{self.prefix}p", np.concatenate((after[None], before)))
            return dz

        return outputs[:, batch:], (h[-1], c[-1]), backward

    def _unroll_backward(
        self,
        weights: Weights,
        z: Array,
        c: Array,
        squashed: Array,
        gradient: Array,
        mask: Array | None,
    ) -> None:
        """Overwrite the gates ``z`` by their gradients, given those of the outputs ``gradient``
        [T, H, B], step by step from the last:

        dc_t += dh_t a_c,  dz_o = dh_t a_o,  dz_{i,f,g} = dc_t a_{i,f,g},  dc_{t-1} = dc_t a_k.
        """
        steps, _, batch = z.shape
        dh, dc = np.zeros_like(c[0]), np.zeros_like(c[0])
        term = np.empty_like(dh)
        multiply = product(weights[f"{self.prefix}u:back"], dh)
        stride = max(1, BLOCK // (z.shape[1] * batch))
        for stop in range(steps, 0, -stride):
            start = max(stop - stride, 0)
            here = slice(start, stop)
            keep = self._derivatives(weights, z[here], c[start : stop + 1], squashed[here])
            for t in range(stop - 1, start - 1, -1):
                gates = z[t].reshape(4, self.hidden, batch)
                dh += gradient[t]
                np.multiply(dh, squashed[t], out=term)
                dc += term
                gates[0] *= dh
                gates[1:] *= dc
                dc *= keep[t - start]
                multiply(z[t])
                if mask is not None:
                    dh *= mask

    def _derivatives(self, weights: Weights, z: Array, c: Array, squashed: Array) -> Array:
        """Overwrite the gates of some steps by the factors that turn dh and dc into their
        gradients, and tanh(c) by a_c; return a_k:

        a_o = tanh(c_t) o (1 - o)      a_i = g i (1 - i)       a_c = o (1 - tanh(c_t)^2) + a_o p_o
        a_f = c_{t-1} f (1 - f)        a_g = i (1 - g^2)       a_k = f + a_i p_i + a_f p_f
        """
        steps, _, batch = z.shape
        blocks = z.reshape(steps, 4, self.hidden, batch)
        o, i, f, g = (blocks[:, k] for k in range(4))
        keep = f.copy()
        a_c = squashed * squashed
        a_c *= o
        np.subtract(o, a_c, out=a_c)
        o *= (1 - o) * squashed
        f *= (1 - f) * c[:-1]
        a_g = i - i * g * g
        i *= (1 - i) * g
        g[...] = a_g
        p = self._peepholes(weights)
        if p is not None:
            a_c += o * p[0]
            keep += i * p[1] + f * p[2]
        squashed[...] = a_c
        return keep
