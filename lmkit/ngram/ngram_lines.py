"""Lines of n-grams with numbers, many at a time: what ARPA and counts files are made of.

A stretch of lines is a matrix of pieces of text, joined once: there is no Python loop over
n-grams. ``R`` is the number of lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.ngram.escapes import escaped
from lmkit.ngram.trie import Trie

ROWS = 1 << 14
"""How many lines are made at a time: so few that their pieces stay in cache."""

Pieces = NDArray[np.object_]
Number = Callable[[slice], Pieces]


class NgramLines:
    """Lines of the n-grams of ``trie``, whose words are ``tokens``."""

    def __init__(self, trie: Trie, tokens: Sequence[str]) -> None:
        self._trie = trie
        words = [escaped(token).encode() for token in tokens]
        self._last: Pieces = np.array(words, object)
        self._spaced: Pieces = np.array([word + b" " for word in words], object)
        self._contexts: dict[int, NDArray[Any]] = {}

    def blocks(
        self, order: int, before: Sequence[Number], behind: Sequence[Number]
    ) -> Iterator[tuple[bytes, int]]:
        """The lines of ``order`` in stretches, each with their number. ``before`` and
        ``behind`` the words stand the pieces that those functions give for a slice of rows."""
        size = self._trie[order].size
        for start in range(0, size, ROWS):
            rows = slice(start, min(start + ROWS, size))
            columns = [make(rows) for make in before]
            columns += self._words(order, np.arange(rows.start, rows.stop))
            columns += [make(rows) for make in behind]
            yield b"".join(np.stack(columns, axis=1).ravel().tolist()), rows.stop - rows.start

    def _words(self, order: int, rows: NDArray[np.integer]) -> list[Pieces]:
        """The words of the n-grams in ``rows`` [R]: ``order`` times [R]."""
        columns = []
        pieces = self._last
        for n in range(order, 1, -1):
            token = self._trie[n].token
            assert token is not None
            columns.append(pieces[token.take(rows)])
            pieces = self._spaced
            rows = self._contexts_at(n)[rows]
        columns.append(pieces[rows])
        return columns[::-1]

    def _contexts_at(self, order: int) -> NDArray[Any]:
        """Row of the context of every n-gram of ``order``."""
        if order not in self._contexts:
            children = self._trie[order - 1].first_child
            assert children is not None
            first = children.array()
            self._contexts[order] = np.repeat(
                np.arange(len(first) - 1, dtype=first.dtype), np.diff(first)
            )
        return self._contexts[order]


def formatted(
    values: NDArray[Any], form: str, convert: Callable[[NDArray[Any]], NDArray[Any]] | None = None
) -> Pieces:
    """Each of ``values``, after ``convert``, in the %-``form``, which must not hold a NUL; equal
    ones are formatted once."""
    distinct, places = np.unique(values, return_inverse=True)
    numbers = distinct if convert is None else convert(distinct)
    text = "\0".join([form] * len(distinct)) % tuple(numbers.tolist())
    return np.array(text.encode().split(b"\0"), object)[places]
