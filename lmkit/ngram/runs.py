"""Sorted runs of counted keys, and merging several into one without holding them whole.

A run is three columns of equal length: distinct keys in ascending order, the count of each,
and the row of its suffix at the order below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.ngram.lookup import sort_keys
from lmkit.store.columns import Builder, Column

STRIDE = 1 << 14
"""Every how many keys a run is sampled to find where to cut."""

Build = Callable[[Any], Builder]


@dataclass(slots=True)
class Run:
    """Distinct ``keys`` in ascending order, their ``counts`` and ``suffixes``; after a merge,
    ``merged_rows`` is the place of each key in the result."""

    keys: Column
    counts: Column
    suffixes: Column
    merged_rows: Column | None = None

    def moved_to(self, build: Build) -> Run:
        """The same run with its columns where ``build`` puts them."""
        return Run(*(_moved(column, build) for column in (self.keys, self.counts, self.suffixes)))


def _moved(column: Column, build: Build) -> Column:
    builder = build(column.dtype)
    builder.append(column.array())
    return builder.finish()


def merge_runs(runs: list[Run], build: Build) -> Run:
    """One run of all keys, with summed counts; sets ``merged_rows`` of each of ``runs``.

    Works on one range of keys at a time, chosen so that the runs have some 64 * STRIDE
    entries in it together.
    """
    keys, counts = build(np.uint64), build(np.int64)
    suffixes = build(runs[0].suffixes.dtype)
    rows = [build(np.int64) for _ in runs]
    starts = [0] * len(runs)
    size = 0
    for ends in _cuts([run.keys for run in runs]):
        pieces = [run.keys.read(a, b) for run, a, b in zip(runs, starts, ends, strict=True)]
        together = np.concatenate(pieces)
        order = np.argsort(together, kind="stable")
        together = together[order]
        firsts = np.flatnonzero(np.concatenate(([True], together[1:] != together[:-1])))
        distinct = together[firsts]
        keys.append(distinct)
        counts.append(np.add.reduceat(_gather(runs, "counts", starts, ends)[order], firsts))
        suffixes.append(_gather(runs, "suffixes", starts, ends)[order[firsts]])
        for builder, piece in zip(rows, pieces, strict=True):
            builder.append(np.searchsorted(distinct, piece) + size)
        size += len(distinct)
        starts = ends
    for run, builder in zip(runs, rows, strict=True):
        run.merged_rows = builder.finish()
    return Run(keys.finish(), counts.finish(), suffixes.finish())


def merge_in_order(
    runs: Sequence[Sequence[Column]],
) -> Iterator[tuple[NDArray[np.uint64], list[NDArray[Any]]]]:
    """The rows of all ``runs`` in the order of their first columns, ascending keys, a stretch at
    a time: equal keys come in one stretch, those of an earlier run first."""
    runs = [run for run in runs if len(run[0])]
    if len(runs) == 1:
        # There is nothing to merge, but what is of one key must not come apart.
        keys, *values = (column.array() for column in runs[0])
        yield keys, values
        return
    starts = [0] * len(runs)
    for ends in _cuts([run[0] for run in runs], 16):
        spans = list(zip(runs, starts, ends, strict=True))
        keys, *values = (
            np.concatenate([run[number].read(start, stop) for run, start, stop in spans])
            for number in range(len(runs[0]))
        )
        # Keys of one stretch are near each other: what tells them apart needs few bits.
        low = keys.min()
        keys -= low
        keys, place = sort_keys(keys, int(keys.max()).bit_length())
        yield keys + low, [column[place] for column in values]
        starts = ends


def _gather(runs: list[Run], name: str, starts: list[int], ends: list[int]) -> NDArray[Any]:
    return np.concatenate(
        [getattr(run, name).read(a, b) for run, a, b in zip(runs, starts, ends, strict=True)]
    )


def _cuts(keys: Sequence[Column], samples_each: int = 64) -> list[list[int]]:
    """Places to cut each of the ascending ``keys`` at, so that equal ones fall between the same
    cuts, with some ``samples_each`` times STRIDE entries between two."""
    samples = np.sort(
        np.concatenate(
            [
                np.concatenate([run.read(i, i + 1) for i in range(0, len(run), STRIDE)])
                for run in keys
                if len(run)
            ]
            or [np.empty(0, np.uint64)]
        )
    )
    splitters = np.unique(samples[samples_each::samples_each])
    cuts = [[_first_not_below(run, splitter) for run in keys] for splitter in splitters]
    cuts.append([len(run) for run in keys])
    return [
        cut for cut, before in zip(cuts, [[0] * len(keys), *cuts], strict=False) if cut != before
    ]


def _first_not_below(keys: Column, bound: np.uint64) -> int:
    """Place of the first entry of the ascending ``keys`` that is not below ``bound``."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys.read(middle, middle + 1)[0] < bound:
            low = middle + 1
        else:
            high = middle
    return low
