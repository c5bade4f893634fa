"""log p(typed | intended) of one typed word and some intended ones, as somebody who asks about a
word wants it: the forward sum of `lmkit.channel.edits.ways` in few operations.

Intended words of all lengths go together, letter by letter. What may be inserted before a letter is
a matrix that depends on the typed word alone, but for the first letter and the end of the word,
so that a letter costs one product and the few edits that end there.

Shapes: ``P`` intended words, the longest of ``L`` letters; ``M`` letters typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lmkit.channel.edits.counts import LONGEST, Floats, Ints
from lmkit.channel.edits.grid import passing
from lmkit.channel.edits.long_strings import LONG
from lmkit.channel.edits.strings import BITS, code_points, padded
from lmkit.channel.edits.table import EditTable
from lmkit.channel.groups import stretches

START, MIDDLE, END = 0, 1, 2


def one_typed_log_probs(
    typed: str, intended: Sequence[str], table: EditTable, keep: float
) -> Floats:
    """log p(``typed`` | intended) [P]; NaN for what is left to `grid`: long strings, empty words, a
    typed word with letters that have no number. -inf where it is too small for a number."""
    values = np.full(len(intended), np.nan)
    if not 0 < len(typed) <= LONG or not all(table.numbers[ord(letter)] for letter in typed):
        return values
    words = [y.split(" ") if len(y) <= LONG else [""] for y in intended]
    one = _OneTyped(typed, table, keep)
    for many in sorted({len(parts) for parts in words}):
        mine = [n for n, parts in enumerate(words) if len(parts) == many and all(parts)]
        if mine:
            values[mine] = one.log_probs([words[n] for n in mine])
    return values


class _Meant:
    """What is known of ``P`` intended words before anything is typed.

    ``points`` and ``codes`` [L, P]; ``row`` [L, P] of the table of single letters; ``above`` and
    ``swaps`` [L, P], what is left for single letters, and for any two that change places; for
    substrings of k + 1 letters, by where they begin, ``number``, -1 for none, ``context`` and
    ``left``, what is left for them: [LONGEST, L, P].
    """

    def __init__(self, strings: Sequence[str], table: EditTable) -> None:
        flat, self.lengths = code_points(strings)
        L, P = int(self.lengths.max()), len(strings)
        self.points = padded(flat, self.lengths, L)
        self.codes = table.numbers[self.points].astype(np.int64)
        behind = np.arange(1, LONGEST + 1)[:, None, None] + np.arange(L)[:, None]
        self.context = np.where(behind == self.lengths, END, MIDDLE)
        self.context[:, 0] = START
        self.number = table.substring_numbers(_keys(self.codes))
        pass_on = passing(table, self.number, self.context)
        on = np.repeat(table.on[[START, *[MIDDLE] * (L - 1)]], P).reshape(L, P)
        self.left = np.empty(self.number.shape)
        self.swaps = np.zeros((L, P))
        for k in range(LONGEST - 1, 0, -1):
            self.left[k] = on
            on = on * pass_on[k]
        if L > 1:
            two = (behind[1, :-1] <= self.lengths) & (self.points[:-1] != self.points[1:])
            swap = np.where(two, table.swap[self.context[1, :-1]], 0.0)
            self.swaps[:-1] = on[:-1] * swap
            on[:-1] *= 1 - swap
        self.left[0] = self.above = on
        self.row = self.context[0] * (table.A + 1) + self.codes


def _keys(codes: Ints) -> Ints:
    """[LONGEST, L, P]: one number for the letters that begin at each place, as `keys_at`."""
    keys = np.full((LONGEST, *codes.shape), -1)
    whole, good = codes, codes > 0
    for k in range(min(LONGEST, len(codes))):
        if k:
            good = good[:-1] & (codes[k:] > 0)
            whole = (whole[:-1] << BITS) | codes[k:]
        keys[k, : len(codes) - k] = np.where(good, whole, -1)
    return keys


class _OneTyped:
    """A typed word.

    The longer edits that give a part of it and stand for the substrings ``meant`` of the table,
    ascending, are ``edit``, and ``place`` is where in the word that part begins. Whatever takes a
    letter typed is multiplied by ``scale``, as in `Grid`.
    """

    def __init__(self, typed: str, table: EditTable, keep: float) -> None:
        self._typed, self._table, self._keep = typed, table, keep
        self._codes = table.numbers[[ord(letter) for letter in typed]].astype(np.int64)
        M = self._M = len(typed)
        self._scale = 10.0 ** min(8.0, 240 / M)
        self._inserted = self._insertions()
        sizes = sorted({size for _, size in table.shapes if size})
        parts = [(j, typed[j : j + size]) for size in sizes for j in range(M - size + 1)]
        numbers = table.numbers_of_results
        found = [(j, numbers[part]) for j, part in parts if part in numbers]
        place, result = np.array(found, np.int64).reshape(-1, 2).T
        starts = table.typed_starts[result]
        many = table.typed_starts[result + 1] - starts
        edit = table.by_typed[stretches(starts, many)]
        meant = table.intended[edit]
        order = np.argsort(meant)
        self._meant, self._edit = meant[order], edit[order]
        self._place = np.repeat(place, many)[order]

    def log_probs(self, words: Sequence[Sequence[str]]) -> Floats:
        """log p [P] of intended ``words`` with a space between any two, as many in each string."""
        table, M = self._table, self._M
        # The part of all ways that leads to each place in the typed word.
        reached = np.zeros((len(words), M + 1))
        reached[:, 0] = 1.0
        for number, column in enumerate(zip(*words, strict=True)):
            if number:
                dropped = reached * table.spaces[1]
                dropped[:, 1:] += reached[:, :-1] * (table.at_space[self._codes] * self._scale)
                reached = dropped
            reached = self._after(column, reached)
        with np.errstate(divide="ignore"):
            return np.log(reached[:, M]) - M * np.log(self._scale)

    def _after(self, words: Sequence[str], reached: Floats) -> Floats:
        """What has been ``reached`` [P, M + 1] once one of ``words`` [P] more is typed."""
        edited = self._edited(_Meant(words, self._table), reached)
        edited *= (1 - self._keep) * self._table.stop
        if self._keep:
            for p, word in enumerate(words):
                size, j = len(word), self._typed.find(word)
                while j >= 0:
                    edited[p, j + size] += reached[p, j] * self._keep * self._scale**size
                    j = self._typed.find(word, j + 1)
        return edited

    def _edited(self, meant: _Meant, reached: Floats) -> Floats:
        """The same for words ``meant`` that are not typed as they are, before they stop."""
        table, M, A = self._table, self._M, self._table.A + 1
        L, P = meant.row.shape
        single = table.single.reshape(-1, A)[:, self._codes][meant.row]
        single *= (meant.above * self._scale)[:, :, None]
        gone = self._gone(meant)
        longer = self._longer(meant)
        # What has led to each cell but for insertions there, and with them.
        before, F = np.zeros((L + 1, P, M + 1)), np.empty((L, P, M + 1))
        before[0] = reached
        np.matmul(before[0], self._inserted[START], out=F[0])
        for i in range(1, L + 1):
            here = before[i]
            for k, chance in gone[i]:
                here += F[i - k] * chance
            here[:, 1:] += F[i - 1, :, :-1] * single[i - 1]
            start, end, prob = longer[i]
            np.add.at(here.reshape(-1), end, F.reshape(-1)[start] * prob)
            if i < L:
                np.matmul(here, self._inserted[MIDDLE], out=F[i])
        return before[meant.lengths, np.arange(P)] @ self._inserted[END]

    def _insertions(self) -> Floats:
        """[3, M + 1, M + 1]: the probability that the letters between two places were all
        inserted."""
        insert = self._table.insert[:, self._codes] * self._scale
        between = np.zeros((3, self._M + 1, self._M + 1))
        between[:, 0, 0] = 1.0
        for j in range(self._M):
            between[:, : j + 1, j + 1] = between[:, : j + 1, j] * insert[:, j, None]
            between[:, j + 1, j + 1] = 1.0
        return between

    def _gone(self, meant: _Meant) -> list[list[tuple[int, Floats]]]:
        """By the node behind them, how many letters vanish as one edit there, and the probability
        in each word: [P, 1]."""
        table, L = self._table, len(meant.row)
        chance = np.zeros(meant.number.shape)
        edit = table.gone[meant.number]
        some = edit >= 0
        chance[some] = table.longer[edit[some], meant.context[some]] * meant.left[some]
        chance[0] += table.delete.reshape(-1)[meant.row] * meant.above
        there: list[list[bool]] = chance.any(axis=2).tolist()  # type: ignore[assignment]
        return [
            [
                (k, chance[k - 1, i - k, :, None])
                for k in range(1, min(LONGEST, i) + 1)
                if there[k - 1][i - k]
            ]
            for i in range(L + 1)
        ]

    def _longer(self, meant: _Meant) -> list[tuple[Ints, Ints, Floats]]:
        """The longer edits that give letters, by the node where they end: cells in all nodes and in
        that node from and to which they lead, and their probabilities."""
        table, columns = self._table, self._M + 1
        L, P = meant.row.shape
        known = np.flatnonzero(meant.number >= 0)
        number = meant.number.reshape(-1)[known]
        low = np.searchsorted(self._meant, number)
        sizes = np.searchsorted(self._meant, number, side="right") - low
        some = np.flatnonzero(sizes)
        found = stretches(low[some], sizes[some])
        substring = np.repeat(known[some], sizes[some])
        edit, j = self._edit[found], self._place[found]
        length = table.result_lengths[edit]
        prob = table.longer[edit, meant.context.reshape(-1)[substring]]
        prob *= meant.left.reshape(-1)[substring]
        prob *= (self._scale ** np.arange(LONGEST + 1))[length]
        k, cell = np.divmod(substring, L * P)
        start = cell * columns + j
        end = start + ((k + 1) * P) * columns + length
        swap_start, swap_prob = self._swaps(meant)
        start = np.concatenate((start, swap_start))
        end = np.concatenate((end, swap_start + 2 * P * columns + 2))
        prob = np.concatenate((prob, swap_prob))
        order = np.argsort(end)
        start, end, prob = start[order], end[order], prob[order]
        bounds = np.searchsorted(end, np.arange(L + 2) * (P * columns)).tolist()
        end %= P * columns
        return [(start[a:b], end[a:b], prob[a:b]) for a, b in pairwise(bounds)]

    def _swaps(self, meant: _Meant) -> tuple[Ints, Floats]:
        """Any two letters that changed places: the cells where they begin, and probabilities."""
        if self._M < 2 or not meant.swaps.any():
            return np.zeros(0, np.int64), np.zeros(0)
        codes = self._codes
        two, typed = meant.codes[:-1] << BITS | meant.codes[1:], codes[1:] << BITS | codes[:-1]
        cell, j = np.nonzero(two.reshape(-1, 1) == typed)
        return cell * (self._M + 1) + j, meant.swaps.reshape(-1)[cell] * self._scale**2
