"""The search of `search.py` for one typed word, as somebody who asks about it wants it: the same
words, in fewer and smaller operations.

All edits of the word are listed once, by the place where they begin and by the first letter of what
was meant; to keep the letter that was typed is one of them. What cannot be among the best at the
place that an edit leads to is left out before anything else is looked up. ``H`` is the number of
hypotheses, ``E`` of edits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.trie import WordTrie
from lmkit.channel.groups import stretches

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Front = tuple[Ints, Floats]
"""The nodes and the log-probabilities of hypotheses: [H]."""


@dataclass(frozen=True, slots=True)
class EditList:
    """Edits [E] in the order of ``key``, the place in the typed word times ``width`` plus the rank
    of the first letter meant; those of key k are ``first[k]`` to ``first[k + 1]``. ``taken`` is the
    number of letters typed, ``meant`` [E, 4] the codes of the ``lengths`` letters meant. ``lost``
    are (place, letters typed, log p) where nothing was meant."""

    width: int
    first: Ints
    taken: Ints
    meant: Ints
    lengths: Ints
    log_probs: Floats
    lost: list[tuple[int, int, float]]

    @classmethod
    def of(
        cls,
        place: Ints,
        taken: Ints,
        meant: Ints,
        lengths: Ints,
        log_probs: Floats,
        ranks: Ints,
        lost: list[tuple[int, int, float]],
        places: int,
    ) -> EditList:
        """Edits in any order, each at one of ``places``; without those whose first letter has no
        rank."""
        width = int(ranks.max()) + 1
        rank = ranks[meant[:, 0]]
        key = place * width + rank
        order = np.argsort(key, kind="stable")
        order = order[rank[order] > 0]
        counts = np.bincount(key[order], minlength=places * width)
        first = np.concatenate(([0], np.cumsum(counts)))
        return cls(width, first, taken[order], meant[order], lengths[order], log_probs[order], lost)


class OneWordSearch:
    """Searches ``trie`` for one word; ``ranks`` are those of its letters in the lists of edits."""

    def __init__(self, trie: WordTrie, ranks: Ints, beam: int) -> None:
        self._trie = trie
        self._beam = beam
        self._ranks = ranks

    def find(self, length: int, edits: EditList, before: EditList) -> Front:
        """What a word of ``length`` letters may have been meant to be, by its ``edits``, and by
        those ``before`` a letter, which take none."""
        waiting: list[list[Front]] = [[] for _ in range(length + 4)]
        waiting[0].append((np.zeros(1, np.int64), np.zeros(1)))
        self._floors = np.full(length + 4, -np.inf)
        for place in range(length + 1):
            if not waiting[place]:
                continue
            front = self._pruned(waiting[place])
            node, score, _ = self._expanded(front, place, before)
            front = self._pruned([front, (node, score)])
            if place == length:
                return front
            node, score, taken = self._expanded(front, place, edits)
            for size in range(1, int(taken.max(initial=0)) + 1):
                mine = (taken == size).nonzero()[0]
                waiting[place + size].append((node[mine], score[mine]))
            for where, size, log_prob in edits.lost:
                if where == place:
                    waiting[place + size].append((front[0], front[1] + log_prob))
        return np.zeros(0, np.int64), np.zeros(0)

    def _pruned(self, fronts: list[Front]) -> Front:
        """The best hypotheses of ``fronts``, no two at one node."""
        node, score = (np.concatenate(parts) for parts in zip(*fronts, strict=True))
        order = node.argsort()
        node = node[order]
        new = np.ones(len(node), bool)
        np.not_equal(node[1:], node[:-1], out=new[1:])
        begins = new.nonzero()[0]
        node, score = node[begins], np.maximum.reduceat(score[order], begins)
        if len(node) > self._beam:
            worth = score + self._trie.best[node]
            best = (-worth).argsort(kind="stable")[: self._beam]
            node, score = node[best], score[best]
        return node, score

    def _expanded(self, front: Front, place: int, edits: EditList) -> tuple[Ints, Floats, Ints]:
        """What ``front`` becomes by one of ``edits``: nodes, log-probabilities, letters taken."""
        trie = self._trie
        child, parent = trie.all_children(front[0])
        key = self._ranks[trie.letters[child]] + place * edits.width
        low = edits.first[key]
        many = edits.first[key + 1] - low
        edit = stretches(low, many)
        node = child.repeat(many)
        score = front[1][parent].repeat(many) + edits.log_probs[edit]
        several = edits.lengths[edit] > 1
        taken = edits.taken[edit]
        hopeful = self._hopeful(score + trie.best[node], place + taken, several)
        node, score, taken = node[hopeful], score[hopeful], taken[hopeful]
        going = several[hopeful].nonzero()[0]
        if not len(going):
            return node, score, taken
        edit = edit[hopeful[going]]
        for step in range(1, int(edits.lengths[edit].max())):
            node[going] = trie.children(node[going], edits.meant[edit, step])
            more = ((edits.lengths[edit] > step + 1) & (node[going] >= 0)).nonzero()[0]
            going, edit = going[more], edit[more]
        there = (node >= 0).nonzero()[0]
        return node[there], score[there], taken[there]

    def _hopeful(self, bound: Floats, target: Ints, several: NDArray[np.bool_]) -> Ints:
        """Which ways to ``target`` places may be among the best there, by a bound on how good each
        is. Where not ``several`` letters were meant that is what it is, and no two of those with
        the same target have one node."""
        for place in range(int(target.min(initial=0)), int(target.max(initial=-1)) + 1):
            here = bound[(target == place) > several]
            if len(here) > self._beam:
                here.partition(len(here) - self._beam)
                self._floors[place] = max(self._floors[place], here[len(here) - self._beam])
        return (bound >= self._floors[target]).nonzero()[0]
