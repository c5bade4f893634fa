"""Keys and values of what streams have read, kept while they read on.

A state never changes, and yet a step that generates must not copy all that was read before it. So
states share memory that only grows: each knows up to where it reads, and the one that ends where
the memory is filled so far writes behind it. Any other copies what it looks back to, and so do
streams that were selected, but not before they read on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lmkit.neural.arrays import Array
from lmkit.neural.tree import Growing

SPARE = 16
"""So many more steps at least fit where memory is made; it is touched only when they are read."""

_CLAIMING = threading.Lock()
"""Held while it is decided which state writes where: threads may go on from one state."""


class _Memory:
    """Keys and values [2, B, H, S, K], of which ``filled`` steps S are written."""

    __slots__ = ("array", "filled")

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, filled: int) -> None:
        self.array = np.empty(shape, dtype)
        self.filled = filled

    def claim(self, end: int, steps: int) -> bool:
        """Whether the caller, who reads up to ``end``, may write ``steps`` steps from there on."""
        with _CLAIMING:
            if end != self.filled or end + steps > self.array.shape[3]:
                return False
            self.filled = end + steps
            return True


def _of(array: Array) -> _Memory:
    """Memory of just these keys and values."""
    memory = _Memory(array.shape, array.dtype, array.shape[3])
    memory.array[...] = array
    return memory


class Past(Growing):
    """The last steps of B streams, at most ``most`` of them; ``read`` [1, B] counts all steps of
    each stream, which may have read more or less than others: they end together."""

    __slots__ = ("_end", "_memory", "_rows", "most", "read")

    def __init__(
        self,
        memory: _Memory,
        end: int,
        most: int,
        read: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        """``rows`` [B]: which streams of the memory they are; None: all."""
        self._memory = memory
        self._end = end
        self._rows = rows
        self.most = most
        self.read = read

    @classmethod
    def empty(cls, streams: int, heads: int, width: int, most: int, dtype: DTypeLike) -> Past:
        """That of streams that have read nothing, of ``heads`` heads of so many units."""
        memory = _Memory((2, streams, heads, 0, width), dtype, 0)
        return cls(memory, 0, most, np.zeros((1, streams), np.int64))

    @property
    def count(self) -> int:
        """How many steps the stream that has most can look back to."""
        return min(int(self.read.max(initial=0)), self.most)

    def last(self, steps: int) -> Array:
        """Keys and values of the last ``steps`` steps, [2, B, H, steps, K]: to look at only."""
        found = self._memory.array[:, :, :, self._end - steps : self._end]
        return found if self._rows is None else found[:, self._rows]

    def append(self, new: Array) -> Past:
        """With keys and values ``new`` [2, B, H, T, K] of T more steps."""
        steps, memory, end = new.shape[3], self._memory, self._end
        if self._rows is not None or not memory.claim(end, steps):
            end = self.count
            memory = self._copy(end, steps)
        memory.array[:, :, :, end : end + steps] = new
        return Past(memory, end + steps, self.most, self.read + steps)

    def _copy(self, count: int, steps: int) -> _Memory:
        """Memory that has the last ``count`` steps, and room for ``steps`` that the caller writes
        and for about as many again, so that few steps copy."""
        old = self._memory.array[:, :, :, self._end - count : self._end]
        room = count + steps + max(SPARE, min(count + steps, self.most))
        shape = (2, self.streams, old.shape[2], room, old.shape[4])
        memory = _Memory(shape, old.dtype, count + steps)
        if self._rows is None:
            memory.array[:, :, :, :count] = old
        else:
            for stream, row in enumerate(self._rows.tolist()):
                memory.array[:, stream, :, :count] = old[:, row]
        return memory

    # -- what `lmkit.neural.tree` asks for ----------------------------------------------------

    @property
    def streams(self) -> int:
        return self.read.shape[1]

    def select(self, which: slice | NDArray[np.integer]) -> Past:
        everyone = np.arange(self.streams)
        chosen = everyone[which]
        if np.array_equal(chosen, everyone):
            return self
        rows = chosen if self._rows is None else self._rows[chosen]
        return Past(self._memory, self._end, self.most, self.read[:, chosen], rows)

    def join(self, others: Sequence[Growing]) -> Past:
        pasts = [self, *(other for other in others if isinstance(other, Past))]
        read = np.concatenate([past.read for past in pasts], axis=1)
        count = min(int(read.max(initial=0)), self.most)
        old = self._memory.array
        both = np.zeros((2, read.shape[1], old.shape[2], count, old.shape[4]), old.dtype)
        first = 0
        for past in pasts:
            mine = past.count
            both[:, first : first + past.streams, :, count - mine :] = past.last(mine)
            first += past.streams
        return Past(_of(both), count, self.most, read)

    def arrays(self) -> tuple[Array, ...]:
        """Keys and values, each [H * K, S, B], and the steps read [1, B]."""
        keys, values = self.last(self.count).transpose(0, 2, 4, 3, 1)
        shape = (keys.shape[0] * keys.shape[1], self.count, self.streams)
        return keys.reshape(shape), values.reshape(shape), self.read

    def restored(self, arrays: Sequence[Array]) -> Past:
        keys, values, read = arrays
        _, _, heads, _, width = self._memory.array.shape
        streams = self.streams
        steps = keys.shape[1] if keys.ndim == 3 else -1
        if (
            not keys.shape == values.shape == (heads * width, steps, streams)
            or read.shape != (1, streams)
            or read.dtype.kind != "i"
            or read.min(initial=0) < 0
            or steps < min(int(read.max(initial=0)), self.most)
        ):
            raise ValueError("keys and values have another shape than their layer")
        old = np.stack((keys, values)).reshape(2, heads, width, steps, streams)
        old = old.transpose(0, 4, 1, 3, 2).astype(self._memory.array.dtype)
        return Past(_of(old), steps, self.most, read.astype(np.int64))

    def __reduce__(self) -> tuple[Any, ...]:
        # Only what is read, not the memory behind it.
        _, _, heads, _, width = self._memory.array.shape
        shape = (self.streams, heads, width, self.most, self._memory.array.dtype)
        return _again, (shape, self.arrays())


def _again(shape: tuple[int, int, int, int, Any], arrays: Sequence[Array]) -> Past:
    return Past.empty(*shape).restored(arrays)
