"""Pieces in a trie of sorted arrays, in which all places of a text are looked up at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.text.subwords.lattice import Ints, Nodes

RADIX = 1 << 22
"""More than there are symbols: code points, and those that stand for no text of a piece."""


class Trie:
    """``spelling`` [n, longest] are the code points of each piece, -1 behind its end; ``lengths``
    [n] how many there are. Of pieces spelt alike the last counts."""

    def __init__(self, spelling: NDArray[np.integer], lengths: Ints) -> None:
        self._levels: list[tuple[Ints, Ints]] = []
        at = np.flatnonzero(lengths)
        state = np.zeros(len(at), np.int64)
        while len(at):
            depth = len(self._levels)
            keys, state = np.unique(state * RADIX + spelling[at, depth], return_inverse=True)
            ends = np.full(len(keys), -1, np.int64)
            done = lengths[at] == depth + 1
            ends[state[done]] = at[done]
            self._levels.append((keys, ends))
            at, state = at[~done], state[~done]

    def matches(self, nodes: Nodes) -> Iterator[tuple[Ints, Ints, Ints]]:
        """(sources, targets, pieces) of every place where a piece stands; each triple is of pieces
        of one length, the shortest first."""
        source = target = np.flatnonzero(nodes.symbols >= 0)
        state = np.zeros(len(source), np.int64)
        for length, (keys, ends) in enumerate(self._levels, 1):
            if not len(source):
                break
            symbol = nodes.symbols[target]
            key = np.where(symbol >= 0, state * RADIX + symbol, -1)
            state = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
            going = keys[state] == key
            source, state = source[going], state[going]
            target = nodes.after(source, length)
            piece = ends[state]
            ending = piece >= 0
            yield source[ending], target[ending], piece[ending]


def spelling_of(pieces: Sequence[str]) -> tuple[NDArray[np.int32], Ints]:
    """The code points of each of ``pieces`` [n, longest], -1 behind its end, and their lengths."""
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    codes = np.frombuffer("".join(pieces).encode("utf-32-le", "surrogatepass"), np.uint32)
    spelling = np.full((len(pieces), int(lengths.max(initial=0))), -1, np.int32)
    spelling[np.arange(spelling.shape[1]) < lengths[:, None]] = codes
    return spelling, lengths
