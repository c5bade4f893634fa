"""The beginnings of all words of a lexicon as one tree in sorted arrays.

Nodes are numbered breadth first, those of one depth in alphabetical order, so that the keys
(parent, letter) of all nodes ascend and a child is found by a binary search. Node 0 is the empty
beginning. ``M`` is the number of nodes, ``N`` of words.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable


class WordTrie:
    """The words of ``table`` [N], distinct, with a ``value`` [N] each; ``order`` [N] are their
    rows in alphabetical order.

    ``word_at`` [M]: the place of the word that ends at a node, -1 where none does. ``best`` [M]:
    the highest value of all words that begin so.
    """

    def __init__(
        self, table: WordTable, value: NDArray[np.float64], order: NDArray[np.integer]
    ) -> None:
        self.alphabet = table.alphabet
        self._letters = len(table.alphabet) + 1
        lengths, starts = table.lengths[order], table.starts[order]
        node = np.zeros(len(order), np.int64)
        rows = np.arange(len(order))
        ended, going = rows[lengths == 0], rows[lengths > 0]
        keys, ends, nodes_of_ends = [np.array([-1])], [ended], [node[ended]]
        self._first_of_depth = [0, 1]
        while len(going):
            depth = len(keys)
            key = node[going] * self._letters + table.codes[starts[going] + depth - 1]
            new = np.ones(len(going), bool)
            np.not_equal(key[1:], key[:-1], out=new[1:])
            node[going] = self._first_of_depth[-1] + np.cumsum(new) - 1
            keys.append(key[new])
            last = lengths[going] == depth
            ended, going = going[last], going[~last]
            ends.append(ended)
            nodes_of_ends.append(node[ended])
            self._first_of_depth.append(self._first_of_depth[-1] + len(keys[-1]))
        self._keys = np.concatenate(keys)
        self.word_at = np.full(len(self._keys), -1, np.int64)
        self.word_at[np.concatenate(nodes_of_ends)] = order[np.concatenate(ends)]
        self.best = np.full(len(self._keys), -np.inf)
        self.best[self.word_at >= 0] = value[self.word_at[self.word_at >= 0]]
        for first, last_one in reversed(list(pairwise(self._first_of_depth[1:]))):
            parents = self._keys[first:last_one] // self._letters
            begins = np.flatnonzero(np.diff(parents, prepend=-1))
            best = np.maximum.reduceat(self.best[first:last_one], begins)
            parents = parents[begins]
            self.best[parents] = np.maximum(self.best[parents], best)

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
