"""log p(typed | intended) of many pairs of single words, as a corrector asks for it: the forward
sum of `lmkit.channel.edits.ways`, without all that only learning needs.

Pairs go together whose typed words are equally long and whose intended words are, so that all of a
grid's cells are of use and what depends on a place alone is the same for all of them. Longer edits
are found by a join: all that could have given a typed word, by what they stand for, beside
the substrings of each intended word.

Shapes: ``P`` pairs, ``T`` typed words, ``S`` intended words, ``L`` letters intended, ``M`` letters
typed; ``N`` substrings that the table knows. Cells are [L + 1, M + 1, P], a node for each letter
and one for the end of the word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.edits.counts import LONGEST, Floats, Ints
from lmkit.channel.edits.grid import nodes_of, typed_of
from lmkit.channel.edits.long_strings import LONG
from lmkit.channel.edits.strings import SPACE, code_points
from lmkit.channel.edits.table import EditTable
from lmkit.channel.groups import stretches

CELLS = 1 << 16
"""Cells that are worked on at once."""
TYPED = 256
"""Typed words whose edits are listed at once."""
_EDIT_BITS, _PLACE_BITS = 25, 7


def word_log_probs(
    typed: Sequence[str], intended: Sequence[str], table: EditTable, keep: float
) -> Floats:
    """log p(typed | intended) [P]; NaN for the pairs that are left to `grid`: intended words with
    spaces, typed ones with letters that have no number, empty or long strings, and equal ones.
    -inf where it is too small for a number."""
    values = np.full(len(typed), np.nan)
    meant = {string: number for number, string in enumerate(dict.fromkeys(intended))}
    seen = {string: number for number, string in enumerate(dict.fromkeys(typed))}
    which_meant = np.fromiter(map(meant.__getitem__, intended), np.int64, len(intended))
    which_seen = np.fromiter(map(seen.__getitem__, typed), np.int64, len(typed))
    all_meant, all_seen = list(meant), list(seen)
    same = np.fromiter((meant.get(x, -1) for x in all_seen), np.int64, len(all_seen))
    L, M = _lengths(all_meant, None), _lengths(all_seen, table)
    good = (L[which_meant] > 0) & (M[which_seen] > 0) & (same[which_seen] != which_meant)
    pairs = np.flatnonzero(good)
    # By length, and all pairs of a typed word behind each other.
    order = np.lexsort((L[which_meant[pairs]], which_seen[pairs], M[which_seen[pairs]]))
    pairs = pairs[order]
    by_length = _MeantByLength(all_meant, L, table, keep)
    for block in _blocks(which_seen[pairs], M[which_seen[pairs]]):
        mine = pairs[block]
        words, which = np.unique(which_seen[mine], return_inverse=True)
        edits = _EditsOfTyped([all_seen[k] for k in words.tolist()], table)
        n = L[which_meant[mine]]
        order = np.argsort(n, kind="stable")
        for some in _of_one_length(n[order], edits.M + 1):
            here = order[some]
            places = which_meant[mine[here]]
            nodes = by_length[int(n[here[0]])]
            values[mine[here]] = edits.log_probs(nodes, by_length.place[places], which[here])
    return values + np.log1p(-keep)


def _lengths(strings: Sequence[str], table: EditTable | None) -> Ints:
    """The length of each of ``strings`` [S]; 0 for what is no word of the ``table``'s letters, or
    without it, of any but the space."""
    flat, lengths = code_points(strings)
    bad = flat == SPACE if table is None else table.numbers[flat] == 0
    word = np.repeat(np.arange(len(strings)), lengths)
    wrong = np.bincount(word[bad], minlength=len(strings)) > 0
    return np.where(wrong | (lengths > LONG), 0, lengths)


def _blocks(words: Ints, lengths: Ints) -> Iterator[slice]:
    """Stretches of pairs with at most `TYPED` typed ``words`` of the same length."""
    new = np.flatnonzero(np.diff(words, prepend=-1) != 0)
    cuts = np.flatnonzero(np.diff(lengths[new], prepend=-1) != 0)
    bounds = [*cuts.tolist(), len(new)]
    ends = np.append(new, len(words)).tolist()
    for low, high in pairwise(bounds):
        for first in range(low, high, TYPED):
            yield slice(ends[first], ends[min(first + TYPED, high)])


def _of_one_length(lengths: Ints, columns: int) -> Iterator[slice]:
    """Stretches of pairs, sorted by the ``lengths`` of what was intended, of one length and about
    `CELLS` cells."""
    bounds = np.flatnonzero(np.diff(lengths, prepend=-1, append=-1) != 0).tolist()
    for low, high in pairwise(bounds):
        many = max(CELLS // ((int(lengths[low]) + 1) * columns), 1)
        for first in range(low, high, many):
            yield slice(first, min(first + many, high))


class _Meant:
    """What is known of intended words of ``L`` letters [S], before anything is typed.

    ``row``, ``above`` [L + 1, S] and ``delete`` [L, S] are those of `Nodes`; ``gone`` [k] is the
    probability [L + 1 - k, S] that k letters vanish as one edit. The substrings of word ``s`` that
    the table knows are ``first[s]`` to ``first[s + 1]`` of ``number``, each with its ``begin``,
    ``size`` and ``context``, and ``left``, what is left for it.
    """

    def __init__(self, strings: Sequence[str], table: EditTable, keep: float) -> None:
        nodes = nodes_of(strings, table, keep)
        L = self.L = len(nodes.points) - 2
        self.row, self.above = nodes.row[: L + 1], nodes.above[: L + 1]
        self.delete = nodes.delete[:L]
        self.swaps = nodes.swaps[:L] if nodes.swaps.any() else None
        self.codes = table.numbers[nodes.points[:L]]
        self.gone: dict[int, Floats] = {}
        columns: list[tuple[NDArray[np.generic], ...]] = []
        for k in range(1, min(LONGEST, L) + 1):
            # Substrings that begin at 0 to L - k, by word.
            numbers = nodes.numbers[k, : L + 1 - k]
            left, where = nodes.left[k, : L + 1 - k], nodes.where[k, : L + 1 - k]
            edit = table.gone[numbers]
            if (edit >= 0).any():
                self.gone[k] = np.where(edit >= 0, table.longer[edit, where] * left, 0.0)
            word, begin = np.nonzero((numbers >= 0).T)
            at = begin, word
            columns.append((word, begin, np.full(len(word), k), numbers[at], where[at], left[at]))
        word, begin, size, number, context, left = map(np.concatenate, zip(*columns, strict=True))
        order = np.argsort(word, kind="stable")
        self.begin, self.size, self.number = begin[order], size[order], number[order]
        self.context, self.left = context[order], left[order]
        self.first = np.searchsorted(word[order], np.arange(len(strings) + 1))


class _MeantByLength:
    """Intended ``strings`` [S]: those of each length, once they are asked for; ``place`` [S] is
    where a string stands among those of its length."""

    def __init__(
        self, strings: Sequence[str], lengths: Ints, table: EditTable, keep: float
    ) -> None:
        self._strings, self._table, self._keep = strings, table, keep
        self._order = np.argsort(lengths, kind="stable")
        longest = int(lengths.max(initial=0))
        self._bounds = np.searchsorted(lengths[self._order], np.arange(longest + 2))
        self.place = np.empty(len(strings), np.int64)
        self.place[self._order] = np.arange(len(strings)) - self._bounds[lengths[self._order]]
        self._made: dict[int, _Meant] = {}

    def __getitem__(self, length: int) -> _Meant:
        if length not in self._made:
            mine = self._order[self._bounds[length] : self._bounds[length + 1]]
            strings = [self._strings[k] for k in mine.tolist()]
            self._made[length] = _Meant(strings, self._table, self._keep)
        return self._made[length]


@dataclass(slots=True)
class _Longer:
    """Longer edits: ``start`` and ``end`` [E], cells of the flat grid, and ``prob``; sorted by the
    diagonal of the end, those of diagonal d from ``bounds[d]`` on."""

    start: Ints
    end: Ints
    prob: Floats
    bounds: list[int]


class _EditsOfTyped:
    """``strings`` typed [T], all of ``M`` letters, and the longer edits that end in parts of them.

    The edits that stand for substring ``n`` of the table and give a part of word ``t`` are
    ``first[k]`` to ``first[k + 1]`` of ``edit``, with k = t N + n; ``place`` is where in the
    word that part begins.
    """

    def __init__(self, strings: Sequence[str], table: EditTable) -> None:
        self._table = table
        typed = typed_of(strings, table)
        self.codes = typed.codes
        self.M = len(typed.codes)
        self._scale = 10.0 ** min(8.0, 240 / self.M)
        self._width = len(table.substrings)
        keys, packed = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for length in sorted({length for _, length in table.shapes if length}):
            results = typed.results[length]
            place, word = np.nonzero(results >= 0)
            result = results[place, word]
            starts = table.typed_starts[result]
            sizes = table.typed_starts[result + 1] - starts
            edit = table.by_typed[stretches(starts, sizes)]
            keys.append(np.repeat(word * self._width, sizes) + table.intended[edit])
            packed.append(np.repeat(place << _EDIT_BITS, sizes) | edit)
        key = np.concatenate(keys)
        both = (key << (_EDIT_BITS + _PLACE_BITS)) | np.concatenate(packed)
        both.sort()
        self.edit = both & ((1 << _EDIT_BITS) - 1)
        self.place = (both >> _EDIT_BITS) & ((1 << _PLACE_BITS) - 1)
        counts = np.bincount(key, minlength=len(strings) * self._width)
        self.first = np.concatenate(([0], np.cumsum(counts)))

    def log_probs(self, meant: _Meant, which_meant: Ints, which_typed: Ints) -> Floats:
        """log p [P], what `keep` leaves not counted, of pairs of intended and typed words."""
        table, M, L, A = self._table, self.M, meant.L, self._table.A + 1
        codes = self.codes[:, which_typed]
        tables = np.concatenate((table.single.ravel(), np.zeros(A), table.at_space))
        single = tables.take((meant.row * A)[:, None, which_meant] + codes[None])
        single *= (meant.above * self._scale)[:, None, which_meant]
        insert = (table.insert * self._scale)[:, codes]
        gone = {k: prob[:, which_meant] for k, prob in meant.gone.items()}
        gone[1] = gone.get(1, 0.0) + meant.delete[:, which_meant]
        longer = self._longer(meant, which_meant, which_typed, codes)
        F = np.zeros((L + 1, M + 1, len(which_typed)))
        F[0, 0] = 1.0
        _forward(F, single, insert, gone, longer)
        with np.errstate(divide="ignore"):
            return np.log(F[L, M]) + np.log(table.stop) - M * np.log(self._scale)

    def _longer(self, meant: _Meant, which_meant: Ints, which_typed: Ints, codes: Ints) -> _Longer:
        """The longer edits that give letters, of all pairs."""
        table, columns, P = self._table, self.M + 1, len(which_typed)
        sizes = meant.first[which_meant + 1] - meant.first[which_meant]
        substring = stretches(meant.first[which_meant], sizes)
        pair = np.repeat(np.arange(P), sizes)
        key = meant.number[substring] + (which_typed * self._width)[pair]
        low = self.first[key]
        sizes = self.first[key + 1] - low
        some = np.flatnonzero(sizes)
        found = stretches(low[some], sizes[some])
        some = np.repeat(some, sizes[some])
        edit, substring, p = self.edit[found], substring[some], pair[some]
        i, j, length = meant.begin[substring], self.place[found], table.result_lengths[edit]
        prob = table.longer[edit, meant.context[substring]] * meant.left[substring]
        prob *= (self._scale ** np.arange(LONGEST + 1))[length]
        swapped = self._swaps(meant, which_meant, codes)
        found_ones = (i, j, i + meant.size[substring], j + length, p, prob)
        i, j, to, upto, p, prob = map(np.concatenate, zip(found_ones, swapped, strict=True))
        diagonal = to + upto
        order = np.argsort(diagonal.astype(np.uint16), kind="stable")
        bounds = np.searchsorted(diagonal[order], np.arange(meant.L + columns + 1)).tolist()
        start, end = (i * columns + j) * P + p, (to * columns + upto) * P + p
        return _Longer(start[order], end[order], prob[order], bounds)

    def _swaps(
        self, meant: _Meant, which_meant: Ints, codes: Ints
    ) -> tuple[NDArray[np.generic], ...]:
        """Any two letters that changed places: cells from and to, pairs, probabilities."""
        none = np.zeros(0, np.int64)
        if self.M < 2 or meant.L < 2 or meant.swaps is None:
            return none, none, none, none, none, np.zeros(0)
        equal = meant.codes[:, None, which_meant] == codes.astype(meant.codes.dtype)[None]
        i, j, p = np.nonzero(equal[:-1, 1:] & equal[1:, :-1])
        prob = meant.swaps[i, which_meant[p]] * self._scale**2
        return i, j, i + 2, j + 2, p, prob


def _forward(
    F: Floats, single: Floats, insert: Floats, gone: Mapping[int, Floats], longer: _Longer
) -> None:
    """Fill ``F``, of which the first cell is given, diagonal by diagonal: the probability of all
    ways from the beginning to each cell. ``single`` is by cells [L + 1, M, P], ``insert`` by
    context and letter [3, M, P], ``gone`` by number of letters and node [L + 1 - k, P]."""
    nodes, columns, P = F.shape
    flat, every = F.reshape(-1), F.reshape(-1, P)
    one = single.reshape(-1, P)
    for d in range(1, nodes + columns - 1):
        low, high = max(0, d - columns + 1), min(nodes - 1, d) + 1
        if d < columns:
            F[0, d] += F[0, d - 1] * insert[0, d - 1]
        inner = slice(max(low, 1), min(high, d, nodes - 1))
        if inner.stop > inner.start:
            typed = insert[1, d - inner.stop : d - inner.start][::-1]
            every[_row(inner, columns, d)] += every[_row(inner, columns, d - 1)] * typed
        if d >= nodes > 1 and high == nodes:
            F[-1, d - nodes + 1] += F[-1, d - nodes] * insert[2, d - nodes]
        for k, prob in gone.items():
            below = slice(max(low, k), high)
            if below.stop > below.start:
                above = slice(below.start - k, below.stop - k)
                every[_row(below, columns, d)] += every[_row(above, columns, d - k)] * prob[above]
        both = slice(max(low, 1), min(high, d))
        if both.stop > both.start:
            above = slice(both.start - 1, both.stop - 1)
            # Letters have a column fewer than cells.
            given = one[_row(above, columns - 1, d - 2)]
            every[_row(both, columns, d)] += every[_row(above, columns, d - 2)] * given
        some = slice(longer.bounds[d], longer.bounds[d + 1])
        if some.stop > some.start:
            np.add.at(flat, longer.end[some], flat[longer.start[some]] * longer.prob[some])


def _row(nodes: slice, columns: int, d: int) -> slice:
    """Rows of the cells of ``nodes``, ``columns`` to a node, on diagonal ``d``: node i, column
    d - i is row i * (columns - 1) + d."""
    step = columns - 1
    start = nodes.start * step + d
    return slice(start, start + (nodes.stop - nodes.start - 1) * max(step, 1) + 1, max(step, 1))
