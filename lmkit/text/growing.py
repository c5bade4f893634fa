"""Arrays that grow at the end, in amortised constant time an element; and stretches of one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class GrowingArray:
    """A one-dimensional array; ``values`` is a view of what it holds."""

    def __init__(self, dtype: DTypeLike, first: Any = ()) -> None:
        self._room = np.array(first, dtype=dtype)
        self._size = len(self._room)

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> NDArray[Any]:
        return self._room[: self._size]

    def extend(self, values: Any) -> None:
        """Append ``values`` [n]."""
        end = self._size + len(values)
        if end > len(self._room):
            room = np.zeros(max(end, 2 * len(self._room), 64), dtype=self._room.dtype)
            room[: self._size] = self.values
            self._room = room
        self._room[self._size : end] = values
        self._size = end

    def add(self, values: NDArray[Any]) -> None:
        """Add ``values`` [n] to the first ``n`` elements, growing by zeros where needed."""
        if len(values) > self._size:
            self.extend(np.zeros(len(values) - self._size, dtype=self._room.dtype))
        self._room[: len(values)] += values


def gather(
    flat: NDArray[np.int32], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.int32]:
    """``flat[starts[i]:stops[i]]`` of all ``i``, concatenated."""
    lengths = stops - starts
    before = np.cumsum(lengths)
    total = int(before[-1]) if len(before) else 0
    return flat[np.repeat(starts - before + lengths, lengths) + np.arange(total)]
