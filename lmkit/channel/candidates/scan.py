"""Which words of a lexicon are within two edits of a typed word, by looking at all of them.

An edit brings at most one letter in and takes at most one away, so that of words within two edits
neither has more than two letters that the other has not. The letters of each word, and those that
it has twice, are a set of bits in one number, and a few operations on the numbers of all words of
about the same length leave some two hundredths of them. Those are followed letter by letter as long
as there is hope (`near.py`). That takes as long as a dozen of look-ups in a `DeletionIndex`, and
no time to build it: it is for the few words of somebody who asks. ``N`` is the number of words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.near import MOST_EDITS, near_words
from lmkit.channel.candidates.wordtable import WordTable

OWN, TWICE = 20, 11
"""So many of the most frequent letters have a bit of their own, and one for standing twice: the
numbers of all words have to fit into the processor's cache."""
AT_ONCE = 1 << 16


class WordScan:
    """Scans the words of ``table``, none of more than 32,000 letters."""

    def __init__(self, table: WordTable) -> None:
        self._table = table
        counts = np.bincount(table.codes, minlength=len(table.alphabet) + 1)
        # The other letters share a bit.
        self._bits = np.full(len(counts), 1 << OWN, np.uint32)
        frequent = 1 + np.argsort(-counts[1:], kind="stable")[:OWN]
        self._bits[frequent] = np.left_shift(
            np.uint32(1), np.arange(len(frequent), dtype=np.uint32)
        )
        # By length; where words of each length begin.
        self._lengths = table.lengths.astype(np.int16)
        self._rows = np.argsort(self._lengths, kind="stable")
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(self._lengths)))).tolist()
        self._lengths = self._lengths[self._rows]
        self._begins = table.starts[:-1][self._rows]
        self._letters = self._sets(table.codes, self._begins, self._lengths)

    def near(
        self, typed: WordTable, most: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (row of ``typed``, row of the lexicon), ascending, of all words within two edits
        of each other, and the distance of each. ``typed``, words of at most 62 letters, has the
        lexicon's alphabet. ``most`` [T]: of each typed word only the first so many rows are
        wanted."""
        none = np.zeros(0, np.int64)
        rows, apart = [none], [none]
        for word, length in enumerate(typed.lengths.tolist()):
            codes = typed.codes[typed.starts[word] : typed.starts[word + 1]].tolist()
            like = self._alike(self._set_of(codes), length)
            if most is not None:
                like = like[self._rows[like] < int(most[word])]
            near, edits = near_words(
                _places(codes, len(typed.alphabet) + 1),
                length,
                self._table.codes,
                self._begins[like],
                self._lengths[like],
            )
            mine = self._rows[like[near]]
            order = np.argsort(mine)
            rows.append(mine[order])
            apart.append(edits[order])
        sizes = [len(found) for found in rows[1:]]
        queries = np.repeat(np.arange(len(typed)), sizes)
        return queries, np.concatenate(rows), np.concatenate(apart)

    def _alike(self, letters: np.uint32, length: int) -> NDArray[np.int64]:
        """Where by length the words stand, the longest first, that have about the same ``letters``
        and about as many as a word of ``length``."""
        found = [np.zeros(0, np.int64)]
        longest = min(length + MOST_EDITS, len(self._starts) - 2)
        for size in range(longest, max(length - MOST_EDITS, 0) - 1, -1):
            # A letter that one of the words is longer by is an edit too, but may be in both.
            longer, shorter = max(size - length, 0), max(length - size, 0)
            end = self._starts[size + 1]
            for start in range(self._starts[size], end, AT_ONCE):
                mine = self._letters[start : min(start + AT_ONCE, end)]
                either = _few(mine ^ letters, 2 * MOST_EDITS - longer - shorter).nonzero()[0]
                mine = mine[either]
                both = _few(mine & ~letters, MOST_EDITS - shorter)
                both &= _few(~mine & letters, MOST_EDITS - longer)
                found.append(either[both] + start)
        return np.concatenate(found)

    def _sets(
        self, codes: NDArray[np.integer], begins: NDArray[np.int64], lengths: NDArray[np.integer]
    ) -> NDArray[np.uint32]:
        """The letters [W] of words that begin at ``begins`` of ``codes`` and have ``lengths``,
        which ascend: those that each has, and in the upper bits those that it has twice."""
        once, twice = np.zeros(len(begins), np.uint32), np.zeros(len(begins), np.uint32)
        for place in range(int(lengths.max(initial=0))):
            long = slice(int(np.searchsorted(lengths, place, side="right")), None)
            letter = self._bits.take(codes.take(begins[long] + place))
            twice[long] |= once[long] & letter
            once[long] |= letter
        return (twice << np.uint32(OWN + 1)) | once

    def _set_of(self, codes: Sequence[int]) -> np.uint32:
        """The letters of a word of these ``codes``, as in `_sets`."""
        once = twice = 0
        for letter in self._bits[codes].tolist():
            twice |= once & letter
            once |= letter
        return np.uint32((twice & (1 << TWICE) - 1) << OWN + 1 | once)


def _places(codes: Sequence[int], letters: int) -> NDArray[np.uint64]:
    """Where in a word of these ``codes`` each of the ``letters`` stands, as bits."""
    places = [0] * letters
    for place, code in enumerate(codes):
        places[code] |= 1 << place
    return np.array(places, np.uint64)


def _few(sets: NDArray[np.uint32], most: int) -> NDArray[np.bool_]:
    """Which of ``sets``, which may be overwritten, have at most ``most`` bits."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(sets) <= most
    for _ in range(most):
        # NumPy 1 has no such function; this takes the lowest bit away.
        sets &= sets - (sets != 0).astype(np.uint32)
    return sets == 0
