"""The beginnings of all words of a lexicon as one tree in sorted arrays.

Nodes are numbered breadth first, those of one depth in alphabetical order, so that the keys
(parent, letter) of all nodes ascend and a child is found by a binary search. Node 0 is the empty
beginning. ``M`` is the number of nodes, ``N`` of words.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.groups import stretches

SHARED = 63
"""Bit of all letters but the most frequent ones in what says which children a node has."""


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

    @cached_property
    def letters(self) -> NDArray[np.int64]:
        """The last letter of each node [M], as a code; 0 of the empty beginning."""
        return np.maximum(self._keys, 0) % self._letters

    @cached_property
    def _first_child(self) -> NDArray[np.int64]:
        parents = self._keys[1:] // self._letters
        counts = np.bincount(parents, minlength=len(self._keys))
        return np.concatenate(([1], 1 + np.cumsum(counts)))

    def all_children(
        self, nodes: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All children of ``nodes``, behind each other, and the place in ``nodes`` of the parent
        of each."""
        first = self._first_child[nodes]
        sizes = self._first_child[nodes + 1] - first
        return stretches(first, sizes), np.arange(len(nodes)).repeat(sizes)

    @cached_property
    def _bits(self) -> NDArray[np.uint64]:
        """The bit that stands for each letter, by its code, among a node's children: the letters
        that are found most have one each, ascending as they do; the others share the last."""
        counts = np.bincount(self.letters[1:], minlength=self._letters)
        common = np.sort(np.argsort(-counts[1:], kind="stable")[:SHARED] + 1)
        bits = np.full(self._letters, SHARED, np.uint64)
        bits[common] = np.arange(len(common))
        return bits

    @cached_property
    def _children_bits(self) -> NDArray[np.uint64]:
        """The bits of the letters of each node's children: [M]."""
        bits = np.zeros(len(self._keys), np.uint64)
        parents = self._keys[1:] // self._letters
        begins = np.flatnonzero(np.diff(parents, prepend=-1))
        if len(begins):
            single = np.left_shift(np.uint64(1), self._bits[self.letters[1:]])
            bits[parents[begins]] = np.bitwise_or.reduceat(single, begins)
        return bits

    def children(
        self, nodes: NDArray[np.integer], letters: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """The child of each node [n] by a letter's code [n]; -1 where there is none."""
        there, bit = self._children_bits[nodes], self._bits[letters]
        before = there & (np.left_shift(np.uint64(1), bit) - np.uint64(1))
        has = (there >> bit) & np.uint64(1)
        found = np.where(has > 0, self._first_child[nodes] + _ones(before), -1)
        rare = (there >> np.uint64(SHARED)).nonzero()[0]
        if len(rare):
            found[rare] = self._search(nodes[rare], np.asarray(letters)[rare])
        return found

    def _search(
        self, nodes: NDArray[np.integer], letters: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """The same, for any node."""
        wanted = nodes * self._letters + letters
        found = np.searchsorted(self._keys, wanted)
        found[found == len(self._keys)] = 0
        found[(self._keys[found] != wanted) | (letters == 0)] = -1
        return found


def _ones(bits: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bits of each number are set."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(bits).astype(np.int64)
    # As a sum of pairs, of fours, and of eights (NumPy 1 has no such function).
    pairs = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = pairs & np.uint64(0x3333333333333333)
    fours += (pairs >> np.uint64(2)) & np.uint64(0x3333333333333333)
    eights = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return ((eights * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int64)
