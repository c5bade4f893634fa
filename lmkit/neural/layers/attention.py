"""Attention: Vaswani et al. 2017, causal and within a window.

Inside, arrays are [B, heads, K, T], views of the feature-major columns of a pass whose steps lie
side by side for each stream (`Pass.by_stream`). Nothing is copied, as BLAS takes rows that lie
apart. Scores stand as [keys, queries], so that sums over keys are products with a vector of ones.
What a softmax divides by is divided by in the result, which is smaller than the scores.

`lmkit.neural.layers.cross_attention` has attention to what another network has read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.layers.compose import ByStream
from lmkit.neural.layers.linear import Linear
from lmkit.neural.layers.past import Past
from lmkit.neural.layers.positions import Relative, Rotary
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State

BLOCK = 32
"""Queries that are answered at once: keys behind the last of them are never looked at."""
LIMIT = 60.0
"""Scores of at most this size need no maximum taken off: neither exp nor a sum of many overflows or
vanishes in float32."""

SCORES = 1 << 18
"""So many at most are formed at once, where one stream has no more: they stay in the cache."""

Spread = Callable[[Array, Array, Array, Array], Array | None]
"""(gradient of the result, and where to write those of q, k and v) -> that of the bias."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Which keys a query sees, of keys [S] of which the first ``before`` were read earlier.

    ``causal``: query t sees key s if s <= before + t, and, with a ``window``, only the last
    ``window`` of those. ``first`` [B]: in each stream, the keys before it do not exist;
    ``lengths`` [B]: nor do those from there on.
    """

    causal: bool = False
    before: int = 0
    window: int | None = None
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    lengths: NDArray[np.int64] | None = None

    def of(self, streams: slice) -> Sight:
        """That of some streams."""
        first = self.first if len(self.first) == 1 else self.first[streams]
        return replace(
            self, first=first, lengths=None if self.lengths is None else self.lengths[streams]
        )

    def keys(self, start: int, stop: int, count: int) -> tuple[int, int]:
        """From and up to which of ``count`` keys the queries ``start`` to ``stop`` look at."""
        if not self.causal:
            return 0, count
        low = 0 if self.window is None else max(0, self.before + start - self.window + 1)
        return low, self.before + stop

    def shades(self, start: int, stop: int, low: int, high: int) -> Iterator[tuple[slice, Array]]:
        """Rows of the scores [high - low, stop - start] where something is hidden, and what is seen
        there, as bool [..., rows, queries]."""
        if self.causal:
            queries = self.before + np.arange(start, stop)
            own = max(self.before + start, low)
            yield slice(own - low, None), np.arange(own, high)[:, None] <= queries
            if self.window is not None and queries[-1] - self.window >= low:
                old = np.arange(low, min(queries[-1] - self.window + 1, high))
                yield slice(0, len(old)), old[:, None] > queries - self.window
        if self.first.any() and low < self.before:
            old = np.arange(low, min(self.before, high))
            yield slice(0, len(old)), (old >= self.first[:, None])[:, None, :, None]
        if self.lengths is not None:
            there = np.arange(low, high) < self.lengths[:, None]
            yield slice(0, None), there[:, None, :, None]


class _Block(NamedTuple):
    """Some queries, the keys they look at, exp(scores) and their sums over the keys."""

    queries: slice
    keys: slice
    e: Array
    sums: Array
    distances: Array | None


def attend(
    q: Array,
    k: Array,
    v: Array,
    sight: Sight = Sight(),
    bias: Array | None = None,
    learns: bool = False,
    training: bool = True,
) -> tuple[Array, Spread]:
    """softmax(k' q / sqrt(K)) over the keys, and v times it: [B, H, K, T] from q [B, H, K, T] and
    k, v [B, H, K, S]; and the backward pass, which needs all scores, kept in ``training`` only.

    ``bias`` [H, D], of causal attention, is added to the scores of keys that lie 0, 1, ... steps
    back; it has a gradient if it ``learns``. Keys read before the pass get no gradient: those of k
    and v are [B, H, K, S - before]. The result lies in memory as q does.
    """
    y = np.empty_like(q)
    width = max(1, SCORES // (q.shape[1] * max(1, k.shape[3]) * min(BLOCK, max(1, q.shape[3]))))
    parts = [slice(low, low + width) for low in range(0, len(q), width)]
    spreads = [_attend(q[p], k[p], v[p], sight.of(p), bias, learns, training, y[p]) for p in parts]

    def backward(dy: Array, dq: Array, dk: Array, dv: Array) -> Array | None:
        found = [
            spread(dy[p], dq[p], dk[p], dv[p]) for p, spread in zip(parts, spreads, strict=True)
        ]
        slopes = [part for part in found if part is not None]
        return sum(slopes[1:], slopes[0]) if slopes else None

    return y, backward


def _attend(
    q: Array,
    k: Array,
    v: Array,
    sight: Sight,
    bias: Array | None,
    learns: bool,
    training: bool,
    y: Array,
) -> Spread:
    """`attend` of some streams, whose result goes to ``y``; the backward pass."""
    scale = q.dtype.type(q.shape[2] ** -0.5)
    scaled = np.multiply(q, scale, order="C")
    # For few queries the maxima take less time than a bound.
    safe = q.shape[3] >= BLOCK and _bound(scaled, k, bias) <= LIMIT
    blocks = []
    for start in range(0, q.shape[3], BLOCK):
        queries = slice(start, min(start + BLOCK, q.shape[3]))
        low, high = sight.keys(start, queries.stop, k.shape[3])
        keys = slice(low, high)
        e = np.matmul(k[..., keys].swapaxes(2, 3), scaled[..., queries])
        distances = None
        if bias is not None:
            times = sight.before + np.arange(start, queries.stop)
            distances = np.clip(times - np.arange(low, high)[:, None], 0, bias.shape[1] - 1)
            e += bias[:, distances]
        _exponentials(e, sight.shades(start, queries.stop, low, high), safe)
        sums = np.matmul(np.ones((1, high - low), q.dtype), e)
        if sight.lengths is not None:
            # The mean of nothing is zero.
            sums[sums == 0] = 1
        np.divide(np.matmul(v[..., keys], e), sums, out=y[..., queries])
        if training:
            blocks.append(_Block(queries, keys, e, sums, distances))

    def backward(dy: Array, dq: Array, dk: Array, dv: Array) -> Array | None:
        dk[...] = 0
        dv[...] = 0
        slopes = np.zeros_like(bias) if learns and bias is not None else None
        for queries, keys, e, sums, distances in blocks:
            g = dy[..., queries] / sums
            ds = np.matmul(v[..., keys].swapaxes(2, 3), g)
            ds -= (g * y[..., queries]).sum(axis=2, keepdims=True)
            ds *= e
            np.multiply(np.matmul(k[..., keys], ds), scale, out=dq[..., queries])
            old = max(sight.before - keys.start, 0)
            new = slice(keys.start + old - sight.before, keys.stop - sight.before)
            dk[..., new] += np.matmul(scaled[..., queries], ds[:, :, old:].swapaxes(2, 3))
            dv[..., new] += np.matmul(g, e[:, :, old:].swapaxes(2, 3))
            if slopes is not None and distances is not None:
                np.add.at(slopes.T, distances, ds.sum(axis=0).transpose(1, 2, 0))
        return slopes

    return backward


def _bound(q: Array, k: Array, bias: Array | None) -> float:
    """A bound of the size of all scores, by Cauchy and Schwarz; ALiBi's bias falls from zero, so
    that some key of each query is within it."""
    if not k.size or not q.size:
        return 0.0
    longest = [float(np.einsum("bhkt,bhkt->bht", x, x).max()) for x in (q, k)]
    highest = 0.0 if bias is None else float(np.maximum(bias.max(), np.abs(bias[:, :1]).max()))
    return float(np.sqrt(longest[0] * longest[1])) + max(highest, 0.0)


def _exponentials(e: Array, shades: Iterator[tuple[slice, Array]], safe: bool) -> None:
    """exp of the scores ``e`` [B, H, S, T] in place, up to a factor for each query; zero where a
    key is hidden."""
    if safe:
        np.exp(e, out=e)
        for rows, seen in shades:
            e[:, :, rows] *= seen
        return
    for rows, seen in shades:
        np.copyto(e[:, :, rows], -np.inf, where=~seen)
    # Where nothing is seen, the highest score must be finite to give zeros.
    e -= e.max(axis=2, keepdims=True, initial=np.finfo(e.dtype).min)
    np.exp(e, out=e)


class SelfAttention(Layer):
    """Causal attention of ``heads`` heads, within a ``window``: a step sees itself and the
    ``window`` - 1 before it. ``<prefix>qkv`` [3 D, D] and ``<prefix>out`` [D, D]; x and y [D, N].

    The state is a `Past`: the keys and values of the last ``window`` - 1 steps that were read.

    ``deviations`` are those of the first weights. Raises `UsageError` where ``heads`` do not divide
    the width, or rotary positions have a head of odd width.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        window: int,
        prefix: str,
        positions: type[Relative] = Relative,
        bias: bool = False,
        deviations: tuple[float | None, float | None] = (None, None),
    ) -> None:
        if size % heads:
            pair = 2 if positions is Rotary and size % 2 == 0 else 1
            fit = [n for n in range(1, size + 1) if size % (pair * n) == 0]
            near = min(fit, key=lambda n: abs(n - heads))
            raise UsageError(
                f"{heads} heads do not divide a width of {size} units", f"--heads {near}"
            )
        if positions is Rotary and (size // heads) % 2:
            raise UsageError(
                f"rotary positions turn pairs of units, and a head has {size // heads}",
                "an even number of units for each head, or --positions alibi",
            )
        self.size = size
        self.heads = heads
        self.window = window
        self.positions = positions(heads, prefix)
        self.qkv = Linear(f"{prefix}qkv", size, 3 * size, bias, deviations[0])
        self.out = Linear(f"{prefix}out", size, size, bias, deviations[1])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.qkv.shapes() | self.out.shapes() | self.positions.shapes()

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """See `Linear.initialise`."""
        for part in (self.qkv, self.out, self.positions):
            part.initialise(weights, generator)

    def start(self, streams: int, dtype: DTypeLike) -> State:
        width = self.size // self.heads
        return (Past.empty(streams, self.heads, width, self.window - 1, dtype),)

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State
    ) -> tuple[Array, State, Backward]:
        """See `Layer.forward`."""
        if not pass_.by_stream:
            return ByStream(self).forward(weights, x, pass_, state)
        steps, streams = pass_.steps, x.shape[1] // pass_.steps
        (past,) = state
        read, before = past.read[0], past.count
        z, _, qkv_backward = self.qkv.forward(weights, x, pass_)
        parts = z.reshape(3, self.heads, -1, streams, steps)
        self.positions.turn(parts[:2], read)
        q, k, v = (heads_of(part) for part in parts)
        after = past.append(parts[1:].transpose(0, 3, 1, 4, 2))
        if before:
            k, v = after.last(before + steps).swapaxes(3, 4)
        sight = Sight(True, before, self.window, before - np.minimum(read, before))
        reach = min(self.window, before + steps)
        bias = self.positions.by_distance(weights, reach, x.dtype)
        y, spread = attend(q, k, v, sight, bias, self.positions.learns, pass_.training)
        columns = y.transpose(1, 2, 0, 3).reshape(self.size, -1)
        result, _, out_backward = self.out.forward(weights, columns, pass_)

        def backward(dy: Array, gradients: Gradients) -> Array:
            dz = np.empty_like(z)
            slopes = dz.reshape(parts.shape)
            inner = out_backward(dy, gradients).reshape(parts.shape[1:])
            of_bias = spread(heads_of(inner), *map(heads_of, slopes))
            if of_bias is not None:
                self.positions.learn(gradients, of_bias)
            self.positions.turn(slopes[:2], read, back=True)
            return qkv_backward(dz, gradients)

        return result, (after,), backward


def heads_of(x: Array) -> Array:
    """[H, K, B, T] as [B, H, K, T], a view."""
    return x.transpose(2, 0, 1, 3)
