"""A softmax over rows of a matrix that is never normalised.

With l = w h + b, e = exp(l) and s its sum over the rows, the gradient of -log(e_y / s) is
(e - s [y]) / s. Only the columns of ``h`` are divided by s, not the matrix e: it is formed in
pieces that fit the cache, some columns at a time so that it never exists whole, and then read
twice by matrix products. The maximum of l is looked for only where exp has overflowed or vanished.

Shapes: w [R, H], b [R], h [H, N], targets [N] (rows of w), e [R, n] of n columns.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from lmkit.neural.arrays import Array
from lmkit.neural.losses.targets import Targets
from lmkit.neural.parameters import Gradients

PIECE = 1 << 18
"""Entries of e that are formed at once: 1 MiB of float32."""
FEW = 8
"""Up to so many pieces, targets are picked from l; beyond, a product of their own costs less."""
WHOLE = 1 << 23
"""Entries of e that exist at once: 32 MiB of float32."""


class Unnormalised:
    """The computation; ``excluded`` is a row whose probability is zero, if any."""

    def __init__(self, excluded: int | None = None) -> None:
        self.excluded = excluded
        self._room = threading.local()

    def train(
        self,
        w: Array,
        b: Array,
        h: Array,
        targets: Targets,
        gradients: Gradients,
        names: tuple[str, str],
    ) -> tuple[Array, Array]:
        """Losses [N] and the gradient [H, N] of ``sum(scales * losses)``; those of w and b are
        added to ``gradients`` under their ``names``. See `Softmax.train`."""
        losses = np.empty(len(targets), h.dtype)
        dh = np.empty_like(h)
        scales, smoothing, soft = targets.scales_as(h.dtype), targets.smoothing, targets.soft
        for here in self._columns(len(targets), len(w)):
            columns, ids = np.ascontiguousarray(h[:, here]), targets.ids[here]
            e = self._scratch((len(w), len(ids)), h.dtype)
            sums, shift, logits = self._fill(w, b, columns, e, ids)
            losses[here] = np.log(sums) + shift - logits
            if smoothing:
                losses[here] += smoothing * (logits - self._mean_logits(w, b, columns))
                e -= sums * (smoothing / self._choices(len(w)))
                if self.excluded is not None:
                    e[self.excluded] = 0
            share = 0.0
            if soft is not None:
                share = soft[1]
                e -= soft[0][:, here] * (share * sums)
            e[ids, np.arange(len(ids))] -= (1 - smoothing - share) * sums
            factors = scales[here] / sums
            np.matmul(w.T, e, out=dh[:, here])
            dh[:, here] *= factors
            rows = (columns * factors).T
            gradients.product(names[0], e, rows)
            gradients.product(names[1], e, factors)
        return losses, dh

    def log_prob(self, w: Array, b: Array, h: Array, targets: Array) -> Array:
        """log p of ``targets`` [N]: [N]."""
        result = np.empty(len(targets), h.dtype)
        for start in range(0, len(targets), 512):
            here = slice(start, start + 512)
            columns, ids = np.ascontiguousarray(h[:, here]), targets[here]
            sums, shift, logits = self._fill(w, b, columns, None, ids)
            result[here] = logits - shift - np.log(sums)
        if self.excluded is not None:
            result[targets == self.excluded] = -np.inf
        return result

    def log_probs_of(self, w: Array, b: Array, h: Array, rows: Array) -> Array:
        """log p of the ``rows`` [N, K]: [N, K]; no distribution exists whole."""
        result = np.empty(rows.shape, h.dtype)
        if not rows.size:
            return result
        width = max(1, min(512, WHOLE // max(1, rows.shape[1] * len(h))))
        for start in range(0, len(rows), width):
            here = slice(start, start + width)
            columns, ids = np.ascontiguousarray(h[:, here]), rows[here]
            log_sums = self.log_sums(w, b, columns)
            result[here] = self.logits_of(w, b, columns, ids) - log_sums[:, None]
        if self.excluded is not None:
            result[rows == self.excluded] = -np.inf
        return result

    def logits_of(self, w: Array, b: Array, h: Array, rows: Array) -> Array:
        """l of the ``rows`` [N, K]: [N, K]."""
        return np.matmul(w[rows], h.T[:, :, None])[:, :, 0] + b[rows]

    def log_sums(self, w: Array, b: Array, h: Array) -> Array:
        """log of the sum of e over the rows: [N]."""
        sums, shift = self._exponentials(w, b, h, None)
        return shift + np.log(sums)

    def log_probs(self, w: Array, b: Array, h: Array) -> Array:
        """log p of every row: [N, R]."""
        logits = np.matmul(w, h)
        logits += b[:, None]
        if self.excluded is not None:
            logits[self.excluded] = -np.inf
        logits = np.ascontiguousarray(logits.T)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits

    def _choices(self, rows: int) -> int:
        return rows - (self.excluded is not None)

    def _mean_logits(self, w: Array, b: Array, h: Array) -> Array:
        """The mean over the rows of l: [n]."""
        total_w, total_b = w.sum(axis=0), b.sum()
        if self.excluded is not None:
            total_w, total_b = total_w - w[self.excluded], total_b - b[self.excluded]
        return (total_w @ h + total_b) / self._choices(len(w))

    def _columns(self, count: int, rows: int) -> Iterator[slice]:
        """Stretches of columns whose e is at most `WHOLE`, of nearly equal width."""
        stretches = max(1, -(-count * rows // WHOLE))
        width = max(1, -(-count // stretches))
        for start in range(0, count, width):
            yield slice(start, min(start + width, count))

    def _scratch(self, shape: tuple[int, int], dtype: np.dtype) -> Array:
        """Room that each thread keeps: fresh memory of this size costs a page fault a page."""
        size = shape[0] * shape[1]
        room = getattr(self._room, "array", None)
        if room is None or len(room) < size or room.dtype != dtype:
            room = self._room.array = np.empty(size, dtype)
        return room[:size].reshape(shape)

    def _fill(
        self, w: Array, b: Array, h: Array, e: Array | None, ids: Array
    ) -> tuple[Array, Array | float, Array]:
        """The sums [n] of e over the rows, what was taken off l before, and l of the rows ``ids``
        [n]; e is kept where room for it is given."""
        logits = np.empty(len(ids), h.dtype)
        few = len(w) * len(ids) <= FEW * PIECE
        if not few:
            logits = (w[ids].T * h).sum(axis=0) + b[ids]
        sums, shift = self._exponentials(w, b, h, e, (ids, logits) if few else None)
        return sums, shift, logits

    def _exponentials(
        self, w: Array, b: Array, h: Array, e: Array | None, pick: tuple[Array, Array] | None = None
    ) -> tuple[Array, Array | float]:
        """The sums [n] of e over the rows, and what was taken off l before; ``e`` and ``pick`` as
        in `_fill` and `_sums`."""
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self._sums(w, b, h, e, None, pick)
            if self._sound(sums):
                return sums, 0.0
            shift = np.full(h.shape[1], -np.inf, h.dtype)
            for _, piece in self._pieces(w, b, h, None):
                np.maximum(shift, piece.max(axis=0), out=shift)
            return self._sums(w, b, h, e, shift), shift

    def _sound(self, sums: Array) -> bool:
        limits = np.finfo(sums.dtype)
        return bool(((sums > limits.tiny**0.5) & (sums < limits.max**0.75)).all())

    def _sums(
        self,
        w: Array,
        b: Array,
        h: Array,
        e: Array | None,
        shift: Array | None = None,
        pick: tuple[Array, Array] | None = None,
    ) -> Array:
        """``pick`` are rows [n], and where their l goes."""
        sums = np.zeros(h.shape[1], h.dtype)
        for start, piece in self._pieces(w, b, h, e):
            if pick is not None:
                ids, logits = pick
                here = np.flatnonzero((ids >= start) & (ids < start + len(piece)))
                logits[here] = piece[ids[here] - start, here]
            if shift is not None:
                piece -= shift
            np.exp(piece, out=piece)
            sums += piece.sum(axis=0)
        return sums

    def _pieces(self, w: Array, b: Array, h: Array, e: Array | None) -> Iterator[tuple[int, Array]]:
        """The logits, some rows at a time, each with the first row's number, in ``e`` or in room
        that is used again."""
        height = max(16, PIECE // max(1, h.shape[1]))
        room = np.empty((height, h.shape[1]), h.dtype) if e is None else e
        for start in range(0, len(w), height):
            stop = min(start + height, len(w))
            piece = room[: stop - start] if e is None else room[start:stop]
            np.matmul(w[start:stop], h, out=piece)
            piece += b[start:stop, None]
            if self.excluded is not None and start <= self.excluded < stop:
                piece[self.excluded - start] = -np.inf
            yield start, piece
