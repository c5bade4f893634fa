"""Where the n-grams of a trie stand in a text: what the methods learn from that fit parameters
to a likelihood (interpolation weights by EM, discounts by search).

Held-out text is looked up in the trie. The training text is not needed again: the n-grams of
the highest order, with those that begin with ``<s>`` below it, are its tokens with their
histories, and their counts say how often. ``T`` is the number of tokens, ``</s>`` included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import BOS, EOS
from lmkit.ngram.lookup import find_children
from lmkit.ngram.trie import BLOCK_ROWS, Trie


class Occurrences:
    """``rows[n - 1]`` [T]: row at order n of the n-gram that ends at each token, -1 where the
    trie has none. ``contexts[n - 1]`` [T]: row at order n - 1 of its context, -1 where the trie
    has none or the sentence has not begun that long ago (0 for the empty context, n = 1).
    ``weights`` [T]: how often each stands there."""

    def __init__(
        self,
        rows: list[NDArray[np.int64]],
        contexts: list[NDArray[np.int64]],
        weights: NDArray[np.float64],
    ) -> None:
        self.rows = rows
        self.contexts = contexts
        self.weights = weights

    def __len__(self) -> int:
        return len(self.weights)

    def of_ngrams(self, order: int, values: NDArray[Any]) -> NDArray[Any]:
        """``values`` of the n-grams of ``order`` at each token [T]; 0 where there is none."""
        return _at(self.rows[order - 1], values)

    def of_contexts(self, order: int, values: NDArray[Any]) -> NDArray[Any]:
        """``values`` of the contexts of ``order``, a value a row of the order below, at each
        token [T]; 0 where there is none."""
        return _at(self.contexts[order - 1], values)


def _at(rows: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    found = np.zeros(len(rows), values.dtype)
    known = np.flatnonzero(rows >= 0)
    found[known] = values[rows[known]]
    return found


class HeldOut(Occurrences):
    """The tokens of a text that was not trained on, in ``chunks`` of ids and with ``marks`` as for
    counting."""

    def __init__(self, trie: Trie, chunks: Iterable[NDArray[np.int32]], marks: bool = True) -> None:
        nothing = [np.empty(0, np.int64)] * trie.order
        pieces = [(nothing, nothing), *(_locate(trie, ids, marks) for ids in chunks if len(ids))]
        rows, contexts = (
            [np.concatenate([piece[which][n] for piece in pieces]) for n in range(trie.order)]
            for which in (0, 1)
        )
        super().__init__(rows, contexts, np.ones(len(rows[0])))


def _locate(
    trie: Trie, ids: NDArray[np.int32], marks: bool
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    if marks:
        ends = np.flatnonzero(ids == EOS)
        tokens = np.insert(ids, np.concatenate(([0], ends[:-1] + 1)), BOS)
    else:
        # One <s>, which no n-gram begins with, stands before the first token.
        tokens = np.insert(ids[ids != EOS], 0, BOS)
    words = np.flatnonzero(tokens != BOS)
    found = tokens.astype(np.int64)
    rows, contexts = [found[words]], [np.zeros(len(words), np.int64)]
    for order in range(2, trie.order + 1):
        before = found[words - 1]
        known = np.flatnonzero(before >= 0)
        here = np.full(len(words), -1, np.int64)
        here[known] = find_children(trie, order, before[known], tokens[words[known]])
        rows.append(here)
        contexts.append(before)
        found = np.full(len(tokens), -1, np.int64)
        found[words] = here
    return rows, contexts


def in_training_text(trie: Trie, most: int) -> Occurrences:
    """The tokens of the text that ``trie`` was counted on, equal ones together. Of more than
    ``most`` it takes ``most``, at equal distances, each of which stands for its neighbours."""
    total = sum(int(counts.sum()) for _, _, counts in _pieces(trie))
    points = (np.arange(most) + 0.5) * (total / most)
    orders, rows, weights = [], [], []
    before = 0
    for order, start, counts in _pieces(trie):
        running = np.cumsum(counts) + before
        if total <= most:
            chosen = np.flatnonzero(counts)
            times = counts[chosen].astype(np.float64)
        else:
            here = points[np.searchsorted(points, before) : np.searchsorted(points, running[-1])]
            places = np.searchsorted(running, here, side="right")
            chosen, found = np.unique(places, return_counts=True)
            times = found.astype(np.float64) * (total / most)
        orders.append(np.full(len(chosen), order))
        rows.append(chosen + start)
        weights.append(times)
        before = int(running[-1])
    lengths, longest = np.concatenate(orders), np.concatenate(rows)
    return Occurrences(*_with_suffixes(trie, lengths, longest), np.concatenate(weights))


def _pieces(trie: Trie) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """The n-grams that are a token of the text with all of its history: order, first row and
    counts of some at a time."""
    for order in range(1, trie.order + 1):
        begin, end = (0, trie[order].size) if order == trie.order else trie.bos_range(order)
        column = trie[order].count
        assert column is not None
        for start in range(begin, end, BLOCK_ROWS):
            counts = column.read(start, min(start + BLOCK_ROWS, end)).astype(np.int64)
            if order == 1 and start <= BOS < start + len(counts):
                counts[BOS - start] = 0
            yield order, start, counts


def _with_suffixes(
    trie: Trie, lengths: NDArray[np.int64], longest: NDArray[np.int64]
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Rows and contexts, as in `Occurrences`, of the n-grams in the rows ``longest`` of the
    orders ``lengths`` and of all that they end with."""
    rows, contexts = [], []
    here = np.full(len(longest), -1, np.int64)
    for order in range(trie.order, 0, -1):
        here = np.where(lengths == order, longest, here)
        rows.append(here)
        if order == 1:
            contexts.append(np.zeros(len(here), np.int64))
            break
        first_child, suffix = trie[order - 1].first_child, trie[order].suffix
        assert first_child is not None and suffix is not None
        known = np.flatnonzero(here >= 0)
        before = np.full(len(here), -1, np.int64)
        before[known] = np.searchsorted(first_child.array(), here[known], side="right") - 1
        contexts.append(before)
        below = np.full(len(here), -1, np.int64)
        below[known] = suffix.take(here[known])
        here = below
    return rows[::-1], contexts[::-1]
