"""Many words as flat arrays of character codes, for work on all of them at once.

``N`` is the number of words, ``C`` of their code points together. A code is the rank of a
character among those of the table, from 1; 0 is any character that the table has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class WordTable:
    """``codes`` [C] of all words behind each other, ``starts`` [N + 1] into them, and the
    ``alphabet``: the table's code points, ascending."""

    codes: NDArray[np.uint16]
    starts: NDArray[np.int64]
    alphabet: NDArray[np.uint32]

    @classmethod
    def of(cls, words: Sequence[str], alphabet: NDArray[np.uint32] | None = None) -> WordTable:
        """The table of ``words``, with an ``alphabet`` of its own or that of another table.

        Characters past the 65,534th of an alphabet are taken as unknown.
        """
        points = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32)
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        starts = np.concatenate(([0], np.cumsum(lengths)))
        if alphabet is None:
            counts = np.bincount(points) if len(points) else np.zeros(1, np.int64)
            alphabet = np.flatnonzero(counts)[:65_534].astype(np.uint32)
        return cls(_codes(points, alphabet), starts, alphabet)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of characters of each word: [N]."""
        return np.diff(self.starts)

    def column(self, place: int, rows: NDArray[np.integer]) -> NDArray[np.uint16]:
        """The character at ``place`` of each word of ``rows``, which all are long enough."""
        return self.codes[self.starts[rows] + place]


def _codes(points: NDArray[np.uint32], alphabet: NDArray[np.uint32]) -> NDArray[np.uint16]:
    if not len(alphabet):
        return np.zeros(len(points), np.uint16)
    if int(alphabet[-1]) < 1 << 17:
        table = np.zeros(int(alphabet[-1]) + 2, np.uint16)
        table[alphabet] = np.arange(1, len(alphabet) + 1)
        return table[np.minimum(points, len(table) - 1)]
    places = np.minimum(np.searchsorted(alphabet, points), len(alphabet) - 1)
    return np.where(alphabet[places] == points, places + 1, 0).astype(np.uint16)
