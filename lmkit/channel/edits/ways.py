"""Sums over all ways through a grid, forward and backward, and the best way.

The forward and backward algorithms over edits (Ristad & Yianilos 1998), one diagonal of all
grids at a time. Shapes: those of `lmkit.channel.edits.grid`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lmkit.channel.edits.counts import Floats, Ints
from lmkit.channel.edits.grid import Grid


def _diagonals(grid: Grid) -> Iterator[tuple[int, int, int]]:
    """Each diagonal, and its first and last node (exclusive)."""
    for d in range(grid.N + grid.columns - 1):
        yield d, max(0, d - grid.columns + 1), min(grid.N - 1, d) + 1


def _cells(grid: Grid, d: int, low: int, high: int) -> slice:
    """Rows of the cells of diagonal ``d`` at the nodes ``low`` to ``high`` (exclusive)."""
    step = grid.columns - 1
    start = low * step + d
    return slice(start, start + (high - low - 1) * step + 1, step)


def _by_diagonal(grid: Grid, cells: Ints) -> tuple[Ints, Ints]:
    """The longer edits in the order of the diagonals of their ``cells``, and where each begins."""
    diagonal = cells // grid.columns + cells % grid.columns
    order = np.argsort(diagonal, kind="stable")
    bounds = np.searchsorted(diagonal[order], np.arange(grid.N + grid.columns))
    return order, bounds


def forward(grid: Grid) -> Floats:
    """[N * columns, P]: the probability of all ways from the beginning to each cell."""
    F = np.zeros(grid.insert.shape)
    F[0] = 1 - grid.keep
    order, bounds = _by_diagonal(grid, grid.longer.end)
    longer = grid.longer.take(order)
    for d, low, high in _diagonals(grid):
        if d == 0:
            continue
        top = min(high, d)
        if top > low:
            cells, before = _cells(grid, d, low, top), _cells(grid, d - 1, low, top)
            F[cells] += F[before] * grid.insert[before]
        bottom = max(low, 1)
        if high > bottom:
            cells, before = _cells(grid, d, bottom, high), _cells(grid, d - 1, bottom - 1, high - 1)
            F[cells] += F[before] * grid.delete[bottom - 1 : high - 1]
        if top > bottom:
            cells, before = _cells(grid, d, bottom, top), _cells(grid, d - 2, bottom - 1, top - 1)
            F[cells] += F[before] * grid.single[before]
        some = slice(bounds[d], bounds[d + 1])
        if some.stop > some.start:
            pair = longer.pair[some]
            np.add.at(F, (longer.end[some], pair), F[longer.start[some], pair] * longer.prob[some])
    return F


def backward(grid: Grid, best: bool = False) -> Floats:
    """[N * columns, P]: the probability of all ways from each cell to the end, or, ``best``, of
    the likeliest one."""
    join = np.maximum if best else np.add
    columns = grid.columns
    B = np.zeros(grid.insert.shape)
    B[grid.final, np.arange(grid.P)] = 1.0
    order, bounds = _by_diagonal(grid, grid.longer.start)
    longer = grid.longer.take(order)
    for d, low, high in reversed(list(_diagonals(grid))):
        right = max(low, d - columns + 2)
        if high > right:
            cells, after = _cells(grid, d, right, high), _cells(grid, d + 1, right, high)
            B[cells] = join(B[cells], B[after] * grid.insert[cells])
        down = min(high, grid.N - 1)
        if down > low:
            cells, after = _cells(grid, d, low, down), _cells(grid, d + 1, low + 1, down + 1)
            B[cells] = join(B[cells], B[after] * grid.delete[low:down])
        if down > right:
            cells, after = _cells(grid, d, right, down), _cells(grid, d + 2, right + 1, down + 1)
            B[cells] = join(B[cells], B[after] * grid.single[cells])
        some = slice(bounds[d], bounds[d + 1])
        if some.stop > some.start:
            pair = longer.pair[some]
            values = B[longer.end[some], pair] * longer.prob[some]
            join.at(B, (longer.start[some], pair), values)
    return B


def totals(grid: Grid, F: Floats) -> Floats:
    """log p [P] of each pair, from `forward`; -inf where it is too small for a number."""
    with np.errstate(divide="ignore"):
        logs = np.log(F[grid.final, np.arange(grid.P)])
    return logs - grid.typed.lengths[grid.which_typed] * np.log(grid.scale)


INSERT, DELETE, SINGLE, LONGER = 0, 1, 2, 3


@dataclass(slots=True)
class Steps:
    """Edits of best ways: ``kind`` [E] is `INSERT`, `DELETE`, `SINGLE` or `LONGER`; for the last
    ``edit`` is its place among the longer edits of the grid, else -1."""

    pair: Ints
    start: Ints
    end: Ints
    kind: Ints
    edit: Ints
    prob: Floats


def best_ways(grid: Grid) -> Steps:
    """The edits of the likeliest way of each pair, from left to right for each."""
    B = backward(grid, best=True)
    longer = grid.longer
    # The best longer edit that begins in each cell of each pair.
    place = longer.pair * len(B) + longer.start
    value = longer.prob * B[longer.end, longer.pair]
    order = np.lexsort((-value, place))
    first = np.ones(len(order), dtype=bool)
    first[1:] = place[order][1:] != place[order][:-1]
    chosen, places = order[first], place[order][first]
    p = np.arange(grid.P)
    cell = np.zeros(grid.P, dtype=np.int64)
    parts: list[tuple[Ints, ...]] = []
    while len(p):
        going = cell != grid.final[p]
        p, cell = p[going], cell[going]
        if not len(p):
            break
        at = np.searchsorted(places, p * len(B) + cell)
        near = np.minimum(at, max(len(places) - 1, 0))
        edit = np.full(len(p), -1)
        if len(places):
            edit = np.where(places[near] == p * len(B) + cell, chosen[near], -1)
        probs = np.zeros((4, len(p)))
        ends = np.stack(
            (
                cell + 1,
                cell + grid.columns,
                cell + grid.columns + 1,
                longer.end[edit] if len(longer.end) else cell,
            )
        )
        probs[0] = grid.insert[cell, p]
        probs[1] = grid.delete[cell // grid.columns, p]
        probs[2] = grid.single[cell, p]
        if len(places):
            probs[3] = np.where(edit >= 0, longer.prob[edit], 0.0)
        inside = np.minimum(ends, len(B) - 1)
        kind = np.argmax(probs * B[inside, p], axis=0)
        every = np.arange(len(p))
        parts.append(
            (
                p,
                cell,
                ends[kind, every],
                kind,
                np.where(kind == LONGER, edit, -1),
                probs[kind, every],
            )
        )
        cell = ends[kind, every]
    if not parts:
        none = np.zeros(0, np.int64)
        return Steps(none, none, none, none, none, np.zeros(0))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    by_pair = np.argsort(joined[0], kind="stable")
    return Steps(*(column[by_pair] for column in joined))
