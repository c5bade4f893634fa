"""What happened in a grid: edits with the weights they have in all ways, or in the best one, and
the counts that they add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmkit.channel.edits.counts import Counts, Floats, Ints
from lmkit.channel.edits.grid import SWAP, Grid
from lmkit.channel.edits.strings import SPACE, STOP
from lmkit.channel.edits.table import EditTable
from lmkit.channel.edits.ways import (
    DELETE,
    INSERT,
    LONGER,
    SINGLE,
    Steps,
    backward,
    best_ways,
    forward,
)


@dataclass(slots=True)
class Events:
    """Edits of one grid: those of ``kind`` (`INSERT` and so on) of pair ``pair`` [E] that begin
    in cell ``start``, ``weight`` times; ``edit`` is the place of longer ones in the grid."""

    pair: Ints
    start: Ints
    kind: Ints
    edit: Ints
    weight: Floats


def expected_events(grid: Grid, counts: Floats) -> tuple[Events, Floats]:
    """Every edit as often as it is expected in ``counts`` [P] of each pair (the forward-backward
    algorithm), and p [P] of each pair, in the scale of the grid."""
    F, B = forward(grid), backward(grid)
    total = F[grid.final, np.arange(grid.P)]
    weight = np.divide(counts, total, out=np.zeros(grid.P), where=total > 0)
    F *= weight
    rows, columns = len(F), grid.columns
    parts = []
    for kind, probs, step in (
        (INSERT, grid.insert, 1),
        (DELETE, np.repeat(grid.delete, columns, axis=0), columns),
        (SINGLE, grid.single, columns + 1),
    ):
        value = F[: rows - step] * probs[: rows - step] * B[step:]
        start, pair = np.nonzero(value)
        parts.append(
            (pair, start, np.full(len(pair), kind), np.full(len(pair), -1), value[start, pair])
        )
    longer = grid.longer
    value = F[longer.start, longer.pair] * longer.prob * B[longer.end, longer.pair]
    edit = np.flatnonzero(value)
    parts.append(
        (longer.pair[edit], longer.start[edit], np.full(len(edit), LONGER), edit, value[edit])
    )
    return Events(*(np.concatenate(column) for column in zip(*parts, strict=True))), total


def best_events(grid: Grid, counts: Floats) -> tuple[Events, Floats, Steps]:
    """The edits of the best way of each pair, ``counts`` [P] times each, and its probability."""
    steps = best_ways(grid)
    total = np.ones(grid.P)
    np.multiply.at(total, steps.pair, steps.prob)
    reached = np.zeros(grid.P, dtype=bool)
    reached[steps.pair[steps.end == grid.final[steps.pair]]] = True
    total[~reached] = 0.0
    weight = np.where(total > 0, counts, 0.0)[steps.pair]
    return Events(steps.pair, steps.start, steps.kind, steps.edit, weight), total, steps


class Collector:
    """Adds up events to `Counts` over the rows of ``table``."""

    def __init__(self, table: EditTable) -> None:
        self.table = table
        self.counts = Counts.zero(table.letters)
        self.longer = np.zeros(table.longer.shape)
        self.seen = np.zeros((len(table.substrings), 3))
        self.swaps: dict[tuple[int, int, int], float] = {}

    def add(self, grid: Grid, events: Events) -> None:
        """Count the events of ``grid``."""
        counts, A = self.counts, self.table.A + 1
        i, j = np.divmod(events.start, grid.columns)
        node = grid.which_nodes[events.pair]
        nodes = grid.nodes
        row, weight = nodes.row[i, node], events.weight
        letters = np.concatenate(
            (grid.typed.codes, np.zeros((1, grid.typed.codes.shape[1]), np.int64))
        )
        code = letters[j, grid.which_typed[events.pair]]
        point = nodes.points[i, node]
        at = events.kind == INSERT
        place = nodes.place[i[at], node[at]]
        counts.insert += _sums(place * A + code[at], weight[at], 3 * A).reshape(3, A)
        at = (events.kind == DELETE) & (row < 3 * A) & (point != STOP)
        counts.delete += _sums(row[at], weight[at], 3 * A).reshape(3, A)
        counts.stop += float(weight[(events.kind == DELETE) & (point == STOP)].sum())
        at = (events.kind == SINGLE) & (row < 3 * A)
        both = row[at] * A + code[at]
        counts.single += _sums(both, weight[at], 3 * A * A).reshape(3, A, A)
        space = point == SPACE
        kept = space & (events.kind == SINGLE) & (code == self.table.numbers[SPACE])
        counts.spaces[0] += weight[kept].sum()
        counts.spaces[1] += weight[space & (events.kind == DELETE)].sum()
        counts.spaces[2] += weight[space & (events.kind == SINGLE) & ~kept].sum()
        self._longer(grid, events, i)

    def _longer(self, grid: Grid, events: Events, i: Ints) -> None:
        longer = grid.longer
        at = events.kind == LONGER
        edit, weight = events.edit[at], events.weight[at]
        number, where = longer.number[edit], longer.where[edit]
        known = number >= 0
        size = self.longer.size
        if size:
            places = number[known] * 3 + where[known]
            self.longer += _sums(places, weight[known], size).reshape(-1, 3)
        swapped = number == SWAP
        self._swapped(
            grid, events.pair[at][swapped], i[at][swapped], where[swapped], weight[swapped]
        )
        # How often the process came upon each substring: all that happened at a node but for
        # insertions and for longer substrings replaced.
        span = (longer.end[edit] // grid.columns) - i[at]
        here = i * grid.P + events.pair
        shape = (grid.N, grid.P)
        inserting = events.kind == INSERT
        arrived = _sums(here[~inserting], events.weight[~inserting], grid.N * grid.P)
        for k in range(len(grid.nodes.numbers) - 1, 1, -1):
            numbers = grid.nodes.numbers[k][:, grid.which_nodes]
            where_k = grid.nodes.where[k][:, grid.which_nodes]
            good = numbers >= 0
            if good.any():
                places = numbers[good] * 3 + where_k[good]
                self.seen += _sums(places, arrived.reshape(shape)[good], self.seen.size).reshape(
                    -1, 3
                )
            taken = (span == k) & known
            arrived -= _sums(here[at][taken], weight[taken], grid.N * grid.P)

    def _swapped(self, grid: Grid, pair: Ints, i: Ints, where: Ints, weight: Floats) -> None:
        codes = self.table.numbers[grid.nodes.points]
        node = grid.which_nodes[pair]
        first, second = codes[i, node].astype(np.int64), codes[i + 1, node].astype(np.int64)
        good = (first > 0) & (second > 0)
        A = self.table.A + 1
        keys, inverse = np.unique(
            (where[good] * A + first[good]) * A + second[good], return_inverse=True
        )
        for key, total in zip(keys.tolist(), _sums(inverse, weight[good], len(keys)), strict=True):
            c, a, b = key // (A * A), key // A % A, key % A
            self.swaps[c, a, b] = self.swaps.get((c, a, b), 0.0) + float(total)

    def result(self) -> Counts:
        """What was counted."""
        table, counts = self.table, self.counts
        # Letters without a number have no rows.
        counts.insert[:, 0] = counts.single[:, 0] = counts.single[:, :, 0] = 0.0
        counts.delete[:, 0] = 0.0
        counts.intended, counts.typed = list(table.counts.intended), list(table.counts.typed)
        wide = [n for n, y in enumerate(table.substrings) if len(y) > 1]
        counts.substrings = [table.substrings[n] for n in wide]
        counts.seen = np.maximum(self.seen[wide], 0.0)
        counts.longer = self.longer
        _add_swaps(counts, self.swaps, table.letters)
        return counts


def _add_swaps(counts: Counts, swaps: dict[tuple[int, int, int], float], letters: str) -> None:
    """Two letters that changed places without a row of their own, where the substring has one."""
    place = {pair: n for n, pair in enumerate(zip(counts.intended, counts.typed, strict=True))}
    known = set(counts.substrings)
    new: dict[tuple[str, str], Floats] = {}
    for (c, a, b), total in swaps.items():
        y = letters[a - 1] + letters[b - 1]
        pair = (y, y[::-1])
        if pair in place:
            counts.longer[place[pair], c] += total
        elif y in known:
            new.setdefault(pair, np.zeros(3))[c] += total
    counts.intended += [y for y, _ in new]
    counts.typed += [x for _, x in new]
    if new:
        counts.longer = np.concatenate((counts.longer, np.stack(list(new.values()))))


def _sums(places: Ints, weight: Floats, size: int) -> Floats:
    return np.bincount(places, weight, size).astype(np.float64)
