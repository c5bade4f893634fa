"""Counting n-grams of every order by sorting packed 64-bit keys.

An n-gram is a pair (row of its context, token); packed into one integer, a whole corpus is
counted by one sort an order, and the rows that the sort gives number the contexts of the next
order. ``P`` is the number of positions of the text with its ``<s>`` and ``</s>``.

Under a memory bound the positions are sorted in stretches, and the sorted runs, kept in
scratch files, are merged: the same numbers come out, as everything here is exact.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import BOS, EOS
from lmkit.ngram.lookup import sort_keys
from lmkit.ngram.runs import Run, merge_runs
from lmkit.ngram.trie import Level, Trie, check_order, row_dtype
from lmkit.store.columns import Builder, Column, MemoryColumn, narrow

BYTES_PER_POSITION = 64
"""What sorting takes a position at its peak: keys, their sorted copy, rows, and what is drawn
from them."""

LEAST_MEMORY = 64 << 20

STEP = 1 << 20
"""How many n-grams a pass over a column takes at a time."""


@dataclass(slots=True)
class Workspace:
    """Where the columns of a count live, and how many positions are sorted at a time."""

    directory: str | None = None
    positions: int | None = None

    @classmethod
    def bounded(cls, memory: int | None) -> Workspace:
        """For ``memory`` bytes; None: as much as it takes.

        Raises `UsageError` below 64 MiB, which no count can keep to.
        """
        if memory is None:
            return cls()
        if memory < LEAST_MEMORY:
            raise UsageError(
                f"{memory:,} bytes of memory are too few to count in", "--memory 500M or more"
            )
        return cls(tempfile.gettempdir(), max(memory // (3 * BYTES_PER_POSITION), 1 << 16))

    def builder(self, dtype: Any) -> Builder:
        return Builder(dtype, self.directory)


def count_ngrams(
    chunks: Iterable[NDArray[np.int32]],
    order: int,
    vocabulary_size: int,
    *,
    marks: bool = True,
    memory: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trie:
    """Count all n-grams up to ``order`` in ``chunks`` of token ids, each of whole sentences
    with their ``</s>`` and without ``<s>``.

    A sentence's n-grams begin with at most one ``<s>``. Without ``marks`` there is neither, and
    n-grams go on from sentence to sentence. ``memory`` bounds the working memory in bytes;
    ``progress(done, total)`` is told of each order. Raises `UsageError` for an
    order that no model has.
    """
    check_order(order)
    workspace = Workspace.bounded(memory)
    tokens = (_with_sentence_starts if marks else _without_ends)(chunks, workspace)
    counts = np.zeros(vocabulary_size, np.int64)
    for start, stop in _stretches(len(tokens), workspace):
        counts += np.bincount(tokens.read(start, stop), minlength=vocabulary_size)
    levels = [Level(vocabulary_size, count=MemoryColumn(narrowed(counts)))]
    rows = tokens
    for n in range(2, order + 1):
        if progress is not None:
            progress(n - 1, order)
        level, first_child, rows = _count_order(
            rows, tokens, levels[-1].size, vocabulary_size, workspace, top=n == order
        )
        levels[-1].first_child = first_child
        levels.append(level)
    if progress is not None:
        progress(order, order)
    return Trie(levels)


def _with_sentence_starts(chunks: Iterable[NDArray[np.int32]], workspace: Workspace) -> Column:
    """The text with ``<s>`` before each sentence: [P]."""
    builder = workspace.builder(np.int32)
    for ids in chunks:
        ends = np.flatnonzero(ids == EOS)
        starts = np.concatenate(([0], ends[:-1] + 1))
        builder.append(np.insert(ids, starts, BOS) if len(ends) else ids[:0])
    return builder.finish()


def _without_ends(chunks: Iterable[NDArray[np.int32]], workspace: Workspace) -> Column:
    """The text without what ends sentences: [P]."""
    builder = workspace.builder(np.int32)
    for ids in chunks:
        builder.append(ids[ids != EOS])
    return builder.finish()


def _stretches(length: int, workspace: Workspace) -> Iterator[tuple[int, int]]:
    """The positions in pieces of what is sorted at a time; of an empty text, one empty piece."""
    step = workspace.positions or max(length, 1)
    for start in range(0, max(length, 1), step):
        yield start, min(start + step, length)


def _count_order(
    rows: Column,
    tokens: Column,
    contexts: int,
    vocabulary_size: int,
    workspace: Workspace,
    *,
    top: bool,
) -> tuple[Level, Column, Column]:
    """The n-grams of one order, the first children of their contexts, and the row of the
    n-gram that ends at each position (-1: none), from the ``rows`` of the order below.
    """
    token_bits = max(vocabulary_size - 1, 1).bit_length()
    runs = []
    local = workspace.builder(np.int32 if workspace.positions else row_dtype(len(tokens)))
    for start, stop in _stretches(len(tokens), workspace):
        run, places = _sort_stretch(rows, tokens, start, stop, token_bits, contexts, top)
        runs.append(run.moved_to(workspace.builder))
        if not top:
            local.append(places)
    merged = merge_runs(runs, workspace.builder) if len(runs) > 1 else runs[0]
    level, first_child = columns_of_run(merged, contexts, token_bits, workspace)
    if top:
        return level, first_child, tokens
    if len(runs) == 1:
        return level, first_child, local.finish()
    found = local.finish()
    renumbered = workspace.builder(row_dtype(level.size))
    for run, (start, stop) in zip(runs, _stretches(len(tokens), workspace), strict=True):
        places = found.read(start, stop)
        assert run.merged_rows is not None
        # Index -1 takes the entry that is put behind the others: no n-gram ends there.
        targets = np.append(run.merged_rows.array(), -1)
        renumbered.append(targets[places])
    return level, first_child, renumbered.finish()


def _sort_stretch(
    rows: Column,
    tokens: Column,
    start: int,
    stop: int,
    token_bits: int,
    contexts: int,
    top: bool,
) -> tuple[Run, NDArray[Any]]:
    """Distinct n-grams that end in positions ``start`` to ``stop``, as a sorted run, and for
    each position the place of its n-gram in that run (-1: none)."""
    begin = max(start - 1, 0)
    before = rows.read(begin, stop)
    if start == 0:
        before = np.concatenate((np.array([-1], before.dtype), before))
    last = tokens.read(start, stop)
    places = np.flatnonzero((last != BOS) & (before[:-1] >= 0))
    keys = before[places].astype(np.uint64)
    keys <<= np.uint64(token_bits)
    keys |= last[places].astype(np.uint64)
    key_bits = token_bits + max(contexts - 1, 1).bit_length()
    keys, order = sort_keys(keys, key_bits)
    is_first = np.empty(len(keys), bool)
    is_first[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    firsts = np.flatnonzero(is_first)
    sorted_places = places[order]
    run = Run(
        MemoryColumn(keys[firsts]),
        MemoryColumn(np.diff(np.append(firsts, len(keys)))),
        # The n-gram without its first token ends at the same position, one order below.
        MemoryColumn(before[sorted_places[firsts] + 1]),
    )
    if top:
        return run, places[:0]
    found = np.full(stop - start, -1, row_dtype(len(tokens)))
    found[sorted_places] = np.cumsum(is_first, dtype=found.dtype) - 1
    return run, found


def columns_of_run(
    run: Run, contexts: int, token_bits: int, workspace: Workspace
) -> tuple[Level, Column]:
    """Unpack the keys of ``run`` into the columns of a level, and count its contexts' children."""
    size = len(run.keys)
    token = workspace.builder(np.int32)
    sizes = np.zeros(contexts + 1, np.int64)
    for start in range(0, size, STEP):
        keys = run.keys.read(start, min(start + STEP, size))
        token.append(keys & np.uint64((1 << token_bits) - 1))
        context = (keys >> np.uint64(token_bits)).view(np.int64)
        if len(context):
            low = int(context[0])
            here = np.bincount(context - low)
            sizes[low + 1 : low + 1 + len(here)] += here
    np.cumsum(sizes, out=sizes)
    first_child = workspace.builder(row_dtype(size))
    for start in range(0, len(sizes), STEP):
        first_child.append(sizes[start : start + STEP])
    level = Level(size, token.finish(), narrowed_column(run.counts, workspace), run.suffixes)
    return level, first_child.finish()


def narrowed(counts: NDArray[np.int64]) -> NDArray[Any]:
    """``counts`` in the smallest type that holds them."""
    return counts.astype(narrow(int(counts.max(initial=0))))


def narrowed_column(counts: Column, workspace: Workspace) -> Column:
    """``counts`` in the smallest type that holds them: most n-grams are seen once."""
    step = STEP
    largest = max(
        (int(counts.read(i, i + step).max()) for i in range(0, len(counts), step)), default=0
    )
    builder = workspace.builder(narrow(largest))
    for i in range(0, len(counts), step):
        builder.append(counts.read(i, i + step))
    return builder.finish()
