"""Held-out text against a trie: which n-gram of each order stands at each of its tokens.

What the methods that learn from held-out text work with: interpolation weights by EM,
discounts by search. ``T`` is the number of tokens of the text, ``</s>`` included.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lmkit.model import BOS, EOS
from lmkit.ngram.lookup import find_children
from lmkit.ngram.trie import Trie


class HeldOut:
    """``rows[n - 1]`` [T]: row at order n of the n-gram that ends at each token, -1 where the
    trie has none. ``contexts[n - 1]`` [T]: row at order n - 1 of its context, -1 where the trie
    has none or the sentence has not begun that long ago (0 for the empty context, n = 1)."""

    def __init__(self, trie: Trie, chunks: Iterable[NDArray[np.int32]]) -> None:
        pieces = [_locate(trie, ids) for ids in chunks if len(ids)]
        self.rows = [np.concatenate([rows[n] for rows, _ in pieces]) for n in range(trie.order)]
        self.contexts = [
            np.concatenate([contexts[n] for _, contexts in pieces]) for n in range(trie.order)
        ]

    def __len__(self) -> int:
        return len(self.rows[0])


def _locate(
    trie: Trie, ids: NDArray[np.int32]
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    ends = np.flatnonzero(ids == EOS)
    tokens = np.insert(ids, np.concatenate(([0], ends[:-1] + 1)), BOS)
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
