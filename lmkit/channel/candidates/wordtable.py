"""Many words as flat arrays of character codes, for work on all of them at once.

``N`` is the number of words, ``C`` of their code points together. A code is the rank of a
character among those of the table, from 1; 0 is any character that the table has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.groups import stretches


@dataclass(frozen=True)
class WordTable:
    """``codes`` [C] of all words behind each other, ``starts`` [N + 1] into them, and the
    ``alphabet``: the table's code points, ascending."""

    codes: NDArray[np.integer]
    starts: NDArray[np.int64]
    alphabet: NDArray[np.uint32]

    @classmethod
    def of(cls, words: Sequence[str], alphabet: NDArray[np.uint32] | None = None) -> WordTable:
        """The table of ``words``, with an ``alphabet`` of its own or that of another table."""
        points = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32)
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        starts = np.concatenate(([0], np.cumsum(lengths)))
        if alphabet is None:
            counts = np.bincount(points) if len(points) else np.zeros(1, np.int64)
            alphabet = np.flatnonzero(counts).astype(np.uint32)
        return cls(_codes(points, alphabet), starts, alphabet)

    @classmethod
    def packed(
        cls,
        codes: NDArray[np.integer],
        starts: NDArray[np.int64],
        alphabet: NDArray[np.uint32],
    ) -> WordTable:
        """The table of ``codes`` of any type."""
        return cls(codes.astype(_kind(alphabet)), starts, alphabet)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of characters of each word: [N]."""
        return np.diff(self.starts)

    def first(self, most: int) -> WordTable:
        """The first ``most`` words."""
        if most >= len(self):
            return self
        return WordTable(self.codes[: self.starts[most]], self.starts[: most + 1], self.alphabet)

    def taken(self, rows: NDArray[np.integer]) -> WordTable:
        """The words in ``rows``, in that order."""
        lengths = self.lengths[rows]
        starts = np.concatenate(([0], np.cumsum(lengths)))
        return WordTable(self.codes[stretches(self.starts[rows], lengths)], starts, self.alphabet)

    def with_more(self, words: Sequence[str]) -> WordTable:
        """The words of the table, and ``words`` behind them."""
        more = WordTable.of(words)
        alphabet = np.union1d(self.alphabet, more.alphabet)
        return WordTable(
            np.concatenate((self._codes_in(alphabet), more._codes_in(alphabet))),
            np.concatenate((self.starts, self.starts[-1] + more.starts[1:])),
            alphabet,
        )

    def _codes_in(self, alphabet: NDArray[np.uint32]) -> NDArray[np.integer]:
        """The codes of the same words in a larger alphabet."""
        if len(alphabet) == len(self.alphabet):
            return self.codes
        codes = np.concatenate(([0], np.searchsorted(alphabet, self.alphabet) + 1))
        return codes.astype(_kind(alphabet))[self.codes]

    def column(self, place: int, rows: NDArray[np.integer]) -> NDArray[np.integer]:
        """The character at ``place`` of each word of ``rows``, which all are long enough."""
        return self.codes[self.starts[rows] + place]


def _kind(alphabet: NDArray[np.uint32]) -> type[np.integer]:
    """What holds the codes of ``alphabet``."""
    return np.uint16 if len(alphabet) < 1 << 16 else np.uint32


def _codes(points: NDArray[np.uint32], alphabet: NDArray[np.uint32]) -> NDArray[np.integer]:
    kind = _kind(alphabet)
    if not len(alphabet):
        return np.zeros(len(points), kind)
    if int(alphabet[-1]) < 1 << 17:
        table = np.zeros(int(alphabet[-1]) + 2, kind)
        table[alphabet] = np.arange(1, len(alphabet) + 1)
        return table[np.minimum(points, len(table) - 1)]
    places = np.minimum(np.searchsorted(alphabet, points), len(alphabet) - 1)
    return np.where(alphabet[places] == points, places + 1, 0).astype(kind)
