"""Finding n-grams in a trie: many at a time, without a loop over them in Python.

``Q`` is the number of questions asked at once. A row of -1 means that there is no such n-gram.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.ngram.trie import Trie

MANY = 4096
"""From how many questions on sorting them first pays, where there are no packed keys yet."""
FEW = 64
"""Fewer are not worth sorting even then."""
FEWEST, CHILDREN = 16, 4096
"""So few questions are answered one by one, where contexts have no more children than that."""

NEIGHBOURS = 2048
"""So many questions in ascending order are looked for among the keys near them."""


def find_children(
    trie: Trie, order: int, contexts: NDArray[np.integer], tokens: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Rows [Q] at ``order`` (2 or more) of the n-grams that continue ``contexts`` [Q], rows of
    the order below, with ``tokens`` [Q]; -1 where there are none.
    """
    if trie.has_keys(order) and len(contexts) > FEWEST:
        return _search_keys(trie, order, contexts, tokens)
    if trie[order].size > 2 * trie[order - 1].size and len(contexts) >= FEW:
        # A search of sentences asks often, but not for so many at a time.
        trie.asked[order] += len(contexts)
        if len(contexts) >= MANY or trie.asked[order] > trie[order].size // 8:
            return _search_keys(trie, order, contexts, tokens)
    return _search_ranges(trie, order, contexts, tokens)


def _search_ranges(
    trie: Trie, order: int, contexts: NDArray[np.integer], tokens: NDArray[np.integer]
) -> NDArray[np.int64]:
    """One binary search for all questions together, each between the bounds of its own
    context: it touches little of the trie, and is quick where contexts have few children."""
    first_child, token = trie[order - 1].first_child, trie[order].token
    assert first_child is not None and token is not None
    low = first_child.take(contexts).astype(np.int64)
    high = first_child.take(contexts + 1).astype(np.int64)
    found = np.full(len(contexts), -1, np.int64)
    asked = np.flatnonzero(low < high)
    low, high = low[asked], high[asked]
    wanted = np.asarray(tokens)[asked]
    if len(asked) <= FEWEST and (high - low <= CHILDREN).all():
        for place, first, last, one in zip(*map(_listed, (asked, low, high, wanted)), strict=True):
            children = token.read(first, last)
            child = int(children.searchsorted(one))
            if child < len(children) and children[child] == one:
                found[place] = first + child
        return found
    while len(asked):
        middle = (low + high) >> 1
        here = token.take(middle)
        hit = here == wanted
        found[asked[hit]] = middle[hit]
        below = here < wanted
        np.copyto(low, middle + 1, where=below)
        np.copyto(high, middle, where=~below)
        going = np.flatnonzero((low < high) & ~hit)
        if len(going) < len(asked):
            asked, wanted = asked[going], wanted[going]
            low, high = low[going], high[going]
    return found


def _listed(values: NDArray[np.integer]) -> list[int]:
    return values.tolist()


def _search_keys(
    trie: Trie, order: int, contexts: NDArray[np.integer], tokens: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Sort the questions, then look each up among the order's packed keys: neighbours in the
    questions are neighbours in memory, which makes up for the sort."""
    keys = trie.packed_keys(order)
    bits = trie.token_bits
    asked = np.asarray(contexts).astype(np.uint64)
    asked <<= np.uint64(bits)
    asked |= np.asarray(tokens).astype(np.uint64)
    key_bits = bits + max(trie[order - 1].size - 1, 1).bit_length()
    return find_keys(keys, asked, key_bits)


def find_keys(
    keys: NDArray[np.uint64], asked: NDArray[np.uint64], key_bits: int
) -> NDArray[np.int64]:
    """Where each of ``asked`` [Q], of at most ``key_bits`` bits, stands among the ascending
    ``keys``, of equal ones the first; -1: nowhere. May overwrite ``asked``.
    """
    if not len(keys) or not len(asked):
        return np.full(len(asked), -1, np.int64)
    if not (asked[1:] >= asked[:-1]).all():
        asked, place = sort_keys(asked, key_bits)
        found = np.empty(len(asked), np.int64)
        found[place] = find_keys(keys, asked, key_bits)
        return found
    rows = _places_of(keys, asked)
    rows[rows == len(keys)] = 0
    rows[keys[rows] != asked] = -1
    return rows


def _places_of(keys: NDArray[np.uint64], asked: NDArray[np.uint64]) -> NDArray[np.int64]:
    """``np.searchsorted`` for ``asked`` in ascending order, some at a time, each lot among the
    keys that are near: a binary search through all of them takes twice the steps."""
    rows = np.empty(len(asked), np.int64)
    bounds = np.searchsorted(keys, asked[::NEIGHBOURS]).tolist()
    bounds.append(int(np.searchsorted(keys, asked[-1])))
    for number, low in enumerate(bounds[:-1]):
        lot = slice(number * NEIGHBOURS, (number + 1) * NEIGHBOURS)
        near = keys[low : bounds[number + 1]]
        np.add(np.searchsorted(near, asked[lot]), low, out=rows[lot])
    return rows


def sort_keys(
    keys: NDArray[np.uint64], key_bits: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """``keys`` of ``key_bits`` bits in ascending order, and where each stood.

    One sort of key and place packed together is two to three times as fast as ``argsort``,
    where both fit 64 bits. May overwrite ``keys``.
    """
    place_bits = max(len(keys) - 1, 1).bit_length()
    if key_bits + place_bits > 64:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    keys <<= np.uint64(place_bits)
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    order = (keys & np.uint64((1 << place_bits) - 1)).view(np.int64)
    keys >>= np.uint64(place_bits)
    return keys, order
