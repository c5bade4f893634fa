"""Hashes of all parts of a text, and words found by them at all places at once.

The hash of a part is a polynomial of its letters' hashes modulo 2 ** 64, so that it follows from
sums over the whole text, for any part and for a part with a letter left out. ``n`` is the length of
a text, ``P`` of parts asked about.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(MULTIPLIER), -1, 1 << 64))


class HashedText:
    """A text of code points [n], whose parts are hashed when they are asked for."""

    def __init__(self, points: NDArray[np.integer]) -> None:
        self._up = _powers(MULTIPLIER, len(points))
        self._sums = np.zeros(len(points) + 1, np.uint64)
        np.cumsum(_hashes(points) * _powers(_INVERSE, len(points))[:-1], out=self._sums[1:])

    def of(self, begin: NDArray[np.integer], end: NDArray[np.integer]) -> NDArray[np.uint64]:
        """The hash [P] of what stands from ``begin`` to ``end`` [P]; 0 of nothing."""
        return (self._sums[end] - self._sums[begin]) * self._up[np.maximum(end - 1, 0)]

    def without(
        self,
        begin: NDArray[np.integer],
        end: NDArray[np.integer],
        place: NDArray[np.integer],
    ) -> NDArray[np.uint64]:
        """The same without the letter at ``place`` [P]."""
        return self.of(begin, place) * self._up[end - place - 1] + self.of(place + 1, end)


class WordHashes:
    """Finds words at all places of a text. Words longer than ``longest`` are left out."""

    def __init__(self, points: NDArray[np.integer], table: WordTable, longest: int) -> None:
        """``points``: of all words of ``table`` behind each other."""
        text = HashedText(points)
        starts, lengths = table.starts[:-1], np.diff(table.starts)
        keys = text.of(starts, table.starts[1:])
        order = np.lexsort((keys, lengths))
        bounds = np.searchsorted(lengths[order], np.arange(longest + 2))
        self._rows = order.astype(np.int32)
        self._keys = keys[order]
        self._bounds = bounds.tolist()

    def rows(self, points: NDArray[np.integer], room: NDArray[np.integer]) -> NDArray[np.int32]:
        """Rows of the words [longest + 1, n]: of the part of each length that begins at each of
        ``points`` [n], as far as there is ``room`` [n]; -1 where it is no word."""
        text = HashedText(points)
        longest = len(self._bounds) - 2
        result = np.full((longest + 1, len(points)), -1, np.int32)
        for length in range(1, longest + 1):
            low, high = self._bounds[length : length + 2]
            begin = np.flatnonzero(room >= length)
            if low == high or not len(begin):
                continue
            keys = text.of(begin, begin + length)
            place = np.minimum(np.searchsorted(self._keys[low:high], keys) + low, high - 1)
            found = self._keys[place] == keys
            result[length, begin[found]] = self._rows[place[found]]
        return result


def _hashes(points: NDArray[np.integer]) -> NDArray[np.uint64]:
    """A number for each code point."""
    mixed = (points.astype(np.uint64) + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(29))


def _powers(base: np.uint64, most: int) -> NDArray[np.uint64]:
    """``base`` ** 0, 1, ... ``most``, modulo 2 ** 64."""
    factors = np.full(most + 1, base, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)
