"""A hash table from integers to small integers, for whole arrays at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Values = NDArray[np.int32]

ABSENT = -1
_EMPTY = -1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class IntegerTable:
    """Values of 0 and more for keys of 0 and more; a negative key is always absent.

    Open addressing: a key stands in the first free slot from its own on. No more than a quarter of
    the slots is taken, so that most look-ups see one.
    """

    def __init__(self) -> None:
        self._size = 0
        self._make(4)

    def _make(self, bits: int) -> None:
        self._shift = np.uint64(64 - bits)
        self._keys = np.full(1 << bits, _EMPTY, np.int64)
        self._values = np.full(1 << bits, ABSENT, np.int32)

    def put(self, keys: Keys, values: Values) -> None:
        """Add ``keys`` [n], which are distinct and new, with their ``values`` [n]."""
        self._size += len(keys)
        if 4 * self._size > len(self._keys):
            held = self._keys != _EMPTY
            keys = np.concatenate([self._keys[held], keys])
            values = np.concatenate([self._values[held], values])
            self._make((4 * self._size).bit_length())
        slots = self._slots(keys)
        while len(keys):
            free = self._keys[slots] == _EMPTY
            self._keys[slots[free]] = keys[free]  # of several for one slot one stays
            out = self._keys[slots] != keys
            self._values[slots[~out]] = values[~out]
            keys, values, slots = keys[out], values[out], self._next(slots[out])

    def get(self, keys: Keys) -> Values:
        """The value of each of ``keys`` [n], `ABSENT` for those that have none."""
        slots = self._slots(keys)
        found = self._keys[slots]
        values = self._values[slots]
        other = np.flatnonzero((found != keys) & (found != _EMPTY))
        values[other] = ABSENT
        keys, slots = keys[other], slots[other]
        while len(other):
            slots = self._next(slots)
            found = self._keys[slots]
            same = found == keys
            values[other[same]] = self._values[slots[same]]
            on = ~same & (found != _EMPTY)
            other, keys, slots = other[on], keys[on], slots[on]
        return values

    def _slots(self, keys: Keys) -> Keys:
        return ((keys.view(np.uint64) * _MULTIPLIER) >> self._shift).view(np.int64)

    def _next(self, slots: Keys) -> Keys:
        return (slots + 1) & (len(self._keys) - 1)
