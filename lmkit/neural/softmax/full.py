"""The softmax over all tokens, never normalised.

With l = w h + b, e = exp(l) and s its sum over the tokens, the gradient of -log(e_y / s) is
(e - s [y]) / s. Only the columns of ``h`` are divided by s, not the [V, N] matrix e: it is formed
in pieces that fit the cache, some columns at a time so that it never exists whole, and read twice
by matrix products. The maximum of l is looked for only where exp has overflowed or vanished.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from lmkit.model import BOS
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import uniform, unigram_log_counts
from lmkit.neural.softmax.base import Softmax

PIECE = 1 << 18
"""Entries of e that are formed at once: 1 MiB of float32."""
WHOLE = 1 << 23
"""Entries of e that exist at once: 32 MiB of float32."""


class FullSoftmax(Softmax):
    """Weights: the output vectors [V, H] and ``output.b`` [V]."""

    name = "full"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._room = threading.local()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.embedding: (self.vocabulary, self.features), "output.b": (self.vocabulary,)}

    def initialise(self, weights: Weights, counts: Array, generator: np.random.Generator) -> None:
        if self.embedding == "output.w":
            uniform(weights["output.w"], generator, self.features**-0.5)
        unigram_log_counts(weights["output.b"], counts)

    def train(
        self,
        weights: Weights,
        h: Array,
        targets: Array,
        scale: Array | float,
        gradients: Weights,
        generator: np.random.Generator,
        smoothing: float = 0.0,
    ) -> tuple[Array, Array]:
        w = weights[self.embedding]
        losses = self.xp.empty(len(targets), h.dtype)
        dh = self.xp.empty_like(h)
        scales = self.xp.broadcast_to(self.xp.asarray(scale, h.dtype), targets.shape)
        for here in self._columns(len(targets)):
            columns, ids = self.xp.ascontiguousarray(h[:, here]), targets[here]
            e, sums, shift = self._exponentials(weights, columns)
            logits = (w[ids].T * columns).sum(axis=0) + weights["output.b"][ids]
            losses[here] = self.xp.log(sums) + shift - logits
            if smoothing:
                losses[here] = self._smooth(weights, columns, losses[here], logits, smoothing)
                e -= sums * (smoothing / (self.vocabulary - 1))
                e[BOS] = 0
            e[ids, self.xp.arange(len(ids))] -= (1 - smoothing) * sums
            factors = scales[here] / sums
            dh[:, here] = self.xp.matmul(w.T, e) * factors
            self._weight_gradients(e, columns, factors, gradients, here.start == 0)
        return losses, dh

    def _columns(self, count: int) -> Iterator[slice]:
        """Stretches of columns whose e is at most `WHOLE`, of nearly equal width."""
        parts = max(1, -(-count * self.vocabulary // WHOLE))
        width = -(-count // parts)
        for start in range(0, count, width):
            yield slice(start, min(start + width, count))

    def _smooth(
        self, weights: Weights, h: Array, losses: Array, logits: Array, smoothing: float
    ) -> Array:
        """Losses against targets of which ``smoothing`` is spread evenly."""
        mean_w = weights[self.embedding].sum(axis=0) - weights[self.embedding][BOS]
        mean_b = weights["output.b"].sum() - weights["output.b"][BOS]
        mean = (mean_w @ h + mean_b) / (self.vocabulary - 1)
        return losses + smoothing * (logits - mean)

    def _weight_gradients(
        self, e: Array, h: Array, factors: Array, gradients: Weights, first: bool
    ) -> None:
        rows = (h * factors).T
        if first:
            self.xp.matmul(e, rows, out=gradients[self.embedding])
            self.xp.matmul(e, factors, out=gradients["output.b"])
        else:
            gradients[self.embedding] += self.xp.matmul(e, rows)
            gradients["output.b"] += self.xp.matmul(e, factors)

    def _exponentials(self, weights: Weights, h: Array) -> tuple[Array, Array, Array | float]:
        """e [V, n] and its sums [n] over the tokens, and what was taken off l first."""
        e = self._scratch((self.vocabulary, h.shape[1]), h.dtype)
        sums, shift = self._fill(weights, h, e)
        return e, sums, shift

    def _scratch(self, shape: tuple[int, int], dtype: np.dtype) -> Array:
        """Room that each thread keeps: fresh memory of this size costs a page fault a page."""
        size = shape[0] * shape[1]
        room = getattr(self._room, "array", None)
        if room is None or len(room) < size or room.dtype != dtype:
            room = self._room.array = self.xp.empty(size, dtype)
        return room[:size].reshape(shape)

    def _fill(
        self, weights: Weights, h: Array, e: Array | None = None
    ) -> tuple[Array, Array | float]:
        """The sums [n], e being kept where room for it is given, and the shift."""
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self._sums(weights, h, e)
            if self._sound(sums):
                return sums, 0.0
            shift = self._maxima(weights, h)
            return self._sums(weights, h, e, shift), shift

    def _sound(self, sums: Array) -> bool:
        limits = np.finfo(sums.dtype)
        low, high = limits.tiny**0.5, limits.max**0.75
        return bool(((sums > low) & (sums < high)).all())

    def _sums(
        self, weights: Weights, h: Array, e: Array | None, shift: Array | None = None
    ) -> Array:
        sums = self.xp.zeros(h.shape[1], h.dtype)
        for rows, piece in self._pieces(weights, h, e):
            if shift is not None:
                piece -= shift
            self.xp.exp(piece, out=piece)
            sums += piece.sum(axis=0)
        return sums

    def _maxima(self, weights: Weights, h: Array) -> Array:
        maxima = self.xp.full(h.shape[1], -np.inf, h.dtype)
        for _, piece in self._pieces(weights, h, None):
            self.xp.maximum(maxima, piece.max(axis=0), out=maxima)
        return maxima

    def _pieces(
        self, weights: Weights, h: Array, e: Array | None
    ) -> Iterator[tuple[slice, Array]]:
        """Rows of the logits, in the pieces that fit the cache."""
        w, b = weights[self.embedding], weights["output.b"][:, None]
        height = max(16, PIECE // max(1, h.shape[1]))
        room = None if e is not None else self.xp.empty((height, h.shape[1]), h.dtype)
        for start in range(0, self.vocabulary, height):
            rows = slice(start, min(start + height, self.vocabulary))
            piece = e[rows] if e is not None else room[: rows.stop - start]  # type: ignore[index]
            self.xp.matmul(w[rows], h, out=piece)
            piece += b[rows]
            if rows.start <= BOS < rows.stop:
                piece[BOS - rows.start] = -np.inf
            yield rows, piece

    def log_prob(self, weights: Weights, h: Array, targets: Array) -> Array:
        w = weights[self.embedding]
        result = self.xp.empty(len(targets), h.dtype)
        for start in range(0, len(targets), 512):
            here = slice(start, start + 512)
            columns, ids = self.xp.ascontiguousarray(h[:, here]), targets[here]
            sums, shift = self._fill(weights, columns)
            logits = (w[ids].T * columns).sum(axis=0) + weights["output.b"][ids]
            result[here] = logits - shift - self.xp.log(sums)
        result[targets == BOS] = -np.inf
        return result

    def log_probs(self, weights: Weights, h: Array) -> Array:
        logits = self.xp.matmul(weights[self.embedding], h)
        logits += weights["output.b"][:, None]
        logits[BOS] = -np.inf
        logits = self.xp.ascontiguousarray(logits.T)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= self.xp.log(self.xp.exp(logits).sum(axis=1, keepdims=True))
        return logits
