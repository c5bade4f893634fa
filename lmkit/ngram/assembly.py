"""From n-grams in any order, as files list them, to a trie in sorted columns.

``M`` is the number of n-grams given of one order n: a matrix of token ids [M, n]. Look-ups
need the context of every n-gram (it without its last token) in the trie: one that is not given
is inserted, and the caller says what it is worth. Counts need the suffix of every n-gram (it
without its first token) too; models of probabilities, such as pruned ones, may lack it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import BOS, EOS
from lmkit.ngram.lookup import find_children, sort_keys
from lmkit.ngram.trie import Level, Trie, row_dtype
from lmkit.store.columns import Column, MemoryColumn

Table = NDArray[np.int32]


@dataclass(slots=True)
class Assembly:
    """``trie`` has ``token``, ``suffix`` and ``first_child`` columns only. ``rows[n - 2]`` [M]:
    the row of each given n-gram of order n; equal n-grams have the same. ``inserted[n - 2]``:
    rows that no given n-gram has, ascending."""

    trie: Trie
    rows: list[NDArray[np.int64]]
    inserted: list[NDArray[np.int64]]


def assemble(vocabulary_size: int, tables: Sequence[Table], *, insert_suffixes: bool) -> Assembly:
    """A trie of all the tokens and the n-grams in ``tables``: [M, 2], [M, 3] and so on.

    Missing suffixes are inserted, or else are -1 in the column ``suffix``.
    """
    given = [len(table) for table in tables]
    tables = list(tables)
    while True:
        trie, rows = _build(vocabulary_size, tables)
        missing = _missing_suffixes(trie) if insert_suffixes else []
        if not any(map(len, missing)):
            break
        tables = [np.concatenate(pair) for pair in zip(tables, missing, strict=True)]
    rows = [of_order[:size] for of_order, size in zip(rows, given, strict=True)]
    inserted = []
    for level, of_order in zip(trie.levels[1:], rows, strict=True):
        unseen = np.ones(level.size, bool)
        unseen[of_order] = False
        inserted.append(np.flatnonzero(unseen))
    return Assembly(trie, rows, inserted)


def _build(vocabulary_size: int, tables: Sequence[Table]) -> tuple[Trie, list[NDArray[np.int64]]]:
    """A trie of the n-grams and all their beginnings, and the row of each n-gram.

    Numbers the beginnings of one length of all the longer n-grams together, so that a
    context that is not given of itself comes about as the others do.
    """
    trie = Trie([Level(vocabulary_size)])
    bits = trie.token_bits
    beginnings = [table[:, 0].astype(np.uint64) for table in tables]
    rows: list[NDArray[np.int64]] = []
    for order in range(2, len(tables) + 2):
        longer = tables[order - 2 :]
        keys = np.concatenate(beginnings)
        beginnings.clear()
        keys <<= np.uint64(bits)
        keys |= np.concatenate([table[:, order - 1] for table in longer]).astype(np.uint64)
        keys, numbers = _number(keys, bits + max(trie[order - 1].size - 1, 1).bit_length())
        ends = np.cumsum([len(table) for table in longer])
        beginnings = np.split(numbers, ends[:-1])
        rows.append(beginnings.pop(0).astype(np.int64))
        _add_level(trie, keys, bits)
    return trie, rows


def _number(
    keys: NDArray[np.uint64], key_bits: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The distinct ``keys`` in ascending order, and the place of each key among them."""
    keys, place = sort_keys(keys, key_bits)
    is_first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    numbers = np.empty(len(keys), np.uint64)
    numbers[place] = np.cumsum(is_first) - 1
    return keys[is_first], numbers


def _add_level(trie: Trie, keys: NDArray[np.uint64], bits: int) -> None:
    below = trie.levels[-1]
    contexts = (keys >> np.uint64(bits)).view(np.int64)
    tokens = (keys & np.uint64((1 << bits) - 1)).astype(np.int32)
    first_child = np.zeros(below.size + 1, row_dtype(len(keys)))
    np.cumsum(np.bincount(contexts, minlength=below.size), out=first_child[1:])
    below.first_child = MemoryColumn(first_child)
    if len(trie.levels) == 1:
        suffixes = tokens
    else:
        # The suffix of an n-gram continues the suffix of its context with its last token.
        assert below.suffix is not None
        before = below.suffix.array()[contexts]
        suffixes = np.full(len(keys), -1, row_dtype(below.size))
        known = np.flatnonzero(before >= 0)
        suffixes[known] = find_children(trie, trie.order, before[known], tokens[known])
    trie.levels.append(Level(len(keys), MemoryColumn(tokens), suffix=MemoryColumn(suffixes)))


def _missing_suffixes(trie: Trie) -> list[Table]:
    """The n-grams of order 2, 3, ... that are a suffix and not in the trie."""
    missing = [np.zeros((0, order), np.int32) for order in range(2, trie.order + 1)]
    for order in range(3, trie.order + 1):
        suffix = trie[order].suffix
        assert suffix is not None
        rows = np.flatnonzero(suffix.array() < 0)
        missing[order - 3] = ngram_ids(trie, order, rows)[:, 1:]
    return missing


def ngram_ids(trie: Trie, order: int, rows: NDArray[np.integer]) -> Table:
    """Token ids [R, order] of the n-grams in ``rows`` [R]."""
    ids = np.empty((len(rows), order), np.int32)
    for n in range(order, 1, -1):
        token = trie[n].token
        assert token is not None
        ids[:, n - 1] = token.take(rows)
        rows = contexts_of(trie, n, rows)
    ids[:, 0] = rows
    return ids


def contexts_of(trie: Trie, order: int, rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Rows, one order below, of the contexts of the n-grams in ``rows`` of ``order``."""
    children = trie[order - 1].first_child
    assert children is not None
    found: NDArray[Any] = np.searchsorted(children.array(), rows, side="right") - 1
    return found


def find_ngrams(trie: Trie, ids: Table) -> NDArray[np.int64]:
    """Rows [R], at order n, of the n-grams ``ids`` [R, n]; -1 for those that are not there."""
    rows = ids[:, 0].astype(np.int64)
    for order in range(2, ids.shape[1] + 1):
        known = np.flatnonzero(rows >= 0)
        rows[known] = find_children(trie, order, rows[known], ids[known, order - 1])
    return rows


def log_probs_of_ngrams(trie: Trie, ids: Table, longest: int | None = None) -> NDArray[np.float64]:
    """log p [R] of the last token of each n-gram ``ids`` [R, n] after the others, n at most the
    order of ``trie``; by backing off to n-grams of at most ``longest`` tokens, where that is
    given."""
    totals = np.zeros(len(ids))
    asked = np.arange(len(ids))
    for size in range(ids.shape[1], 0, -1):
        if longest is None or size <= longest:
            found = find_ngrams(trie, ids[asked, -size:])
            hit = found >= 0
            totals[asked[hit]] += _taken(trie[size].log_prob, found[hit])
            asked = asked[~hit]
        if size > 1:
            contexts = find_ngrams(trie, ids[asked, -size:-1])
            known = np.flatnonzero(contexts >= 0)
            totals[asked[known]] += _taken(trie[size - 1].log_backoff, contexts[known])
    return totals


def _taken(column: Column | None, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    assert column is not None
    return column.take(rows).astype(np.float64)


def well_formed(ids: Table) -> NDArray[np.bool_]:
    """Which of the n-grams [M, n] have ``<s>`` only first and ``</s>`` only last: no other can
    stand in a sentence."""
    good = (ids[:, 1:] != BOS).all(axis=1)
    good &= (ids[:, :-1] != EOS).all(axis=1)
    return good
