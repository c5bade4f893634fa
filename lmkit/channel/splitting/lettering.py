"""How words that no lexicon has are spelt: n-grams of letters, for every part of a text at once.

Interpolated Witten-Bell smoothing (Witten and Bell 1991; Chen and Goodman 1998, section 2.5) over
the letters of distinct words and their ends, as one dense table. A symbol is 0 for an end (and for
a beginning: an end never stands before anything), 1 for any letter that is not among the
commonest, or one of these; ``S`` is their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.groups import stretches

ORDER = 4
"""Longer n-grams, of a list of 333,000 words with all its junk, found no more names."""
MOST_WORDS = 150_000
"""Training takes a sample, evenly spread, of more words than this."""
LETTERS = 32
"""The commonest letters that are told apart, so that the table stays small."""
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
        self._table = self._train(symbols)

    def symbols(self, points: NDArray[np.integer]) -> NDArray[np.int64]:
        """The symbol [n] of each code point [n]."""
        if not len(self._known):
            return np.ones(len(points), np.int64)
        place = np.minimum(np.searchsorted(self._known, points), len(self._known) - 1)
        return np.where(self._known[place] == points, place + 2, 1)

    def _train(self, symbols: NDArray[np.int64]) -> NDArray[np.float32]:
        """log p(last symbol | those before it) [S ** ORDER] of n-grams as numbers."""
        size = self._symbols
        table = np.full(size, 1 / size)
        keys = symbols.copy()
        inside = np.ones(len(symbols), bool)
        for order in range(1, ORDER + 1):
            if order > 2:
                inside[order - 1 :] &= symbols[1 : len(symbols) - order + 2] > 0
            if order > 1:
                before = np.where(inside[order - 1 :], symbols[: len(symbols) - order + 1], 0)
                keys[order - 1 :] += size ** (order - 1) * before
            counts = np.bincount(keys[1:], minlength=size**order).reshape(-1, size)
            totals, types = counts.sum(1), (counts > 0).sum(1)
            table = np.tile(table.reshape(-1, size), (size, 1)) if order > 1 else table[None]
            seen = totals > 0
            mixed = counts[seen] + types[seen, None] * table[seen]
            table[seen] = mixed / (totals + types)[seen, None]
        result = np.log(table)
        result[:, 1] += OTHER_LETTER
        return result.reshape(-1).astype(np.float32)

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
            total = total + self._table[key]
            result[length] = total + self._table[key * size % size**ORDER]
        # From here on it does not matter where the word began.
        window = np.zeros(len(padded), np.int64)
        for back in range(ORDER):
            window[back:] += size**back * padded[: len(padded) - back]
        inner = np.cumsum(self._table[window], dtype=np.float64)
        ends = self._table[window * size % size**ORDER]
        for length in range(ORDER, longest + 1):
            last = slice(length - 1, length - 1 + many)
            more = inner[last] - inner[ORDER - 2 : ORDER - 2 + many]
            result[length] = total + more + ends[last]
        result[np.arange(longest + 1)[:, None] > room] = -np.inf
        result[0] = -np.inf
        return result
