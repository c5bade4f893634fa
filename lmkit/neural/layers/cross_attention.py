"""Attention to what another network has read: of many heads (Vaswani et al. 2017), and additive
(Bahdanau et al. 2015).

These have two inputs, and so two gradients: they are no `Layer`. Columns of both stand stream by
stream (`Pass.by_stream`): ``b * T + t``, and ``b * S + s`` of the source.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import uniform
from lmkit.neural.layer import USE
from lmkit.neural.layers.attention import Sight, attend, heads_of
from lmkit.neural.layers.linear import Linear
from lmkit.neural.parameters import Gradients

BackwardOfTwo = Callable[[Array, Gradients], tuple[Array, Array]]
"""(gradient of the result, gradients of the weights to add to) -> gradients of x and the source."""


class CrossAttention:
    """``heads`` heads ask with x [D, B * T] and are answered by a source [E, B * S].

    Weights: ``<prefix>q`` [D, D], ``<prefix>kv`` [2 D, E], ``<prefix>out`` [D, D]. Raises
    `UsageError` where ``heads`` do not divide D.
    """

    def __init__(self, size: int, source: int, heads: int, prefix: str, bias: bool = False) -> None:
        if size % heads:
            raise UsageError(f"{heads} heads do not divide a width of {size} units")
        self.size = size
        self.heads = heads
        self.q = Linear(f"{prefix}q", size, size, bias)
        self.kv = Linear(f"{prefix}kv", source, 2 * size, bias)
        self.out = Linear(f"{prefix}out", size, size, bias)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights, by full name."""
        return self.q.shapes() | self.kv.shapes() | self.out.shapes()

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """See `Linear.initialise`."""
        for part in (self.q, self.kv, self.out):
            part.initialise(weights, generator)

    def forward(
        self,
        weights: Weights,
        x: Array,
        source: Array,
        streams: int,
        lengths: NDArray[np.int64] | None = None,
    ) -> tuple[Array, BackwardOfTwo]:
        """The answers [D, B * T] for ``streams`` B, and the backward pass; ``lengths`` [B]: how
        many steps the source of each stream has."""
        z, _, q_backward = self.q.forward(weights, x, USE)
        pair, _, kv_backward = self.kv.forward(weights, source, USE)
        q = z.reshape(self.heads, -1, streams, z.shape[1] // streams)
        kv = pair.reshape(2, self.heads, -1, streams, pair.shape[1] // streams)
        sight = Sight(lengths=lengths)
        y, spread = attend(heads_of(q), heads_of(kv[0]), heads_of(kv[1]), sight)
        columns = y.transpose(1, 2, 0, 3).reshape(z.shape)
        result, _, out_backward = self.out.forward(weights, columns, USE)

        def backward(dy: Array, gradients: Gradients) -> tuple[Array, Array]:
            inner = out_backward(dy, gradients).reshape(q.shape)
            dz, dpair = np.empty_like(z), np.empty_like(pair)
            slopes = dpair.reshape(kv.shape)
            spread(heads_of(inner), heads_of(dz.reshape(q.shape)), *map(heads_of, slopes))
            return q_backward(dz, gradients), kv_backward(dpair, gradients)

        return result, backward


class AdditiveAttention:
    """Scores v' tanh(query x + key source), and the mean [E, B * T] of the source by their softmax.

    Weights: ``<prefix>query`` [A, D], ``<prefix>key`` [A, E], ``<prefix>v`` [A].
    """

    def __init__(self, size: int, source: int, hidden: int, prefix: str) -> None:
        self.query = Linear(f"{prefix}query", size, hidden)
        self.key = Linear(f"{prefix}key", source, hidden)
        self.hidden = hidden
        self.v = f"{prefix}v"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights, by full name."""
        return self.query.shapes() | self.key.shapes() | {self.v: (self.hidden,)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """Glorot's range for the matrices, the same of a row for v."""
        self.query.initialise(weights, generator)
        self.key.initialise(weights, generator)
        uniform(weights[self.v], generator, float(np.sqrt(6 / (self.hidden + 1))))

    def forward(
        self,
        weights: Weights,
        x: Array,
        source: Array,
        streams: int,
        lengths: NDArray[np.int64] | None = None,
    ) -> tuple[Array, BackwardOfTwo]:
        """As `CrossAttention.forward`."""
        asked, _, query_backward = self.query.forward(weights, x, USE)
        known, _, key_backward = self.key.forward(weights, source, USE)
        v = weights[self.v]
        shape = (self.hidden, streams, -1)
        # [A, B, T, S]
        t = np.tanh(asked.reshape(shape)[..., None] + known.reshape(shape)[:, :, None])
        e = np.tensordot(v, t, 1)
        if lengths is not None:
            e[np.broadcast_to(np.arange(e.shape[2]) >= lengths[:, None, None], e.shape)] = -np.inf
        e = np.exp(e - e.max(axis=2, keepdims=True, initial=np.finfo(e.dtype).min))
        # The mean of an empty source is zero.
        e /= np.maximum(e.sum(axis=2, keepdims=True), np.finfo(e.dtype).tiny)
        values = source.reshape(len(source), streams, -1).swapaxes(0, 1)
        y = np.matmul(values, e.swapaxes(1, 2))

        def backward(dy: Array, gradients: Gradients) -> tuple[Array, Array]:
            g = dy.reshape(len(source), streams, -1).swapaxes(0, 1)
            of_e = np.matmul(g.swapaxes(1, 2), values)
            of_e -= (of_e * e).sum(axis=2, keepdims=True)
            of_e *= e
            gradients.add(self.v, np.tensordot(t, of_e, 3))
            of_sum = v[:, None, None, None] * of_e * (1 - t * t)
            dx = query_backward(of_sum.sum(axis=3).reshape(asked.shape), gradients)
            dsource = key_backward(of_sum.sum(axis=2).reshape(known.shape), gradients)
            dsource += np.matmul(g, e).swapaxes(0, 1).reshape(source.shape)
            return dx, dsource

        return y.swapaxes(0, 1).reshape(len(source), -1), backward
