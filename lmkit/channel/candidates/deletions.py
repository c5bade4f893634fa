"""Which words of a lexicon are within two edits of a typed word, by deletions alone.

Two words within two edits can be made equal by leaving out at most two letters of each (Garbe's
SymSpell, 2012; Bocek et al. 2007), and so can their beginnings of seven letters, since an edit
never needs more than one deletion on either side of the cut. The beginnings of all words with up
to two letters left out are hashed and sorted once; a look-up hashes the same of the typed word.

A beginning is seven codes of nine bits in one 64-bit word, the first letter lowest; leaving a
letter out is a shift. ``N`` words make up to 29 ``N`` entries.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.groups import stretches
from lmkit.threads import shared

PREFIX = 7
BITS = 9
MOST_BITS = 20
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class DeletionIndex:
    """The deletions of the words of ``table``, sorted by as many ``threads``."""

    def __init__(self, table: WordTable, threads: int = 1) -> None:
        self._table = table
        self._smaller: dict[int, DeletionIndex] = {}
        entries = _deletions(table)
        # Each thread has a range of the hashes.
        bounds = [np.uint64((k << 64) // threads) for k in range(threads)]
        ranges = [*pairwise(bounds), (bounds[-1], None)]
        parts = shared(lambda bounds: _sorted(entries, *bounds), ranges, threads)
        self._hashes, self._rows = map(_joined, zip(*parts, strict=True))
        size = len(self._hashes).bit_length()
        # About one entry a bucket, unless there are so many that buckets would take more room.
        bits = max(min(size, MOST_BITS), size - 3, 1)
        self._shift = np.uint64(32 - min(bits, 31))
        buckets = self._hashes >> np.uint32(self._shift)
        self._bucket_starts = np.concatenate(
            ([0], np.cumsum(np.bincount(buckets, minlength=1 << min(bits, 31))))
        )

    def lookup(
        self, typed: WordTable, most: NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (row of ``typed``, row of the lexicon), ascending and distinct, with all that
        are within two edits of each other and some that are not. ``typed`` has the lexicon's
        alphabet. ``most`` [T]: of each typed word only the first so many rows are wanted."""
        if most is None:
            pairs = self._pairs(typed)
        else:
            # Few distinct bounds: an index of the likeliest words has short lists for short words.
            found = [np.zeros(0, np.uint64)]
            for bound in sorted({int(bound) for bound in most.tolist()}, reverse=True):
                rows = np.flatnonzero(most == bound)
                near = self._of_first(bound)._pairs(typed.taken(rows))
                query = rows.astype(np.uint64)[near >> np.uint64(32)]
                found.append((query << np.uint64(32)) | near.astype(np.uint32))
            pairs = np.concatenate(found)
            pairs.sort()
        return (pairs >> np.uint64(32)).astype(np.int64), pairs.astype(np.uint32).astype(np.int64)

    def _of_first(self, most: int) -> DeletionIndex:
        """The index of the first ``most`` words alone; kept."""
        if most >= len(self._table):
            return self
        if most not in self._smaller:
            larger = min((size for size in list(self._smaller) if size > most), default=None)
            self._smaller[most] = (self if larger is None else self._smaller[larger])._cut(most)
        return self._smaller[most]

    def _cut(self, most: int) -> DeletionIndex:
        other = copy.copy(self)
        mine = np.flatnonzero(self._rows < most)
        other._hashes, other._rows = self._hashes[mine], self._rows[mine]
        # Entries keep their order: those of a bucket are still a stretch.
        other._bucket_starts = np.searchsorted(mine, self._bucket_starts)
        other._smaller = {}
        return other

    def _pairs(self, typed: WordTable) -> NDArray[np.uint64]:
        """Pairs as one number, the row of ``typed`` in its upper half; ascending and distinct."""
        entries = _deletions(typed)
        hashes, rows = entries >> np.uint64(32), entries & np.uint64(0xFFFFFFFF)
        bucket = hashes >> self._shift
        low = self._bucket_starts[bucket]
        sizes = self._bucket_starts[bucket + np.uint64(1)] - low
        places = stretches(low, sizes)
        asked = np.repeat(np.arange(len(hashes)), sizes)
        hit = np.flatnonzero(self._hashes[places] == hashes.astype(np.uint32)[asked])
        query, row = rows[asked[hit]], self._rows[places[hit]]
        apart = self._table.lengths[row] - typed.lengths[query]
        wanted = np.flatnonzero(np.abs(apart) <= 2)
        pairs = (query[wanted] << np.uint64(32)) | row[wanted]
        pairs.sort()
        return pairs[np.diff(pairs, prepend=pairs[:1] + np.uint64(1)) != 0]


def _sorted(
    entries: NDArray[np.uint64], low: np.uint64, high: np.uint64 | None
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Hashes and rows of the ``entries`` from ``low`` to below ``high``, in order; all of them may
    be overwritten. Memory that was never used takes longer to get than to fill."""
    mine = entries
    if low or high is not None:
        mine = (
            entries[entries >= low]
            if high is None
            else entries[(entries >= low) & (entries < high)]
        )
    mine.sort()
    rows = mine.astype(np.uint32)
    mine >>= np.uint64(32)
    return mine.astype(np.uint32), rows


def _joined(parts: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _deletions(table: WordTable) -> NDArray[np.uint64]:
    """Of each beginning with up to two letters left out the hash, in the upper half, and the word
    it is of."""
    packed, lengths = _beginnings(table)
    longer = [np.flatnonzero(lengths > place) for place in range(PREFIX)]
    left_outs = [*combinations(range(PREFIX), 1), *combinations(range(PREFIX), 2)]
    sizes = [len(longer[left_out[-1]]) for left_out in left_outs]
    entries = np.empty(len(table) + sum(sizes), np.uint64)
    entries[: len(table)] = _entries(packed, np.arange(len(table)))
    start = len(table)
    for left_out, size in zip(left_outs, sizes, strict=True):
        words = longer[left_out[-1]]
        shorter = packed[words]
        for place in reversed(left_out):
            shorter = _without(shorter, place)
        entries[start : start + size] = _entries(shorter, words)
        start += size
    return entries


def _entries(packed: NDArray[np.uint64], words: NDArray[np.int64]) -> NDArray[np.uint64]:
    hashes = packed * _MULTIPLIER
    hashes &= np.uint64(0xFFFFFFFF << 32)
    hashes |= words.astype(np.uint64)
    return hashes


def _beginnings(table: WordTable) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    lengths = np.minimum(table.lengths, PREFIX)
    packed = np.zeros(len(table), np.uint64)
    for place in range(PREFIX):
        rows = np.flatnonzero(lengths > place)
        # Unknown letters must not vanish: they get the code that no table of 511 letters has.
        letters = table.column(place, rows).astype(np.uint64)
        letters = np.where(letters == 0, np.uint64(511), letters % np.uint64(511))
        packed[rows] |= letters << np.uint64(BITS * place)
    return packed, lengths


def _without(packed: NDArray[np.uint64], place: int) -> NDArray[np.uint64]:
    behind = (packed >> np.uint64(BITS * (place + 1))) << np.uint64(BITS * place)
    return behind | (packed & np.uint64((1 << (BITS * place)) - 1))
