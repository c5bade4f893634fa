"""Which words of a lexicon may be within two edits of a typed word, by looking at all of them.

An edit brings at most one letter in and takes at most one away, so that of words within two edits
neither has more than two letters that the other has not. The letters of each word are a set of
bits in one number, and a few operations on all numbers at once leave some hundredth of the words.
That takes as long as some dozens of look-ups in a `DeletionIndex`, and no time to build it: it is
for the few words of somebody who asks. ``N`` is the number of words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable

MOST_EDITS = 2
_OWN_BITS = 31


class WordScan:
    """Scans the words of ``table``."""

    def __init__(self, table: WordTable) -> None:
        self._lengths = table.lengths
        counts = np.bincount(table.codes, minlength=len(table.alphabet) + 1)
        # The most frequent letters have a bit of their own, the others share one.
        self._bits = np.full(len(counts), 1 << _OWN_BITS, np.uint32)
        frequent = 1 + np.argsort(-counts[1:], kind="stable")[:_OWN_BITS]
        self._bits[frequent] = np.left_shift(
            np.uint32(1), np.arange(len(frequent), dtype=np.uint32)
        )
        self._letters = self._sets(table)

    def lookup(
        self, typed: WordTable, most: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `DeletionIndex.lookup`."""
        found = [np.zeros(0, np.int64)]
        for place, (letters, length) in enumerate(
            zip(self._sets(typed), typed.lengths.tolist(), strict=True)
        ):
            found.append(self._near(letters, length, None if most is None else int(most[place])))
        sizes = [len(rows) for rows in found[1:]]
        return np.repeat(np.arange(len(typed)), sizes), np.concatenate(found)

    def _near(self, letters: np.uint32, length: int, most: int | None) -> NDArray[np.int64]:
        missing = ~self._letters[:most]
        missing &= letters
        rows = np.flatnonzero(_few(missing))
        more = self._letters[rows] & ~letters
        near = _few(more.copy())
        rows, more = rows[near], more[near]
        # A letter that one of the words is longer by is an edit too, but may be in both.
        apart: NDArray[np.int64] = self._lengths[rows] - length
        near = _count(more) + np.maximum(-apart, 0) <= MOST_EDITS
        near &= _count(letters & ~self._letters[rows]) + np.maximum(apart, 0) <= MOST_EDITS
        return rows[near]

    def _sets(self, words: WordTable) -> NDArray[np.uint32]:
        """The letters of each of ``words``, which have the table's alphabet: [N]."""
        letters = np.zeros(len(words), np.uint32)
        some = np.flatnonzero(words.lengths)
        if len(some):
            starts = words.starts[:-1][some]
            letters[some] = np.bitwise_or.reduceat(self._bits[words.codes], starts)
        return letters


def _few(sets: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which of ``sets``, which are overwritten, have at most `MOST_EDITS` bits."""
    for _ in range(MOST_EDITS):
        sets &= sets - np.uint32(1)
    return sets == 0


def _count(sets: NDArray[np.uint32]) -> NDArray[np.int64]:
    """How many bits each of ``sets`` has, which are at most two."""
    some = sets != 0
    return some.astype(np.int64) + ((sets & (sets - some)) != 0)
