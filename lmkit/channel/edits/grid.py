"""All ways from intended to typed strings, for many pairs at once.

An intended string is a row of nodes: its letters, an end after each word, its spaces, and the
end of all. A cell (i, j) means that what lies before node i has become the first j letters
typed. Edits go from cell to cell. Arrays are [nodes * columns, P], cell (i, j) being row
``i * columns + j``, so that the cells of a diagonal, i + j = d, are a slice of rows; edits of
several letters are few and listed one by one.

Shapes: ``P`` pairs, ``N`` nodes (the end of all included), ``M`` letters typed, columns M + 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.edits.counts import LONGEST, Floats, Ints
from lmkit.channel.edits.strings import PAD, SPACE, STOP, code_points, keys_at, padded, with_stops
from lmkit.channel.edits.table import EditTable

SWAP, WORD = -1, -2
"""Numbers of the longer edits that no row of the table stands for: any two letters that change
places, and a whole word typed as it was meant."""
CELLS = 1 << 15
"""Cells that are worked on at once."""


@dataclass(slots=True)
class Nodes:
    """What is known of ``S`` intended strings, whatever was typed.

    ``points`` [N, S] are code points, `STOP` and `PAD`; ``row`` the row of the table of single
    letters; ``place`` who may be inserted before (3: nobody); ``delete`` the probability that
    nothing is typed; ``above`` what is left for single letters; ``numbers`` and ``left``
    [LONGEST + 1, N, S] for substrings by length: which one begins there (-1: none known), and
    what is left for it; ``where`` the context of each.
    """

    points: NDArray[np.int32]
    lengths: Ints
    row: Ints
    place: Ints
    delete: Floats
    above: Floats
    numbers: Ints
    left: Floats
    where: Ints
    swaps: Floats


def nodes_of(strings: Sequence[str], table: EditTable, keep: float) -> Nodes:
    """What is known of the intended ``strings`` before anything is typed."""
    flat, lengths = with_stops(*code_points(strings))
    points = padded(flat, lengths, int(lengths.max(initial=0)) + 1)
    codes = table.numbers[points].astype(np.int64)
    letter = (points < PAD) & (points != SPACE)
    codes[~letter] = 0
    first = np.ones(points.shape, dtype=bool)
    first[1:] = points[:-1] == SPACE
    at_end = points == STOP
    where = np.ones((LONGEST + 1, *points.shape), dtype=np.int64)
    for k in range(1, LONGEST + 1):
        where[k, :-k][at_end[k:]] = 2
        where[k][first] = 0
    place = np.where(letter, np.where(first, 0, 1), np.where(at_end, 2, 3))
    on = np.append(table.on, 1.0)[place]
    on[points == SPACE] = 1 - keep
    numbers = np.full(where.shape, -1, dtype=np.int64)
    left = np.ones(where.shape)
    swaps = np.zeros(points.shape)
    for k in range(LONGEST, 0, -1):
        left[k] = on
        keys = keys_at(codes, k)
        numbers[k] = np.where(keys > 0, table.substring_numbers(keys), -1)
        if k > 1:
            on = on * passing(table, numbers[k], where[k])
        if k == 2:
            two = letter[:-1] & letter[1:] & (points[:-1] != points[1:])
            swap = np.where(two, table.swap[where[2, :-1]], 0.0)
            swaps[:-1] = on[:-1] * swap
            on[:-1] *= 1 - swap
    left[1] = on
    A = table.A + 1
    row = np.where(letter, where[1] * A + codes, 3 * A)
    row[points == SPACE] = 3 * A + 1
    delete = on * np.append(table.delete.ravel(), (table.stop, table.spaces[1]))[row]
    delete[at_end] = table.stop
    delete[points == PAD] = 0.0
    return Nodes(points, lengths, row, place, delete, on, numbers, left, where, swaps)


def passing(table: EditTable, numbers: Ints, where: Ints) -> Floats:
    """What the substrings of these ``numbers`` leave to shorter ones; -1 leaves all."""
    if not len(table.passes):
        return np.ones(numbers.shape)
    return np.where(numbers >= 0, table.passes[numbers, where], 1.0)


@dataclass(slots=True)
class Typed:
    """``points`` [M, S] of ``S`` typed strings, ``codes``, and by length which ``results``
    [LONGEST + 1, M + 1, S] of longer edits begin where."""

    points: NDArray[np.int32]
    lengths: Ints
    codes: Ints
    results: Ints


def typed_of(strings: Sequence[str], table: EditTable) -> Typed:
    """What is known of the ``strings`` that were typed."""
    flat, lengths = code_points(strings)
    points = padded(flat, lengths, max(int(lengths.max(initial=0)), 1))
    codes = table.numbers[points].astype(np.int64)
    longer = np.concatenate((codes, np.zeros((1, len(strings)), dtype=np.int64)))
    wanted = {length for _, length in table.shapes}
    results = np.full((LONGEST + 1, *longer.shape), -1, dtype=np.int64)
    for length in wanted:
        results[length] = table.result_numbers(keys_at(longer, length))
    return Typed(points, lengths, codes, results)


@dataclass(slots=True)
class Longer:
    """Edits of more than one letter on either side, or of a whole word: ``pair`` [E], from cell
    ``start`` to cell ``end``, with the probability ``prob``; ``number`` is the row of the table,
    `SWAP` or `WORD`; ``substring`` [E] and ``where`` what it replaces."""

    pair: Ints
    start: Ints
    end: Ints
    prob: Floats
    number: Ints
    where: Ints

    def take(self, rows: Ints) -> Longer:
        return Longer(
            *(
                getattr(self, name)[rows]
                for name in ("pair", "start", "end", "prob", "number", "where")
            )
        )


@dataclass(slots=True)
class Grid:
    """All ways for ``P`` pairs. ``insert`` and ``single`` [N * columns, P] are the probabilities
    of the edits that begin in a cell; ``nodes`` are those of each pair. Whatever takes a letter
    typed is multiplied by ``scale``, so that products of many stay within the numbers there
    are."""

    pairs: Ints
    nodes: Nodes
    typed: Typed
    which_nodes: Ints
    which_typed: Ints
    N: int
    columns: int
    insert: Floats
    single: Floats
    delete: Floats
    longer: Longer
    final: Ints
    scale: float
    keep: float
    whole: Ints

    @property
    def P(self) -> int:  # noqa: N802
        return len(self.pairs)


def grids(
    typed: Sequence[str], intended: Sequence[str], table: EditTable, keep: float
) -> Iterator[Grid]:
    """The grids of all pairs, those of about the same lengths together."""
    meant = {string: number for number, string in enumerate(dict.fromkeys(intended))}
    seen = {string: number for number, string in enumerate(dict.fromkeys(typed))}
    which_meant = np.fromiter(map(meant.__getitem__, intended), np.int64, len(intended))
    which_seen = np.fromiter(map(seen.__getitem__, typed), np.int64, len(typed))
    n = np.fromiter((len(y) + 2 + y.count(" ") for y in meant), np.int64, len(meant))[which_meant]
    m = np.fromiter((max(len(x), 1) + 1 for x in seen), np.int64, len(seen))[which_seen]
    order = np.lexsort((m, n))
    all_meant, all_seen = list(meant), list(seen)
    first = 0
    while first < len(order):
        last = _chunk_end(n[order], m[order], first)
        pairs = order[first:last]
        used_meant, inverse_meant = np.unique(which_meant[pairs], return_inverse=True)
        used_seen, inverse_seen = np.unique(which_seen[pairs], return_inverse=True)
        nodes = nodes_of([all_meant[k] for k in used_meant.tolist()], table, keep)
        letters = typed_of([all_seen[k] for k in used_seen.tolist()], table)
        yield make_grid(pairs, nodes, letters, inverse_meant, inverse_seen, table, keep)
        first = last


def _chunk_end(n: Ints, m: Ints, first: int) -> int:
    """How far a grid goes that begins with pair ``first``: about `CELLS` cells."""
    ahead = slice(first, first + CELLS)
    size = n[ahead] * np.maximum.accumulate(m[ahead]) * np.arange(1, len(n[ahead]) + 1)
    return first + max(int(np.searchsorted(size, CELLS)), 1)


def make_grid(
    pairs: Ints,
    nodes: Nodes,
    typed: Typed,
    which_nodes: Ints,
    which_typed: Ints,
    table: EditTable,
    keep: float,
) -> Grid:
    """The grid of ``pairs``: pair p is of intended ``which_nodes[p]``, typed ``which_typed[p]``."""
    N, P, A = len(nodes.points), len(pairs), table.A + 1
    M = len(typed.points)
    columns = M + 1
    scale = 10.0 ** min(8.0, 240 / M)
    codes = typed.codes[:, which_typed]
    single = np.zeros((N, columns, P))
    insert = np.zeros((N, columns, P))
    rows = nodes.row[:, which_nodes]
    tables = np.concatenate((table.single.ravel(), np.zeros(A), table.at_space))
    single[:, :M] = tables[(rows * A)[:, None, :] + codes[None]]
    single[:, :M] *= (nodes.above[:, which_nodes] * scale)[:, None, :]
    inserting = np.concatenate((table.insert.ravel(), np.zeros(A))) * scale
    insert[:, :M] = inserting[(nodes.place[:, which_nodes] * A)[:, None, :] + codes[None]]
    y, x = nodes.points[:, which_nodes], typed.points[:, which_typed]
    equal = y[:, None, :] == x[None]
    _strange_letters(single[:, :M], equal, rows, codes, nodes.above[:, which_nodes], table, scale)
    lengths = nodes.lengths[which_nodes]
    final = lengths * columns + typed.lengths[which_typed]
    grid = Grid(
        pairs, nodes, typed, which_nodes, which_typed, N, columns,
        insert.reshape(-1, P), single.reshape(-1, P), nodes.delete[:, which_nodes],
        _no_longer(), final, scale, keep, np.zeros(0, np.int64),
    )  # fmt: skip
    parts = [_table_edits(grid, table), _swaps(grid, equal), *_whole_words(grid, equal, table)]
    grid.longer = _joined(parts)
    return grid


def _strange_letters(
    single: Floats,
    equal: NDArray[np.bool_],
    rows: Ints,
    codes: Ints,
    above: Floats,
    table: EditTable,
    scale: float,
) -> None:
    """A letter without a number, kept: only code points tell that from another one typed."""
    A = table.A + 1
    strange = (rows % A == 0) & (rows < 3 * A)
    if not strange.any() or (codes > 0).all():
        return
    i, j, p = np.nonzero(equal & strange[:, None, :] & (codes == 0)[None])
    single[i, j, p] = table.same[rows[i, p] // A] * above[i, p] * scale


def _no_longer() -> Longer:
    none = np.zeros(0, np.int64)
    return Longer(none, none, none, np.zeros(0), none, none)


def _joined(parts: Sequence[Longer]) -> Longer:
    names = ("pair", "start", "end", "prob", "number", "where")
    return Longer(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _table_edits(grid: Grid, table: EditTable) -> Longer:
    """The longer edits of the table that fit somewhere."""
    if not table.shapes:
        return _no_longer()
    nodes, typed = grid.nodes, grid.typed
    spans, lengths = np.array(table.shapes).T
    numbers, results = nodes.numbers[spans], typed.results[lengths]
    left = table.intended_hash[numbers][:, :, grid.which_nodes]
    right = table.typed_hash[results][:, :, grid.which_typed]
    places = left[:, :, None, :] + right[:, None, :, :]
    places &= table.mask
    hit = np.flatnonzero(table.maybe.take(places))
    at = places.reshape(-1)[hit]
    rest, p = np.divmod(hit, grid.P)
    rest, j = np.divmod(rest, grid.columns)
    shape, i = np.divmod(rest, grid.N)
    node = grid.which_nodes[p]
    found = table.edit_numbers(numbers[shape, i, node], results[shape, j, grid.which_typed[p]], at)
    good = np.flatnonzero(found >= 0)
    shape, i, j, p, node, found = (part[good] for part in (shape, i, j, p, node, found))
    k, length = spans[shape], lengths[shape]
    where = nodes.where[k, i, node]
    prob = table.longer[found, where] * nodes.left[k, i, node] * grid.scale**length
    start = i * grid.columns + j
    return Longer(p, start, start + k * grid.columns + length, prob, found, where)


def _swaps(grid: Grid, equal: NDArray[np.bool_]) -> Longer:
    """Any two letters that changed places."""
    if equal.shape[1] < 2 or not grid.nodes.swaps.any():
        return _no_longer()
    swaps = grid.nodes.swaps[:-1, grid.which_nodes]
    i, j, p = np.nonzero(equal[:-1, 1:] & equal[1:, :-1] & (swaps > 0)[:, None, :])
    start = i * grid.columns + j
    prob = swaps[i, p] * grid.scale**2
    where = grid.nodes.where[2][i, grid.which_nodes[p]]
    number = np.full(len(p), SWAP)
    return Longer(p, start, start + 2 * grid.columns + 2, prob, number, where)


def _whole_words(grid: Grid, equal: NDArray[np.bool_], table: EditTable) -> Iterator[Longer]:
    """Words typed as they were meant: a first word from cell 0, where nothing else begins a
    second time; a later one from the space before it, with that space."""
    if not grid.keep:
        return
    points = grid.nodes.points[:, grid.which_nodes]
    stop = points == STOP
    rest = np.ones((grid.N, grid.columns, grid.P), dtype=bool)
    after = np.zeros(points.shape, dtype=np.int64)
    for node in range(grid.N - 1, -1, -1):
        after[node] = node + 1
        if node + 1 < grid.N:
            after[node] = np.where(stop[node], node + 1, after[node + 1])
            rest[node, :-1] = stop[node] | (equal[node] & rest[node + 1, 1:])
        rest[node, -1] = stop[node]
    p = np.flatnonzero(rest[0, 0] & (grid.typed.lengths[grid.which_typed] >= after[0, :] - 1))
    length = after[0, p] - 1
    prob = np.full(len(p), grid.keep / (1 - grid.keep))
    yield _words(grid, p, 0 * p, 0 * p, after[0, p], length, prob)
    i, p = np.nonzero(points[:-1] == SPACE)
    if not len(i):
        return
    M = grid.columns - 1
    codes = grid.typed.codes[:, grid.which_typed]
    for taken in (0, 1):
        fits = rest[i + 1, taken : M + 1, p]
        e, j = np.nonzero(fits)
        chance = table.at_space[codes[j, p[e]]] if taken else np.full(len(e), table.spaces[1])
        to = after[i[e] + 1, p[e]]
        yield _words(grid, p[e], i[e], j, to, to - i[e] - 2 + taken, chance * grid.keep)


def _words(grid: Grid, p: Ints, i: Ints, j: Ints, to: Ints, taken: Ints, prob: Floats) -> Longer:
    start = i * grid.columns + j
    end = to * grid.columns + j + taken
    inside = j + taken < grid.columns
    number = np.full(len(p), WORD)
    words = Longer(p, start, end, prob * grid.scale**taken, number, 0 * p)
    return words.take(np.flatnonzero(inside))
