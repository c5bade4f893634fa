"""Which longer edits there are to learn: those that best ways of single letters suggest.

Brill & Moore (2000) align both strings letter by letter and take each edit together with up to
N neighbours as one edit more; so does this, with windows of edits. A swap of two letters is one
edit. No edit reaches over the end of a word.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lmkit.channel.edits.counts import LONGEST, Counts, Floats, Ints
from lmkit.channel.edits.grid import Grid
from lmkit.channel.edits.strings import BITS, STOP, keys_at
from lmkit.channel.edits.table import EditTable
from lmkit.channel.edits.ways import DELETE, INSERT, LONGER, SINGLE, Steps

MASK = (1 << BITS) - 1


class Inventory:
    """Collects windows of up to ``widest`` edits, and how often their substrings occur.

    ``only_after`` restricts windows of two to a letter kept and then one inserted or deleted:
    the confusions of Kernighan, Church & Gale (1990).
    """

    def __init__(self, table: EditTable, widest: int, only_after: bool = False) -> None:
        self.table, self.widest, self.only_after = table, widest, only_after
        self.keys: list[Ints] = []
        self.weights: list[Floats] = []
        self.occurrences: list[tuple[Ints, Floats]] = []

    def add(self, grid: Grid, steps: Steps, counts: Floats) -> None:
        """Take the windows of the best ``steps`` of a grid, ``counts`` [P] of each pair."""
        self._count_substrings(grid, counts)
        if not len(steps.pair):
            return
        i, j = np.divmod(steps.start, grid.columns)
        to, upto = np.divmod(steps.end, grid.columns)
        node = grid.which_nodes[steps.pair]
        points = grid.nodes.points[i, node]
        typed = grid.typed.points[np.minimum(j, grid.columns - 2), grid.which_typed[steps.pair]]
        kept = (steps.kind == SINGLE) & (points == typed)
        barrier = ((points == STOP) & (steps.kind == DELETE)) | (
            grid.nodes.row[i, node] > 3 * self.table.A + 3
        )
        blocked = np.concatenate(([0], np.cumsum(barrier)))
        errors = np.concatenate(([0], np.cumsum(~kept & ~barrier)))
        for wide in range(1, self.widest + 1):
            first = np.arange(len(i) - wide + 1)
            last = first + wide - 1
            good = (steps.pair[first] == steps.pair[last]) & (blocked[last + 1] == blocked[first])
            good &= errors[last + 1] > errors[first]
            if self.only_after and wide > 1:
                moved = np.isin(steps.kind[last], (INSERT, DELETE))
                good &= kept[first] & moved
            if wide == 1:
                good &= steps.kind[first] == LONGER
            first, last = first[good], last[good]
            self._take(grid, steps, counts, i[first], to[last], j[first], upto[last], first)

    def _take(
        self, grid: Grid, steps: Steps, counts: Floats,
        i: Ints, to: Ints, j: Ints, upto: Ints, first: Ints,
    ) -> None:  # fmt: skip
        pair = steps.pair[first]
        codes = self.table.numbers[grid.nodes.points].astype(np.int64)
        letters = grid.typed.codes
        y = _keys(codes, i, to - i, grid.which_nodes[pair])
        x = _keys(letters, j, upto - j, grid.which_typed[pair])
        good = (y > 0) & (x >= 0)
        where = grid.nodes.where[np.minimum(to - i, LONGEST), i, grid.which_nodes[pair]]
        self.keys.append(np.stack((y, x, where))[:, good])
        self.weights.append(counts[pair[good]])

    def _count_substrings(self, grid: Grid, counts: Floats) -> None:
        per_node = np.bincount(grid.which_nodes, counts, len(grid.nodes.lengths)).astype(float)
        codes = self.table.numbers[grid.nodes.points].astype(np.int64)
        codes[codes == self.table.numbers[ord(" ")]] = 0
        for k in range(2, LONGEST + 1):
            keys = keys_at(codes, k)
            i, s = np.nonzero(keys > 0)
            where = grid.nodes.where[k][i, s]
            self.occurrences.append((keys[i, s] * 3 + where, per_node[s]))

    def counts(self, base: Counts) -> Counts:
        """``base`` with the windows as longer edits, each counted as often as it was found."""
        if not self.keys:
            return base
        keys = np.concatenate(self.keys, axis=1)
        weights = np.concatenate(self.weights)
        ordered, inverse = np.unique(keys[:2], axis=1, return_inverse=True)
        longer = np.bincount(inverse.ravel() * 3 + keys[2], weights, ordered.shape[1] * 3)
        names = self.table.letters
        base.intended = [_string(key, names) for key in ordered[0].tolist()]
        base.typed = [_string(key, names) for key in ordered[1].tolist()]
        base.longer = longer.reshape(-1, 3).astype(float)
        places = np.concatenate([keys for keys, _ in self.occurrences])
        values = np.concatenate([weights for _, weights in self.occurrences])
        where, inverse = np.unique(places, return_inverse=True)
        total = np.bincount(inverse, values, len(where))
        wanted = {
            key: n for n, key in enumerate(k for k in np.unique(ordered[0]).tolist() if k > MASK)
        }
        base.substrings = [_string(key, names) for key in wanted]
        base.seen = np.zeros((len(wanted), 3))
        for key, count in zip(where.tolist(), total.tolist(), strict=True):
            number = wanted.get(key // 3)
            if number is not None:
                base.seen[number, key % 3] = count
        return base


def _keys(codes: Ints, start: Ints, length: Ints, column: Ints) -> Ints:
    """The key of ``length`` letters from ``start`` in each ``column``; -1 where it has none."""
    keys = np.where(length <= LONGEST, 0, -1)
    for k in range(LONGEST):
        going = (k < length) & (keys >= 0)
        code = codes[np.minimum(start + k, len(codes) - 1), column]
        keys = np.where(going, np.where(code > 0, (keys << BITS) | code, -1), keys)
    return keys


def _string(key: int, letters: str) -> str:
    return "".join(reversed(list(_letters(key, letters))))


def _letters(key: int, letters: str) -> Iterator[str]:
    while key:
        yield letters[(key & MASK) - 1]
        key >>= BITS
