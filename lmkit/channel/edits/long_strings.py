"""Pairs too long, or too unlike, for a sum over all ways: one way that is nearly all of it."""

from __future__ import annotations

import math

import numpy as np

from lmkit.channel.edits.counts import Floats
from lmkit.channel.edits.grid import grids, nodes_of
from lmkit.channel.edits.strings import SPACE, STOP
from lmkit.channel.edits.table import EditTable
from lmkit.channel.edits.ways import forward, totals

LONG = 64
"""Of longer strings only the part where they differ is summed over."""
MARGIN = 4
"""Letters on both sides of that part, which edits may take in."""


def long_log_prob(typed: str, intended: str, table: EditTable, keep: float) -> float:
    """log p(typed | intended), nearly: what both strings begin and end with is kept; what is
    between is summed over as a word of its own, or, where that is long too, deleted and typed
    anew. Less than all of the sum, but for what edits cost at the ends of that part."""
    before = max(_common(typed, intended) - MARGIN, 0)
    shorter = min(len(typed), len(intended)) - before
    after = max(min(_common(typed[::-1], intended[::-1]), shorter) - MARGIN, 0)
    x, y = typed[before : len(typed) - after], intended[before : len(intended) - after]
    kept, deleted, stops = _costs(intended, table)
    outside = kept[:before].sum() + kept[len(intended) - after :].sum() + stops
    inside = -math.inf
    if max(len(x), len(y)) <= LONG:
        (grid,) = grids([x], [y], table, 0.0)
        # The ends of words are counted outside already, but for those of this part.
        own_stops = (y.count(" ") + 1) * math.log(table.stop)
        inside = float(totals(grid, forward(grid))[0]) - own_stops
    if not math.isfinite(inside):
        letters = [int(table.numbers[ord(letter)]) for letter in x]
        inserted = np.log(table.insert[1, letters]).sum() if letters else 0.0
        inside = float(deleted[before : len(intended) - after].sum() + inserted)
    value = outside + inside + (math.log1p(-keep) if keep else 0.0)
    if typed == intended and keep:
        words = intended.count(" ") + 1
        value = max(value, words * math.log(keep) + (words - 1) * math.log(table.spaces[0]))
    return float(min(value, 0.0))


def _common(one: str, other: str) -> int:
    """How many letters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _costs(intended: str, table: EditTable) -> tuple[Floats, Floats, float]:
    """log p of each letter kept, and deleted, and of all words ending where they do."""
    nodes = nodes_of([intended], table, 0.0)
    points, row = nodes.points[:, 0], nodes.row[:, 0]
    A = table.A + 1
    letter = row < 3 * A
    code = row % A
    c = np.where(letter, row // A, 0)
    same = np.where(code == 0, table.same[c], table.single[c, code, code])
    same = np.where(points == SPACE, table.spaces[0], same * nodes.above[:, 0])
    real = letter | (points == SPACE)
    stops = math.log(table.stop) * int((points == STOP).sum())
    with np.errstate(divide="ignore"):
        return np.log(same[real]), np.log(nodes.delete[real, 0]), stops
