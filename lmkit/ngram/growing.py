"""A trie that grows order by order out of n-grams in any order, in bounded memory.

An n-gram is here, as in `lmkit.ngram.counting`, its context's row and its last token packed into
one 64-bit key. Files mostly come sorted, and then their n-grams stay where they are; others are
sorted in stretches, which are merged. What is listed without its context makes the context an
n-gram as well: it is inserted, and what stands behind it moves up.

``M`` is the number of n-grams given at a time, each with ``values``, numbers of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.cores import available_cores
from lmkit.ngram.counting import STEP, Workspace
from lmkit.ngram.lookup import find_keys, sort_keys
from lmkit.ngram.runs import merge_in_order
from lmkit.ngram.trie import Level, Trie, row_dtype
from lmkit.store.columns import Builder, Column
from lmkit.threads import Pipeline

SORTED_AT_ONCE = 1 << 20
"""How many n-grams are sorted at a time: so many that key and place mostly fit 64 bits."""

Ids = NDArray[np.int32]
Values = Sequence[NDArray[Any]]
Merge = Callable[[NDArray[np.uint64], list[NDArray[Any]]], tuple[NDArray[np.uint64], Values]]
"""What becomes of ascending keys and their values, where equal keys are together."""


@dataclass(slots=True)
class Grown:
    """The n-grams of one order: their ``keys`` in ascending order, and their ``values``."""

    keys: Column
    values: list[Column]
    array: NDArray[np.uint64] = field(init=False)
    """The keys, to be looked up."""

    def __post_init__(self) -> None:
        self.array = self.keys.array()

    def replace(self, keys: Column, values: list[Column]) -> None:
        """Put others in their place."""
        self.keys, self.values, self.array = keys, values, keys.array()


class Listing:
    """Takes the n-grams of one order as a file lists them."""

    def __init__(self, order: int, workspace: Workspace, kinds: Sequence[Any], bits: int) -> None:
        self.order = order
        self.ascending = True
        """Whether each key so far is greater than the one before."""
        self._bits = np.uint64(bits)
        self._last = -1
        builders = [workspace.builder(kind) for kind in (np.uint64, *kinds)]
        self.keys, self.values = builders[0], builders[1:]
        builders = [workspace.builder(kind) for kind in (np.int32, *kinds)]
        self.orphans, self.orphan_values = builders[0], builders[1:]

    def append(self, ids: Ids, contexts: NDArray[np.int64], values: Values) -> None:
        """Take n-grams [M, order] whose contexts have the rows ``contexts`` [M]; -1: none yet."""
        known = contexts >= 0
        if not known.all():
            self.ascending = False
            self.orphans.append(ids[~known].ravel())
            for builder, column in zip(self.orphan_values, values, strict=True):
                builder.append(column[~known])
            ids, contexts = ids[known], contexts[known]
            values = [column[known] for column in values]
        if not len(ids):
            return
        keys = contexts.astype(np.uint64)
        keys <<= self._bits
        keys |= ids[:, -1].astype(np.uint64)
        self.ascending &= int(keys[0]) > self._last and bool((keys[1:] > keys[:-1]).all())
        self._last = int(keys[-1])
        self.keys.append(keys)
        for builder, column in zip(self.values, values, strict=True):
            builder.append(column)


class GrowingTrie:
    """``levels`` are those of order 2, 3 and so on that are complete so far; ``fills`` are the
    values of n-grams that are inserted, ``merge`` is what becomes of those given twice."""

    def __init__(
        self,
        vocabulary_size: int,
        workspace: Workspace,
        kinds: Sequence[Any],
        fills: Sequence[float],
        merge: Merge | None = None,
    ) -> None:
        self._vocabulary_size = vocabulary_size
        self.workspace = workspace
        self._kinds = kinds
        self._fills = fills
        self._merge = merge
        self.bits = max(vocabulary_size - 1, 1).bit_length()
        self.levels: list[Grown] = []
        self.inserted: list[int] = []
        """How many n-grams of each level were in no listing."""

    @property
    def order(self) -> int:
        """That of the highest complete level."""
        return len(self.levels) + 1

    def size(self, order: int) -> int:
        """The number of n-grams of ``order``."""
        return self._vocabulary_size if order == 1 else len(self.levels[order - 2].keys)

    # -- finding ------------------------------------------------------------------------------

    def contexts(self, ids: Ids) -> NDArray[np.int64]:
        """Rows [M], one order below, of the n-grams ``ids`` [M, n] without their last token; -1
        where that has none. Asks once for a beginning that stands in lines next to each other."""
        rows = ids[:, 0].astype(np.int64)
        changed = np.ones(len(ids), bool)
        np.not_equal(ids[1:, 0], ids[:-1, 0], out=changed[1:])
        for column in range(1, ids.shape[1] - 1):
            changed[1:] |= ids[1:, column] != ids[:-1, column]
            at = np.flatnonzero(changed)
            found = self.children(column + 1, rows[at], ids[at, column])
            rows = np.repeat(found, np.diff(at, append=len(ids)))
        return rows

    def rows(self, ids: Ids) -> NDArray[np.int64]:
        """Rows [M] of the n-grams ``ids`` [M, n] themselves."""
        contexts = self.contexts(ids)
        return contexts if ids.shape[1] == 1 else self.children(ids.shape[1], contexts, ids[:, -1])

    def children(
        self, order: int, contexts: NDArray[np.int64], tokens: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """Rows [M] at ``order`` of the n-grams that continue ``contexts`` [M], of which -1 has
        none, with ``tokens`` [M]; -1 where there is none."""
        known = np.flatnonzero(contexts >= 0)
        if len(known) < len(contexts):
            rows = np.full(len(contexts), -1, np.int64)
            rows[known] = self.children(order, contexts[known], tokens[known])
            return rows
        key_bits = self.bits + max(self.size(order - 1) - 1, 1).bit_length()
        return find_keys(self.levels[order - 2].array, self._packed(contexts, tokens), key_bits)

    def _packed(
        self, contexts: NDArray[np.int64], tokens: NDArray[np.integer]
    ) -> NDArray[np.uint64]:
        keys = contexts.astype(np.uint64)
        keys <<= np.uint64(self.bits)
        keys |= tokens.astype(np.uint64)
        return keys

    def ids(self, order: int, rows: NDArray[np.int64]) -> Ids:
        """Token ids [M, order] of the n-grams in ``rows`` [M]."""
        ids = np.empty((len(rows), order), np.int32)
        for n in range(order, 1, -1):
            keys = self.levels[n - 2].array[rows]
            ids[:, n - 1] = keys & np.uint64((1 << self.bits) - 1)
            rows = (keys >> np.uint64(self.bits)).view(np.int64)
        ids[:, 0] = rows
        return ids

    # -- growing ------------------------------------------------------------------------------

    def listing(self) -> Listing:
        """What takes the n-grams of the next order."""
        return Listing(self.order + 1, self.workspace, self._kinds, self.bits)

    def seal(self, listing: Listing) -> None:
        """Make a level of all that ``listing`` has taken."""
        values = [builder.finish() for builder in listing.values]
        level = Grown(listing.keys.finish(), values)
        self.levels.append(level)
        self.inserted.append(0)
        orphans = listing.orphans.finish()
        if len(orphans):
            self._adopt(orphans, [builder.finish() for builder in listing.orphan_values])
        if not listing.ascending:
            level.replace(*self._sorted(level))

    def _adopt(self, orphans: Column, values: list[Column]) -> None:
        """Add the n-grams ``orphans``, after their contexts, to the highest level."""
        level, order = self.levels[-1], self.order
        count = len(orphans) // order
        for place, stop in steps(count, self.workspace):
            ids = orphans.read(place * order, stop * order).reshape(-1, order)
            self.insert(order - 1, ids[:, :-1])
        keys = _copied(level.keys, self.workspace.builder(np.uint64))
        for place, stop in steps(count, self.workspace):
            ids = orphans.read(place * order, stop * order).reshape(-1, order)
            keys.append(self._packed(self.contexts(ids), ids[:, -1]))
        joined = []
        for kind, column, more in zip(self._kinds, level.values, values, strict=True):
            builder = _copied(column, self.workspace.builder(kind))
            joined.append(_copied(more, builder).finish())
        level.replace(keys.finish(), joined)

    def insert(self, order: int, ids: Ids) -> None:
        """See to it that the n-grams ``ids`` [M, order] and all they begin with are there."""
        if order == 1 or not len(ids):
            return
        self.insert(order - 1, ids[:, :-1])
        level = self.levels[order - 2]
        wanted = np.unique(self._packed(self.contexts(ids), ids[:, -1]))
        places = np.searchsorted(level.array, wanted)
        there = np.zeros(len(wanted), bool)
        inside = places < len(level.array)
        there[inside] = level.array[places[inside]] == wanted[inside]
        wanted, places = wanted[~there], places[~there]
        if not len(wanted):
            return
        self.inserted[order - 2] += len(wanted)
        added = [wanted, *(np.full(len(wanted), fill) for fill in self._fills)]
        columns = [
            self._inserted(column, places, new)
            for column, new in zip((level.keys, *level.values), added, strict=True)
        ]
        level.replace(columns[0], columns[1:])
        if order < self.order:
            above = self.levels[order - 1]
            above.replace(self._moved(above.keys, places), above.values)

    def _inserted(self, column: Column, places: NDArray[np.int64], new: NDArray[Any]) -> Column:
        builder = self.workspace.builder(column.dtype)
        for start, stop in steps(len(column), self.workspace):
            a, b = np.searchsorted(places, (start, stop)).tolist()
            piece = column.read(start, stop)
            builder.append(np.insert(piece, places[a:b] - start, new[a:b].astype(column.dtype)))
        a = int(np.searchsorted(places, len(column)))
        builder.append(new[a:].astype(column.dtype))
        return builder.finish()

    def _moved(self, keys: Column, places: NDArray[np.int64]) -> Column:
        """``keys`` after something was inserted among their contexts at ``places``."""
        builder = self.workspace.builder(np.uint64)
        for start, stop in steps(len(keys), self.workspace):
            piece = keys.read(start, stop)
            contexts = (piece >> np.uint64(self.bits)).view(np.int64)
            by = np.searchsorted(places, contexts, side="right").astype(np.uint64)
            builder.append(piece + (by << np.uint64(self.bits)))
        return builder.finish()

    def _sorted(self, level: Grown) -> tuple[Column, list[Column]]:
        """The keys of ``level`` in ascending order, with their values; of equal ones the first
        given comes first, unless they are merged."""
        key_bits = self.bits + max(self.size(self.order - 1) - 1, 1).bit_length()
        runs = []
        step = _at_once(SORTED_AT_ONCE, self.workspace)
        for start in range(0, max(len(level.keys), 1), step):
            stop = start + step
            keys, place = sort_keys(level.keys.read(start, stop).copy(), key_bits)
            columns = [keys, *(column.read(start, stop)[place] for column in level.values)]
            builders = [self.workspace.builder(column.dtype) for column in columns]
            for builder, column in zip(builders, columns, strict=True):
                builder.append(column)
            runs.append([builder.finish() for builder in builders])
        builders = [self.workspace.builder(kind) for kind in (np.uint64, *self._kinds)]
        for keys, values in merge_in_order(runs):
            merged = (keys, values) if self._merge is None else self._merge(keys, values)
            for builder, column in zip(builders, (merged[0], *merged[1]), strict=True):
                builder.append(column)
        finished = [builder.finish() for builder in builders]
        return finished[0], finished[1:]

    # -- the whole ----------------------------------------------------------------------------

    def insert_suffixes(self) -> None:
        """See to it that every n-gram without its first token is there, from the top down."""
        for order in range(self.order, 2, -1):
            for start, stop in steps(self.size(order), self.workspace):
                # What is inserted below this order moves nothing in it.
                suffixes = self.ids(order, np.arange(start, stop))[:, 1:]
                missing = self.rows(suffixes) < 0
                self.insert(order - 1, suffixes[missing])

    def trie(self) -> Trie:
        """A trie with ``token``, ``suffix`` and ``first_child`` columns only."""
        trie = Trie([Level(self._vocabulary_size)])
        suffix: Column | None = None
        for order in range(2, self.order + 1):
            below = trie.levels[-1]
            token, suffix, first_child = self._columns(order, suffix)
            below.first_child = _kept(first_child, self.workspace)
            trie.levels.append(Level(self.size(order), token, suffix=suffix))
        return trie

    def _columns(
        self, order: int, suffix_below: Column | None
    ) -> tuple[Column, Column, NDArray[Any]]:
        """Token and suffix of each n-gram of ``order``, and the first child of each context."""
        size, contexts_size = self.size(order), self.size(order - 1)
        keys = self.levels[order - 2].keys
        token = self.workspace.builder(np.int32)
        suffix = self.workspace.builder(np.int32 if order == 2 else row_dtype(contexts_size))
        first_child = np.zeros(contexts_size + 1, row_dtype(size))

        def work(start: int, stop: int) -> tuple[NDArray[Any], ...]:
            piece = keys.read(start, stop)
            contexts = (piece >> np.uint64(self.bits)).view(np.int64)
            tokens = (piece & np.uint64((1 << self.bits) - 1)).astype(np.int32)
            if suffix_below is None:
                return contexts, tokens, tokens
            # The suffix of an n-gram continues the suffix of its context with its last token.
            low = int(contexts[0])
            before = suffix_below.read(low, int(contexts[-1]) + 1)[contexts - low]
            return contexts, tokens, self.children(order - 1, before.astype(np.int64), tokens)

        def take(columns: tuple[NDArray[Any], ...]) -> None:
            contexts, tokens, suffixes = columns
            token.append(tokens)
            suffix.append(suffixes)
            low = int(contexts[0])
            sizes = np.bincount(contexts - low)
            first_child[low + 1 : low + 1 + len(sizes)] += sizes.astype(first_child.dtype)

        with Pipeline(available_cores()) as pipeline:
            for start, stop in steps(size, self.workspace):
                pipeline.put(partial(work, start, stop), take)
        np.cumsum(first_child, out=first_child)
        return token.finish(), suffix.finish(), first_child


def steps(size: int, workspace: Workspace | None = None) -> Iterator[tuple[int, int]]:
    """``size`` rows in stretches of at most `STEP`, or of fewer where a ``workspace`` has no room
    for so many: first, and one behind the last."""
    step = _at_once(STEP, workspace)
    for start in range(0, size, step):
        yield start, min(start + step, size)


def _at_once(most: int, workspace: Workspace | None) -> int:
    if workspace is None or workspace.positions is None:
        return most
    return min(most, workspace.positions)


def _copied(column: Column, builder: Builder) -> Builder:
    """``builder`` with all of ``column`` appended."""
    for start, stop in steps(len(column)):
        builder.append(column.read(start, stop))
    return builder


def _kept(values: NDArray[Any], workspace: Workspace) -> Column:
    builder = workspace.builder(values.dtype)
    builder.append(values)
    return builder.finish()
