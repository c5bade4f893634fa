"""How words that no lexicon has are spelt: n-grams of letters, for every part of a text at once.

Interpolated Kneser-Ney smoothing with one discount (Kneser and Ney 1995; Chen and Goodman 1998,
section 2.7) over the letters of distinct words and their ends. The longest n-grams that were seen
are looked up; all else stands in dense tables. A symbol is 0 for an end (and for a beginning: an
end never stands before anything), 1 for any letter that is not among the commonest, or one of
these; ``S`` is their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.groups import stretches

ORDER = 5
"""Longer n-grams found no more names."""
DISCOUNT = 0.9
"""High, since many words of long lists are junk that was seen once."""
MOST_WORDS = 500_000
"""Training takes a sample, evenly spread, of more words than this."""
LETTERS = 32
"""The commonest letters that are told apart, so that the tables stay small."""
OTHER_LETTER = float(np.log(1 / 100))
"""Which one it is of the letters that are not told apart."""


class Lettering:
    """p(letters of a word), of any part of a text, learnt from the distinct words of a lexicon."""

    def __init__(self, points: NDArray[np.integer], table: WordTable) -> None:
        """``points``: of all words of ``table`` behind each other."""
        rows = np.arange(len(table))
        if len(rows) > MOST_WORDS:
            rows = np.linspace(0, len(rows) - 1, MOST_WORDS).astype(np.int64)
        sizes = np.diff(table.starts)[rows]
        used = points[stretches(table.starts[rows], sizes)]
        counts = np.bincount(used, minlength=1)
        known = np.array([p for p in np.flatnonzero(counts).tolist() if chr(p).isalpha()], int)
        commonest = np.argsort(-counts[known], kind="stable")[:LETTERS]
        self._known = np.sort(known[commonest])
        self._symbols = len(self._known) + 2
        symbols = np.zeros(len(used) + len(rows) + 1, np.int64)
        place = np.arange(len(used)) + np.repeat(np.arange(len(rows)), sizes) + 1
        symbols[place] = self.symbols(used)
        self._train(symbols)

    def symbols(self, points: NDArray[np.integer]) -> NDArray[np.int64]:
        """The symbol [n] of each code point [n]."""
        if not len(self._known):
            return np.ones(len(points), np.int64)
        place = np.minimum(np.searchsorted(self._known, points), len(self._known) - 1)
        return np.where(self._known[place] == points, place + 2, 1)

    def _train(self, symbols: NDArray[np.int64]) -> None:
        """Fill the tables. N-grams are numbers, their last symbol the last digit."""
        size = self._symbols
        grams, counts = np.unique(_grams(symbols, size), return_counts=True)
        lower = self._lower(grams)
        contexts, totals, types = _totals(grams // size, counts)
        back = np.zeros(size ** (ORDER - 1))
        back[contexts] = np.log(DISCOUNT * types / totals)
        place = np.searchsorted(contexts, grams // size)
        high = (counts - DISCOUNT) / totals[place]
        rest = np.exp(back[grams // size] + lower[grams % len(back)])
        found = np.log(high + rest)
        found[grams % size == 1] += OTHER_LETTER
        lower[1::size] += OTHER_LETTER
        # At the beginning and the end of a word one of the symbols is known to be 0.
        each = np.arange(len(back))
        begins = back[each // size] + lower
        first = np.searchsorted(grams, len(back))
        begins[grams[:first]] = found[:first]
        ends = back + lower[each * size % len(back)]
        last = grams % size == 0
        ends[grams[last] // size] = found[last]
        self._grams, self._found = grams, found.astype(np.float32)
        self._back, self._lower_probs = back.astype(np.float32), lower.astype(np.float32)
        self._begins, self._ends = begins.astype(np.float32), ends.astype(np.float32)

    def _lower(self, grams: NDArray[np.int64]) -> NDArray[np.float64]:
        """log p(last symbol | those before it) [S ** (ORDER - 1)] of n-grams that are shorter by
        one than ``grams``: of how many symbols stand before each."""
        size = self._symbols
        counts = []
        for order in range(ORDER - 1, 0, -1):
            counts.append(np.bincount(grams % size**order, minlength=size**order))
            grams = np.flatnonzero(counts[-1])
        probs = np.full((1, size), 1 / size)
        for order, count in enumerate(reversed(counts), 1):
            table = count.reshape(-1, size)
            if order > 1:
                probs = np.tile(probs.reshape(-1, size), (size, 1))
            seen = np.flatnonzero(table.any(1))
            total, types = table[seen].sum(1), (table[seen] > 0).sum(1)
            mixed = np.maximum(table[seen] - DISCOUNT, 0) + DISCOUNT * types[:, None] * probs[seen]
            probs[seen] = mixed / total[:, None]
        return np.log(probs).reshape(-1)

    def log_probs(
        self, symbols: NDArray[np.int64], room: NDArray[np.int64], longest: int
    ) -> NDArray[np.float32]:
        """log p(part) [longest + 1, n]: of the part of each length that begins at each of
        ``symbols`` [n], as far as there is ``room`` [n], else -inf."""
        size, many = self._symbols, len(symbols)
        result = np.full((longest + 1, many), -np.inf, np.float32)
        padded = np.concatenate([symbols, np.zeros(longest + 1, np.int64)])
        key = np.zeros(many, np.int64)
        total = np.zeros(many, np.float32)
        for length in range(1, ORDER):
            key = key * size + padded[length - 1 : length - 1 + many]
            total = total + self._begins[key]
            result[length] = total + self._ends[key]
        # From here on it does not matter where the word began.
        window = np.zeros(len(padded), np.int64)
        for back in range(ORDER):
            window[back:] += size**back * padded[: len(padded) - back]
        inner = np.cumsum(self._inside(window), dtype=np.float64)
        ends = self._ends[window % len(self._ends)]
        for length in range(ORDER, longest + 1):
            last = slice(length - 1, length - 1 + many)
            more = inner[last] - inner[ORDER - 2 : ORDER - 2 + many]
            result[length] = total + more + ends[last]
        result[np.arange(longest + 1)[:, None] > room] = -np.inf
        result[0] = -np.inf
        return result

    def _inside(self, grams: NDArray[np.int64]) -> NDArray[np.float32]:
        """log p(last symbol | those before it) [n] of the ``grams`` [n]."""
        place = np.minimum(np.searchsorted(self._grams, grams), len(self._grams) - 1)
        less = self._back[grams // self._symbols] + self._lower_probs[grams % len(self._back)]
        return np.where(self._grams[place] == grams, self._found[place], less)


def _grams(symbols: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The n-gram that ends at each but the first of ``symbols``; what stands before a word is 0."""
    symbols = np.concatenate([np.zeros(ORDER - 1, np.int64), symbols])
    grams = symbols.copy()
    inside = np.ones(len(symbols), bool)
    for back in range(1, ORDER):
        if back > 1:
            inside[back:] &= symbols[1 : len(symbols) - back + 1] > 0
        before = np.where(inside[back:], symbols[: len(symbols) - back], 0)
        grams[back:] += size**back * before
    return grams[ORDER:]


def _totals(
    contexts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The distinct ones of ``contexts``, ascending, their total and their number of entries."""
    first = np.flatnonzero(np.diff(contexts, prepend=-1))
    types = np.diff(np.append(first, len(contexts)))
    return contexts[first], np.add.reduceat(counts, first), types
