"""Which of many words are within two edits of one word, where most are not.

The edits are those of `distance.py`, which says of all words how far apart they are. Here a word is
followed no further than there is hope for it. After each of its letters, bit i of a number says
whether the first i letters of the one word have become what was read so far with at most d
edits, a number for each d (Wu & Manber 1992, "Fast text searching allowing errors"): a word that
has no bits left is out. ``W`` is the number of words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_EDITS = 2
FEW = 128
"""So few words are followed to their ends."""
LOOKED = (3, 4, 6, 9, 13, 20)
"""After so many letters those without hope are dropped."""

Bits = NDArray[np.unsignedinteger]


def near_words(
    mask: NDArray[np.uint64],
    length: int,
    codes: NDArray[np.integer],
    begins: NDArray[np.int64],
    lengths: NDArray[np.integer],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the words [W] that begin at ``begins`` of ``codes`` and have ``lengths``, the
    longest first, are within `MOST_EDITS` edits of a word, and the distance of each. The word
    is of ``length``, at most 62; ``mask`` says where in it each letter stands, as bits."""
    mask = mask.astype(np.uint16 if length < 16 else np.uint32 if length < 32 else np.uint64)
    mask[0] = 0
    kind = mask.dtype.type
    last, inside = kind(1 << length), kind((2 << length) - 1)
    place = np.arange(len(begins))
    state = np.empty((MOST_EDITS + 1, len(place)), kind)
    state[:] = [[1], [3], [7]]
    before, match = np.zeros((MOST_EDITS, len(place)), kind), np.zeros(len(place), kind)
    places, states = [place[:0]], [state[:, :0]]
    longer = np.searchsorted(-lengths, -np.arange(int(lengths.max(initial=-1)) + 1))
    for letter, many in enumerate(longer.tolist()):
        if many < len(begins):
            # Those words that have ended, of those that are left.
            end = int(place.searchsorted(many))
            places.append(place[end:])
            states.append(state[:, end:])
            place, state, before, match = place[:end], state[:, :end], before[:, :end], match[:end]
        if letter in LOOKED and len(place) > FEW:
            going = (state[MOST_EDITS] & inside).nonzero()[0]
            place, match = place.take(going), match.take(going)
            state, before = state.take(going, axis=1), before.take(going, axis=1)
        read = mask.take(codes.take(begins.take(place) + letter))
        state, before, match = _read(state, before, read, match), state[:MOST_EDITS], read
    there = np.concatenate(states, axis=1) & last != 0
    near = there[MOST_EDITS].nonzero()[0]
    return np.concatenate(places)[near], MOST_EDITS - there[:MOST_EDITS, near].sum(axis=0)


def _read(state: Bits, before: Bits, match: Bits, match_before: Bits) -> Bits:
    """The bits for 0, 1 and 2 edits [3, W] after a letter more, which stands in the one word at
    ``match``; ``before`` are those for 0 and 1 edits before the letter before, which stands at
    ``match_before``: two letters may have changed places."""
    one = match.dtype.type(1)
    fewer = state[:MOST_EDITS]
    after = (state & match) << one
    swapped = (before & match) << one
    swapped &= match_before
    swapped <<= one
    # The letter is another one, or too many.
    swapped |= fewer << one
    swapped |= fewer
    after[1:] |= swapped
    # A letter of the one word is missing.
    after[1] |= after[0] << one
    after[2] |= after[1] << one
    return after
