"""Words far from what was typed: a beam search of the lexicon's trie driven by the channel.

From left to right through the typed word, a hypothesis is a beginning of a word of the lexicon and
the price of the edits so far. Each edit of the channel takes a piece of the typed word and goes
down the trie by what may have been meant (Brill & Moore 2000, section 3). Hypotheses are ranked by
their price and the prior of the best word below them. The typed words of a call go in step.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.base import CONTEXTS, ErrorModel
from lmkit.channel.candidates.one_search import EditList, OneWordSearch
from lmkit.channel.candidates.trie import WordTrie
from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.groups import Columns, best_of_groups, floors, stretches
from lmkit.text.growing import GrowingArray

BEAM = 24
MOST_EDITS = (40, 40, 16, 8)
"""Edits that are tried for a typed piece of 0, 1, 2, 3 letters at a place."""
EXTRA_LETTER = -6.0
"""Price (log) of a letter that was not meant at all, where the channel does not list it."""
LONGEST_PIECE = 3
LONGEST_MEANT = 4
MOST_FOUND = 16
AT_ONCE = 128
"""Typed words that go in step: what they may become stays in the processor's cache."""
NO_EDITS = ("", "")
DEAREST = -12.0
"""An edit less likely than this (log) is not tried."""


@dataclass(slots=True)
class _Front(Columns):
    """Hypotheses: the typed word, the node of the trie and the log-probability of each."""

    query: NDArray[np.int64]
    node: NDArray[np.int64]
    score: NDArray[np.float64]


