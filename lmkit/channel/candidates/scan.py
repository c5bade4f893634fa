"""Which words of a lexicon are within two edits of a typed word, by looking at all of them.

An edit brings at most one letter in and takes at most one away, so that of words within two edits
neither has more than two letters that the other has not. The letters of each word are a set of
bits in one number, and a few operations on the numbers of all words of about the same length
leave some hundredth of them. Those are followed letter by letter as long as there is hope
(`near.py`). That takes as long as a dozen of look-ups in a `DeletionIndex`, and no time to build
it: it is for the few words of somebody who asks. ``N`` is the number of words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.near import MOST_EDITS, near_words
from lmkit.channel.candidates.wordtable import WordTable

_OWN_BITS = 31


class WordScan:
    """Scans the words of ``table``, none of more than 32,000 letters."""

    def __init__(self, table: WordTable) -> None:
        self._table = table
        counts = np.bincount(table.codes, minlength=len(table.alphabet) + 1)
        # The most frequent letters have a bit of their own, the others share one.
        self._bits = np.full(len(counts), 1 << _OWN_BITS, np.uint32)
        frequent = 1 + np.argsort(-counts[1:], kind="stable")[:_OWN_BITS]
        self._bits[frequent] = np.left_shift(
            np.uint32(1), np.arange(len(frequent), dtype=np.uint32)
        )
        # By length; where words of each length begin.
        self._lengths = table.lengths.astype(np.int16)
        self._rows = np.argsort(self._lengths, kind="stable")
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(self._lengths)))).tolist()
        self._letters = self._sets(table)[self._rows]
        self._lengths = self._lengths[self._rows]
        self._begins = table.starts[:-1][self._rows]

    def near(
        self, typed: WordTable, most: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (row of ``typed``, row of the lexicon), ascending, of all words within two edits
        of each other, and the distance of each. ``typed``, words of at most 62 letters, has the
        lexicon's alphabet. ``most`` [T]: of each typed word only the first so many rows are
        wanted."""
        none = np.zeros(0, np.int64)
        rows, apart = [none], [none]
        letters = self._sets(typed)
        for word, length in enumerate(typed.lengths.tolist()):
            like = self._alike(letters[word], length)
            if most is not None:
                like = like[self._rows[like] < int(most[word])]
            near, edits = near_words(
                _places(typed, word),
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
            start = self._starts[size]
            mine = self._letters[start : self._starts[size + 1]]
            either = np.flatnonzero(_few(mine ^ letters, 2 * MOST_EDITS - longer - shorter))
            mine = mine[either]
            both = _few(mine & ~letters, MOST_EDITS - shorter)
            both &= _few(~mine & letters, MOST_EDITS - longer)
            found.append(either[both] + start)
        return np.concatenate(found)

    def _sets(self, words: WordTable) -> NDArray[np.uint32]:
        """The letters of each of ``words``, which have the table's alphabet: [N]."""
        letters = np.zeros(len(words), np.uint32)
        some = np.flatnonzero(words.lengths)
        if len(some):
            starts = words.starts[:-1][some]
            letters[some] = np.bitwise_or.reduceat(self._bits[words.codes], starts)
        return letters


def _places(words: WordTable, word: int) -> NDArray[np.uint64]:
    """Where in one of ``words`` each letter of their alphabet stands, as bits."""
    places = [0] * (len(words.alphabet) + 1)
    begin, end = words.starts[word : word + 2].tolist()
    for place, code in enumerate(words.codes[begin:end].tolist()):
        places[code] |= 1 << place
    return np.array(places, np.uint64)


def _few(sets: NDArray[np.uint32], most: int) -> NDArray[np.bool_]:
    """Which of ``sets``, which may be overwritten, have at most ``most`` bits."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(sets) <= most
    for _ in range(most):
        # NumPy 1 has no such function; this takes the lowest bit away.
        sets &= sets - (sets != 0)
    return sets == 0
