"""Lines of n-grams with numbers, many at a time: what ARPA and counts files are made of.

A stretch of lines is a matrix of bytes with a row each, in which every word and number has a
place of fixed width, filled up with NUL. All that is not NUL, in its order, is the text: there
is no Python loop over n-grams. ``R`` is the number of lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lmkit.cores import available_cores
from lmkit.ngram.escapes import escaped
from lmkit.ngram.trie import Trie
from lmkit.store.columns import Column
from lmkit.threads import Pipeline

ROWS = 1 << 14
"""How many lines are made at a time: so few that their bytes stay in cache."""

Bytes = NDArray[np.uint8]
Number = tuple[Column, Callable[[NDArray[Any]], Bytes]]
"""A column, and what makes text of its entries: [R, width] bytes, of which NUL are nothing."""

_WIDTHS = (8, 16, 24, 32)
_LONG = 0.05
"""So many of the words may be longer than the place that words have."""
_MARK = b"\x01"
"""Stands in the matrix for a longer word."""


class NgramLines:
    """Lines of the n-grams of ``trie``, whose words are ``tokens``."""

    def __init__(self, trie: Trie, tokens: Sequence[str]) -> None:
        self._trie = trie
        words = [escaped(token).encode() for token in tokens]
        lengths = np.array([len(word) for word in words])
        fitting = (width for width in _WIDTHS if (lengths >= width).mean() <= _LONG)
        self._width = next(fitting, _WIDTHS[-1])
        self._long = lengths >= self._width
        self._long |= np.array([_MARK in word for word in words])
        self._long_words = {place: words[place] for place in np.flatnonzero(self._long).tolist()}
        for place in self._long_words:
            words[place] = _MARK
        self._places = {end: self._table(words, end) for end in (b" ", b"\t", b"\n")}

    def _table(self, words: Sequence[bytes], end: bytes) -> NDArray[Any]:
        """Each of ``words`` with ``end`` behind it, in a place of its own: [V, width / 8], whose
        rows are copied several times as fast as strings are."""
        places = np.array([word + end for word in words], f"S{self._width}")
        return places.view(np.uint64).reshape(len(words), -1)

    def write(
        self,
        file: BinaryIO,
        order: int,
        before: Sequence[Number],
        behind: Sequence[Number],
        told: Callable[[int], None],
    ) -> None:
        """Write the lines of ``order`` to ``file``, with the numbers ``before`` and ``behind`` the
        words, tabs between; ``told`` is told of how many lines are written, as they are."""

        def take(lines: tuple[bytes, int]) -> None:
            text, size = lines
            file.write(text)
            told(size)

        with Pipeline(available_cores()) as pipeline:
            for start in range(0, self._trie[order].size, ROWS):
                stop = min(start + ROWS, self._trie[order].size)
                # Columns are read here: a model file is this thread's.
                ids = self._ids(order, np.arange(start, stop))
                first, last = (
                    [(column.read(start, stop), text) for column, text in numbers]
                    for numbers in (before, behind)
                )
                pipeline.put(partial(self._text, ids, first, last), take)

    def _ids(self, order: int, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Token ids [R, order] of the n-grams in ``rows`` [R], which ascend."""
        if order == 1:
            return rows.astype(np.int32)[:, None]
        token, children = self._trie[order].token, self._trie[order - 1].first_child
        assert token is not None and children is not None
        low, high = int(rows[0]), int(rows[-1])
        alone = high - low + 1 == len(rows)
        first = children.array()
        # Of another type, `first` would be copied as a whole.
        bounds = np.array((low, high), first.dtype)
        begin, end = np.searchsorted(first, bounds, side="right").tolist()
        contexts = np.searchsorted(first[begin : end + 1], rows, side="right") + (begin - 1)
        changed = np.diff(contexts, prepend=-1) != 0
        at = np.flatnonzero(changed)
        ids = np.empty((len(rows), order), np.int32)
        above = self._ids(order - 1, contexts[at])
        ids[:, :-1] = np.repeat(above, np.diff(at, append=len(rows)), axis=0)
        ids[:, -1] = token.read(low, high + 1) if alone else token.take(rows)
        return ids

    def _text(
        self,
        ids: NDArray[np.int32],
        before: Sequence[tuple[NDArray[Any], Callable[[NDArray[Any]], Bytes]]],
        behind: Sequence[tuple[NDArray[Any], Callable[[NDArray[Any]], Bytes]]],
    ) -> tuple[bytes, int]:
        """The lines of the n-grams ``ids`` [R, order], and their number."""
        rows = len(ids)
        parts: list[Bytes] = []
        for values, text in before:
            parts += [text(values), np.full((rows, 1), ord("\t"), np.uint8)]
        spaced, ending = self._places[b" "], self._places[b"\t" if behind else b"\n"]
        for place, columns in ((spaced, ids[:, :-1]), (ending, ids[:, -1])):
            words = place.take(columns.ravel(), axis=0)
            parts.append(words.view(np.uint8).reshape(rows, columns.size // rows * self._width))
        for number, (values, text) in enumerate(behind, 1):
            end = "\t" if number < len(behind) else "\n"
            parts += [text(values), np.full((rows, 1), ord(end), np.uint8)]
        matrix = np.concatenate(parts, axis=1).ravel()
        return self._filled(np.compress(matrix != 0, matrix).tobytes(), ids), rows

    def _filled(self, text: bytes, ids: NDArray[np.int32]) -> bytes:
        """``text`` with the longer words in their places."""
        if not self._long_words:
            return text
        chosen = ids[self._long[ids]].tolist()
        if not chosen:
            return text
        pieces = text.split(_MARK)
        words = [self._long_words[token] for token in chosen]
        return b"".join(piece for pair in zip(pieces, [*words, b""], strict=True) for piece in pair)