class TrieSearch:
    """Searches the words of ``trie``, whose values are their log-priors, behind ``channel``."""

    def __init__(self, trie: WordTrie, channel: ErrorModel) -> None:
        self._channel = channel
        self._trie = trie
        # The edits that give one typed piece at one place of a word are a set, all sets behind
        # each other, each in the order of its first letters: what was meant as codes,
        # `LONGEST_MEANT` for each, the rank of the first among first letters, the length, the
        # price.
        self._sets: dict[tuple[str, str], int] = {NO_EDITS: 0}
        self._set_starts = GrowingArray(np.int64, [0, 0])
        self._letters = GrowingArray(np.int64)
        self._first = GrowingArray(np.int64)
        self._lengths = GrowingArray(np.int64)
        self._log_probs = GrowingArray(np.float64)
        self._lock = threading.Lock()
        # 0 is the rank of no letter and of those that no edit begins with.
        self._ranks = np.zeros(len(self._trie.alphabet) + 1, np.int64)

    def find(
        self, typed: Sequence[str], beam: int = BEAM
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (place in ``typed``, place in the words): at most `MOST_FOUND` for each."""
        starts = range(0, max(len(typed), 1), AT_ONCE)
        parts = [self._find(typed[start : start + AT_ONCE], beam) for start in starts]
        queries = [start + query for start, (query, _) in zip(starts, parts, strict=True)]
        return np.concatenate(queries), np.concatenate([words for _, words in parts])

    def _find(self, typed: Sequence[str], beam: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same for at most `AT_ONCE` words."""
        table = WordTable.of(typed, self._trie.alphabet)
        lengths = table.lengths
        if len(typed) == 1:
            return self._best(_Front(*self._found_for_one(typed[0], table.codes, beam)))
        longest = int(lengths.max(initial=0))
        everyone = np.arange(len(typed))
        fronts: list[list[_Front]] = [[] for _ in range(longest + LONGEST_PIECE + 1)]
        fronts[0].append(_Front(everyone, np.zeros(len(typed), np.int64), np.zeros(len(typed))))
        found = []
        for place in range(longest + 1):
            if not fronts[place]:
                continue
            front = self._pruned(_Front.joined(fronts[place]), beam)
            (lost,) = self._expand(front, typed, place, (0,), beam)
            front = self._pruned(_Front.joined([front, lost]), beam)
            ended = front.at(lengths[front.query] == place)
            found.append(ended.at(self._trie.word_at[ended.node] >= 0))
            front = front.at(lengths[front.query] > place)
            letters = table.codes[table.starts[front.query] + place].astype(np.int64)
            kept = _Front(front.query, self._trie.children(front.node, letters), front.score)
            fronts[place + 1].append(kept.at(kept.node >= 0))
            if len(front.query):
                sizes = range(1, min(LONGEST_PIECE, longest - place) + 1)
                taken = self._expand(front, typed, place, sizes, beam)
                for size, after in zip(sizes, taken, strict=True):
                    fronts[place + size].append(after)
        return self._best(_Front.joined(found))

    def _found_for_one(
        self, word: str, codes: NDArray[np.integer], beam: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """The same hypotheses at the end of one word, whose letters have ``codes``."""
        places = range(len(word))
        with self._lock:
            sizes = range(1, LONGEST_PIECE + 1)
            taking = [self._sets_of([word], p, size)[0] for p in places for size in sizes]
            before = [self._sets_of([word], p, 0)[0] for p in (*places, len(word))]
            ranks = self._ranks
        new = sorted({code for code in codes.tolist() if code and not ranks[code]})
        if new:
            ranks = ranks.copy()
            ranks[new] = ranks.max() + 1 + np.arange(len(new))
        search = OneWordSearch(self._trie, ranks, beam)
        node, score = search.find(
            len(word),
            self._listed(np.array(taking, np.int64).reshape(-1, LONGEST_PIECE), ranks, codes),
            self._listed(np.array(before)[:, None], ranks, None),
        )
        ends = np.flatnonzero(self._trie.word_at[node] >= 0)
        return np.zeros(len(ends), np.int64), node[ends], score[ends]

    def _listed(
        self,
        sets: NDArray[np.int64],
        ranks: NDArray[np.int64],
        codes: NDArray[np.integer] | None,
    ) -> EditList:
        """The edits of ``sets`` [places, sizes], from one letter typed on or, without ``codes``,
        none; with them, each of the letters typed may be kept."""
        starts = self._set_starts.values
        flat = sets.reshape(-1)
        many = starts[flat + 1] - starts[flat]
        edit = stretches(starts[flat], many)
        place, taken = np.divmod(np.repeat(np.arange(len(flat)), many), sets.shape[1])
        taken += codes is not None
        meant = self._letters.values.reshape(-1, LONGEST_MEANT)[edit]
        lengths, log_probs = self._lengths.values[edit], self._log_probs.values[edit]
        empty = np.flatnonzero(lengths == 0)
        lost = zip(
            place[empty].tolist(), taken[empty].tolist(), log_probs[empty].tolist(), strict=True
        )
        if codes is not None:
            kept = np.zeros((len(codes), LONGEST_MEANT), np.int64)
            kept[:, 0] = codes
            ones = np.ones(len(codes), np.int64)
            place = np.concatenate((place, np.arange(len(codes))))
            taken, lengths = np.concatenate((taken, ones)), np.concatenate((lengths, ones))
            meant = np.concatenate((meant, kept))
            log_probs = np.concatenate((log_probs, np.zeros(len(codes))))
        return EditList.of(place, taken, meant, lengths, log_probs, ranks, list(lost), len(sets))

    def _best(self, found: _Front) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        words = self._trie.word_at[found.node]
        value = found.score + self._trie.best[found.node]
        best = best_of_groups(found.query, value, MOST_FOUND)
        return found.query[best], words[best]

    def _pruned(self, front: _Front, beam: int) -> _Front:
        """The best ``beam`` hypotheses of each typed word, no two at one node."""
        if not len(front.query):
            return front
        place = (front.query << 32) | front.node
        order = np.argsort(place)
        place = place[order]
        begins = np.flatnonzero(np.diff(place, prepend=-1))
        place, score = place[begins], np.maximum.reduceat(front.score[order], begins)
        front = _Front(place >> 32, place & 0xFFFFFFFF, score)
        rank = front.score + self._trie.best[front.node]
        return front.at(best_of_groups(front.query, rank, beam))

    def _expand(
        self, front: _Front, typed: Sequence[str], place: int, sizes: Sequence[int], beam: int
    ) -> list[_Front]:
        """What ``front`` becomes when as many of the next letters as ``sizes`` say are taken as
        one edit: one front for each, without all that the ``beam`` best of each surely leave
        out."""
        queries = np.flatnonzero(np.bincount(front.query))
        with self._lock:
            words = [typed[q] for q in queries.tolist()]
            names = [self._sets_of(words, place, size) for size in sizes]
            ranks = self._ranks
        width = int(ranks.max()) + 1
        sets, number = np.unique(np.array(names), return_inverse=True)
        mine = np.zeros((len(sizes), len(typed)), np.int64)
        mine[:, queries] = number.reshape(len(sizes), -1) * width
        mine = mine[:, front.query]
        edits, first = self._by_first_letter(sets, width)
        # Only edits that begin with a letter of one of a node's children lead anywhere.
        child, parent = self._trie.all_children(front.node)
        rank = ranks[self._trie.letters[child]]
        key = (mine[:, parent] + rank).reshape(-1)
        many = np.where(np.tile(rank > 0, len(sizes)), first[key + 1] - first[key], 0)
        some = np.flatnonzero(many)
        edit = edits[stretches(first[key[some]], many[some])]
        some = np.repeat(some, many[some])
        of_size, some = np.divmod(some, max(len(child), 1))
        node, parent = child[some], parent[some]
        score = front.score[parent] + self._log_probs.values[edit]
        lengths = self._lengths.values[edit]
        # A letter is meant by one edit at most: no two of these ways are to one node.
        group, bound = front.query[parent] * len(sizes) + of_size, score + self._trie.best[node]
        single = np.flatnonzero(lengths == 1)
        floor = floors(group[single], bound[single], len(typed) * len(sizes), beam)
        hopeful = np.flatnonzero(bound >= floor[group])
        node, parent, of_size = node[hopeful], parent[hopeful], of_size[hopeful]
        score, edit, lengths = score[hopeful], edit[hopeful], lengths[hopeful]
        letters = self._letters.values.reshape(-1, LONGEST_MEANT)
        for step in range(1, int(lengths.max(initial=0))):
            going = np.flatnonzero((lengths > step) & (node >= 0))
            node[going] = self._trie.children(node[going], letters[edit[going], step])
        there = np.flatnonzero(node >= 0)
        found = _Front(front.query[parent[there]], node[there], score[there])
        bounds = np.searchsorted(of_size[there], np.arange(len(sizes) + 1)).tolist()
        return [
            _Front.joined(
                [
                    found.at(np.arange(low, high)),
                    self._nothing_meant(front, low_key, edits, first),
                ]
            )
            for low, high, low_key in zip(bounds[:-1], bounds[1:], mine, strict=True)
        ]

    def _by_first_letter(
        self, sets: NDArray[np.int64], width: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The edits of ``sets``, and where among them those of set number n begin that have a
        first letter of rank r: at n times the ``width``, the number of ranks, plus r."""
        starts = self._set_starts.values
        sizes = starts[sets + 1] - starts[sets]
        edits = stretches(starts[sets], sizes)
        key = np.repeat(np.arange(len(sets)) * width, sizes) + self._first.values[edits]
        counts = np.bincount(key, minlength=len(sets) * width)
        return edits, np.concatenate(([0], np.cumsum(counts)))

    def _nothing_meant(
        self,
        front: _Front,
        key: NDArray[np.int64],
        edits: NDArray[np.int64],
        first: NDArray[np.int64],
    ) -> _Front:
        """``front`` where what was typed was not meant at all: edits without letters, which are
        the first ones from ``key`` on of each hypothesis."""
        low = first[key]
        edit = edits[np.minimum(low, max(len(edits) - 1, 0))] if len(edits) else low
        empty = np.flatnonzero((first[key + 1] > low) & (self._lengths.values[edit] == 0))
        lost = front.at(empty)
        return _Front(lost.query, lost.node, lost.score + self._log_probs.values[edit[empty]])

    def _sets_of(self, words: Sequence[str], place: int, size: int) -> list[int]:
        """The set of edits for the next ``size`` letters at ``place`` of each of ``words``; 0, in
        which there are none, for those that are not as long."""
        keys = []
        for word in words:
            if place + size > len(word):
                keys.append(NO_EDITS)
                continue
            end = place + size == len(word)
            context = CONTEXTS[0] if place == 0 else CONTEXTS[2] if end else CONTEXTS[1]
            keys.append((word[place : place + size], context))
        new = dict.fromkeys(key[0] for key in keys if key not in self._sets)
        if new:
            self._read_edits(new)
        return [self._sets[key] for key in keys]

    def _read_edits(self, pieces: Iterable[str]) -> None:
        """Add the sets of ``pieces``, in all contexts."""
        meant: list[str] = []
        log_probs: list[float] = []
        sizes: list[int] = []
        for piece in pieces:
            found = [
                (intended, context, log_prob)
                for intended, context, log_prob in self._channel.edits_by_typed(piece)
                if log_prob > DEAREST and len(intended) <= LONGEST_MEANT and " " not in intended
            ]
            for context in CONTEXTS:
                chosen = [(y, p) for y, where, p in found if where == context]
                chosen = chosen[: MOST_EDITS[len(piece)]]
                if len(piece) == 1 and all(y for y, _ in chosen):
                    chosen.append(("", EXTRA_LETTER))
                meant += [y for y, _ in chosen]
                log_probs += [p for _, p in chosen]
                sizes.append(len(chosen))
                self._sets[piece, context] = len(self._sets)
        table = WordTable.of(meant, self._trie.alphabet)
        letters = np.zeros((len(meant), LONGEST_MEANT), np.int64)
        for step in range(LONGEST_MEANT):
            rows = np.flatnonzero(table.lengths > step)
            letters[rows, step] = table.column(step, rows)
        new = np.array(sorted(set(letters[:, 0].tolist())), np.int64)
        new = new[(new > 0) & (self._ranks[new] == 0)]
        # Another thread may be at work with the ranks as they are.
        self._ranks = self._ranks.copy()
        self._ranks[new] = self._ranks.max() + 1 + np.arange(len(new))
        first = self._ranks[letters[:, 0]]
        # Where nothing was meant stands before letters that no word has.
        order = np.lexsort((table.lengths > 0, first, np.repeat(np.arange(len(sizes)), sizes)))
        self._letters.extend(letters[order].reshape(-1))
        self._first.extend(first[order])
        self._lengths.extend(table.lengths[order])
        self._log_probs.extend(np.array(log_probs, float)[order])
        self._set_starts.extend(self._set_starts.values[-1] + np.cumsum(sizes, dtype=np.int64))
