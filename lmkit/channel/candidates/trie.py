"""The beginnings of all words of a lexicon as one tree in sorted arrays.

Nodes are numbered breadth first, those of one depth in alphabetical order, so that the keys
(parent, letter) of all nodes ascend and a child is found by a binary search. Node 0 is the empty
beginning. ``M`` is the number of nodes, ``N`` of words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable


class WordTrie:
    """``words`` [N], distinct, with a ``value`` [N] each.

    ``word_at`` [M]: the place of the word that ends at a node, -1 where none does. ``best`` [M]:
    the highest value of all words that begin so.
    """

    def __init__(self, words: Sequence[str], value: NDArray[np.float64]) -> None:
        order = sorted(range(len(words)), key=words.__getitem__)
        table = WordTable.of([words[i] for i in order])
        self.alphabet = table.alphabet
        self._letters = len(table.alphabet) + 1
        places = np.array(order, np.int64)
        lengths = table.lengths
        node = np.zeros(len(words), np.int64)
        keys, ends = [np.array([-1])], [np.flatnonzero(lengths == 0)]
        nodes_of_ends = [np.zeros(len(ends[0]), np.int64)]
        self._first_of_depth = [0, 1]
        for depth in range(1, int(lengths.max(initial=0)) + 1):
            rows = np.flatnonzero(lengths >= depth)
            key = node[rows] * self._letters + table.column(depth - 1, rows)
            new = np.ones(len(rows), bool)
            new[1:] = key[1:] != key[:-1]
            node[rows] = self._first_of_depth[-1] + np.cumsum(new) - 1
            keys.append(key[new])
            ending = rows[lengths[rows] == depth]
            ends.append(ending)
            nodes_of_ends.append(node[ending])
            self._first_of_depth.append(self._first_of_depth[-1] + int(new.sum()))
        self._keys = np.concatenate(keys)
        self.word_at = np.full(len(self._keys), -1, np.int64)
        self.word_at[np.concatenate(nodes_of_ends)] = places[np.concatenate(ends)]
        self.best = np.full(len(self._keys), -np.inf)
        self.best[self.word_at >= 0] = value[self.word_at[self.word_at >= 0]]
        for depth in range(len(self._first_of_depth) - 2, 0, -1):
            nodes = slice(self._first_of_depth[depth], self._first_of_depth[depth + 1])
            np.maximum.at(self.best, self._keys[nodes] // self._letters, self.best[nodes])

    def __len__(self) -> int:
        return len(self._keys)

    def children(
        self, nodes: NDArray[np.integer], letters: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """The child of each node [n] by a letter's code [n]; -1 where there is none."""
        wanted = nodes * self._letters + letters
        found = np.searchsorted(self._keys, wanted)
        found[found == len(self._keys)] = 0
        found[(self._keys[found] != wanted) | (np.asarray(letters) == 0)] = -1
        return found
