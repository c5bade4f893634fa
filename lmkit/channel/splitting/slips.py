"""Words with one typing error in them, at any place of a text.

A letter left out of a word, or of what was typed, makes the two equal where one letter was added,
left out, or typed for another, or two changed places: hashes of the words and of all their
deletions are sorted (the index of symmetric deletions), and those of parts of a text are looked up.

``P`` is the number of parts asked about, ``M`` of words that they may be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.groups import stretches
from lmkit.channel.splitting.hashing import HashedText

_SIEVE_BITS = 22
_KINDS = 4
_ALPHABET = 26


class SlipFinder:
    """Finds the words of ``rows`` of ``table`` that a part of a text is one slip away from."""

    def __init__(
        self, points: NDArray[np.integer], table: WordTable, rows: NDArray[np.int64]
    ) -> None:
        """``points``: of all words of ``table`` behind each other."""
        text = HashedText(points)
        begin, end = table.starts[rows], table.starts[rows + 1]
        sizes = end - begin
        place = stretches(begin, sizes)
        owner = np.repeat(np.arange(len(rows)), sizes)
        keys = np.concatenate([text.of(begin, end), text.without(begin[owner], end[owner], place)])
        order = np.argsort(keys)
        self._keys = keys[order]
        self._row = np.concatenate([rows, rows[owner]])[order]
        left_out = np.concatenate([np.full(len(rows), -1), place - begin[owner]])
        self._left_out = left_out[order].astype(np.int8)
        self._letter = np.concatenate([np.zeros(len(rows), np.uint32), points[place]])[order]
        self._sieve = np.zeros(1 << _SIEVE_BITS, bool)
        self._sieve[self._keys >> np.uint64(64 - _SIEVE_BITS)] = True

    def find(
        self,
        points: NDArray[np.integer],
        start: NDArray[np.int64],
        length: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """The number of a part, the row of a word and log p(slip | some slip) [M], parts in
        order. The kinds of slips are equally likely, and so are their places and letters."""
        part, entry, place = self._matches(points, start, length)
        other, meant = self._left_out[entry].astype(np.int64), self._letter[entry]
        typed = points[start[part] + np.maximum(place, 0)]
        beside = points[start[part] + np.clip(other, 0, length[part] - 1)]
        size = length[part].astype(float)
        both = (place >= 0) & (other >= 0)
        ways = np.select(
            [
                (place < 0) & (other >= 0),
                (place >= 0) & (other < 0),
                both & (place == other) & (typed != meant),
                both & (np.abs(place - other) == 1) & (typed == meant) & (typed != beside),
            ],
            [size + 1, _ALPHABET * size, (_ALPHABET - 1) * size, np.maximum(size - 1, 1)],
            np.inf,
        )
        good = np.flatnonzero(np.isfinite(ways))
        part, row = part[good], self._row[entry[good]]
        log_prob = -np.log(_KINDS * ways[good])
        order = np.lexsort((-log_prob, row, part))
        part, row, log_prob = part[order], row[order], log_prob[order]
        first = np.ones(len(part), bool)
        first[1:] = (part[1:] != part[:-1]) | (row[1:] != row[:-1])
        return part[first], row[first], log_prob[first]

    def _matches(
        self,
        points: NDArray[np.integer],
        start: NDArray[np.int64],
        length: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Parts, entries of the index with their hashes, and the letters left out of the parts,
        -1 for none."""
        text = HashedText(points)
        parts, entries, places = [], [], []
        for place in range(-1, int(length.max(initial=0))):
            asked = np.flatnonzero(length > place)
            begin, end = start[asked], start[asked] + length[asked]
            keys = text.of(begin, end) if place < 0 else text.without(begin, end, begin + place)
            # Most parts are no words: a table of bits is asked before the sorted keys.
            maybe = self._sieve[keys >> np.uint64(64 - _SIEVE_BITS)]
            asked, keys = asked[maybe], keys[maybe]
            low = np.searchsorted(self._keys, keys)
            sizes = np.searchsorted(self._keys, keys, side="right") - low
            entries.append(stretches(low, sizes))
            parts.append(np.repeat(asked, sizes))
            places.append(np.full(len(entries[-1]), place))
        return np.concatenate(parts), np.concatenate(entries), np.concatenate(places)
