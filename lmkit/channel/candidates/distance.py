"""Edit distances of many pairs of words at once.

Insertions, deletions, substitutions and swaps of neighbours cost one each, and no stretch is
edited twice (optimal string alignment, the restricted form of Damerau 1964). Computed bit by
bit (Hyyrö 2003, "A bit-vector algorithm for computing Levenshtein and Damerau edit
distances"), a bit for each letter of a pair's first word, a 64-bit word for each pair. ``P`` is
the number of pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable

LONGEST = 63
"""The most letters that a first word may have."""
AT_ONCE = 1 << 13
"""Pairs that are worked on together: their numbers stay in the processor's cache."""


def distances(
    first: WordTable,
    second: WordTable,
    first_rows: NDArray[np.integer],
    second_rows: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Distance [P] between word ``first_rows[p]`` of ``first`` and ``second_rows[p]`` of
    ``second``. Both tables have one alphabet; words of ``first`` have at most `LONGEST` letters.
    """
    sizes = first.lengths[first_rows]
    result = np.empty(len(sizes), np.int64)
    masks = _masks(first)
    shortest = 0
    # The narrower the numbers, the more of them are worked on at once.
    for kind, longest in ((np.uint16, 16), (np.uint32, 32), (np.uint64, LONGEST)):
        mine = np.flatnonzero((sizes >= shortest) & (sizes <= longest))
        if len(mine):
            result[mine] = _distances(
                masks.astype(kind), sizes[mine], second, first_rows[mine], second_rows[mine]
            )
        shortest = longest + 1
    return result


def _distances(
    masks: NDArray[np.unsignedinteger],
    sizes: NDArray[np.int64],
    second: WordTable,
    first_rows: NDArray[np.integer],
    second_rows: NDArray[np.integer],
) -> NDArray[np.int64]:
    lengths = second.lengths[second_rows]
    # The longest second words come first, so that those not yet at their end are a stretch.
    order = np.argsort(-np.minimum(lengths, 32_000).astype(np.int16), kind="stable")
    result = np.empty(len(lengths), np.int64)
    for start in range(0, len(order), AT_ONCE):
        here = order[start : start + AT_ONCE]
        begins = second.starts[:-1][second_rows[here]]
        result[here] = _scores(masks, first_rows[here], sizes[here], second, begins, lengths[here])
    return result


def _scores(
    masks: NDArray[np.unsignedinteger],
    rows: NDArray[np.integer],
    sizes: NDArray[np.int64],
    second: WordTable,
    begins: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Distances of first words in ``rows``, of ``sizes`` letters, to second words that begin at
    ``begins`` and have ``lengths``, which descend."""
    kind = masks.dtype.type
    top = np.left_shift(kind(1), np.maximum(sizes - 1, 0).astype(kind))
    scores = sizes.astype(np.int32)
    plus = np.full(len(rows), ~kind(0))
    minus, zero, before = (np.zeros(len(rows), kind) for _ in range(3))
    one = kind(1)
    flat, first = masks.reshape(-1), rows * masks.shape[1]
    active = np.searchsorted(-lengths, -np.arange(int(lengths.max(initial=0))), side="left")
    for place, many in enumerate(active.tolist()):
        letters = second.codes.take(begins[:many] + place)
        match = flat.take(first[:many] + letters)
        vp, vn = plus[:many], minus[:many]
        swap = (((~zero[:many]) & match) << one) & before[:many]
        d = ((((match & vp) + vp) ^ vp) | match | vn) | swap
        hp, hn = vn | ~(d | vp), d & vp
        high = top[:many]
        scores[:many] += (hp & high) != 0
        scores[:many] -= (hn & high) != 0
        hp = (hp << one) | one
        plus[:many] = (hn << one) | ~(d | hp)
        minus[:many] = hp & d
        zero[:many], before[:many] = d, match
    return np.where(sizes == 0, lengths, scores)


def _masks(words: WordTable) -> NDArray[np.uint64]:
    """Where each letter stands in each word, as bits: [words, letters + 1]."""
    lengths = words.lengths
    masks = np.zeros((len(words), len(words.alphabet) + 1), np.uint64)
    for place in range(int(lengths.max(initial=0))):
        rows = np.flatnonzero(lengths > place)
        masks[rows, words.column(place, rows)] |= np.uint64(1 << place)
    # A letter that the table has not is like no other.
    masks[:, 0] = 0
    return masks
