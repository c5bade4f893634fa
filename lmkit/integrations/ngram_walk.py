"""Walking through an n-gram model: no NumPy, no array and no query for a single word.

A place is the row of the longest context that can say anything, and its order. A step looks for
the word among the n-grams that continue it. Where it is none of them, the column ``suffix`` leads
to the next shorter context. Columns are read block by block, as they are touched.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from threading import Lock
from typing import Any

import numpy as np

from lmkit.batch import BOS, UNK
from lmkit.integrations.walking import LN10, LOG10_ZERO, Step, Walk
from lmkit.ngram.model import NgramModel
from lmkit.store.columns import BLOCK_BYTES, Column

SHIFT = (BLOCK_BYTES // 8).bit_length() - 1
MASK = (1 << SHIFT) - 1
_reading = Lock()
"""Columns keep blocks of their own, and several threads may ask one model."""


class Blocks(dict[int, Any]):
    """The entries of a column as Python numbers: ``blocks[row >> SHIFT][row & MASK]``. A block of
    a model file holds one, two, four or eight of these blocks."""

    __slots__ = ("_column", "length")

    def __init__(self, column: Column | None) -> None:
        super().__init__()
        self._column = column
        self.length = 0 if column is None else len(column)

    def __missing__(self, number: int) -> Any:
        assert self._column is not None
        with _reading:
            values = self._column.read(number << SHIFT, (number + 1) << SHIFT)
        native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        block = self[number] = native.data
        return block

    def find(self, low: int, high: int, value: int) -> int:
        """The row from ``low`` up to ``high`` of ``value``, -1 where it is not there. The entries
        between them are in ascending order."""
        number, last = low >> SHIFT, (high - 1) >> SHIFT
        while number < last:
            middle = (number + last) >> 1
            if self[middle][MASK] < value:
                number = middle + 1
            else:
                last = middle
        base = number << SHIFT
        block = self[number]
        first = low - base if low > base else 0
        end = high - base if high - base <= MASK else MASK + 1
        at = bisect_left(block, value, first, end)
        return base + at if at < end and block[at] == value else -1

    def owner(self, row: int) -> int:
        """Of an ascending column: where its last entry stands that is at most ``row``."""
        number, last = 0, (self.length - 1) >> SHIFT
        while number < last:
            middle = (number + last + 1) >> 1
            if self[middle][0] <= row:
                number = middle
            else:
                last = middle - 1
        return (number << SHIFT) + bisect_right(self[number], row) - 1


class NgramWalk(Walk):
    """A way through ``model``; ``bos_score`` is log10 p(``<s>``) of its file.

    A context that has no continuation and costs nothing says nothing, so that places are equal
    where KenLM's states are.
    """

    def __init__(self, model: NgramModel, bos_score: float = LOG10_ZERO) -> None:
        levels = model.trie.levels
        self._order = len(levels)
        # Index n is order n.
        self._tokens = [Blocks(None), *(Blocks(level.token) for level in levels)]
        self._suffixes = [Blocks(None), *(Blocks(level.suffix) for level in levels)]
        self._log_probs = [Blocks(None), *(Blocks(level.log_prob) for level in levels)]
        self._children = [Blocks(None), *(Blocks(level.first_child) for level in levels)]
        self._backoffs = [Blocks(None), *(Blocks(level.log_backoff) for level in levels)]
        self._bos = bos_score * LN10
        self._levels = levels
        super().__init__(model, self._place(1, BOS) if self._order > 1 else 0)

    @property
    def order(self) -> int:
        return self._order

    @property
    def null(self) -> int:
        return 0

    def load(self) -> None:
        super().load()
        for level in self._levels:
            for name, column in level.columns():
                if name != "count":
                    column.array()

    def _step(self, place: int, token: int) -> Step:
        row, order = divmod(place, self._order)
        cost, found = 0.0, token
        while order:
            first = self._children[order]
            after = row + 1
            low, high = first[row >> SHIFT][row & MASK], first[after >> SHIFT][after & MASK]
            if low < high:
                child = self._tokens[order + 1].find(low, high, token)
                if child >= 0:
                    found = child
                    break
            cost += self._backoffs[order][row >> SHIFT][row & MASK]
            order, row = self._shorter(order, row)
        order += 1
        if token == BOS:
            cost += self._bos
        else:
            cost += self._log_probs[order][found >> SHIFT][found & MASK]
        following = (
            self._place(order, found)
            if order < self._order
            else self._place(*self._shorter(order, found))
        )
        return cost / LN10, following, order, token == UNK

    def _place(self, order: int, row: int) -> int:
        """The place where ``row`` of ``order`` is the longest context that the model has."""
        while order:
            first = self._children[order]
            after = row + 1
            if (
                first[row >> SHIFT][row & MASK] < first[after >> SHIFT][after & MASK]
                or self._backoffs[order][row >> SHIFT][row & MASK]
            ):
                return row * self._order + order
            order, row = self._shorter(order, row)
        return 0

    def _shorter(self, order: int, row: int) -> tuple[int, int]:
        """Order and row of the longest n-gram that ``row`` of ``order`` ends with; 0 and 0 for a
        single word, which ends with none."""
        if order == 1:
            return 0, 0
        shorter: int = self._suffixes[order][row >> SHIFT][row & MASK]
        if shorter >= 0:
            return order - 1, shorter
        # Pruning may leave out the shorter form of an n-gram, but keep a form that is shorter yet.
        return self._searched(self._words(order, row)[1:])

    def _words(self, order: int, row: int) -> list[int]:
        """The words of the n-gram in ``row`` of ``order``."""
        words = []
        for n in range(order, 1, -1):
            words.append(self._tokens[n][row >> SHIFT][row & MASK])
            row = self._children[n - 1].owner(row)
        return [row, *reversed(words)]

    def _searched(self, words: list[int]) -> tuple[int, int]:
        """Order and row of the longest n-gram that ``words`` end with."""
        for begin in range(len(words)):
            row = words[begin]
            for n, token in enumerate(words[begin + 1 :], 1):
                first = self._children[n]
                low, high = first[row >> SHIFT][row & MASK], first[row + 1 >> SHIFT][row + 1 & MASK]
                row = self._tokens[n + 1].find(low, high, token) if low < high else -1
                if row < 0:
                    break
            if row >= 0:
                return len(words) - begin, row
        return 0, 0


class DeepNgramWalk(NgramWalk):
    """The same where contexts count that the model has not (forms ``constant`` and ``floor`` of
    `lmkit.ngram.smoothing.base.Form`): the length of the history is part of a place."""

    def __init__(self, model: NgramModel, bos_score: float = LOG10_ZERO) -> None:
        self._constant = model.form == "constant"
        self._missing = model.missing if self._constant else model.uniform
        super().__init__(model, bos_score)
        longest = min(1, self._order - 1)
        self.start = (BOS * self._order + longest) * self._order + longest

    def _step(self, place: int, token: int) -> Step:
        rest, depth = divmod(place, self._order)
        row, order = divmod(rest, self._order)
        cost, found = (depth - order) * self._missing, token
        floor = None if order == depth else self._missing
        while order:
            first = self._children[order]
            low, high = first[row >> SHIFT][row & MASK], first[row + 1 >> SHIFT][row + 1 & MASK]
            child = self._tokens[order + 1].find(low, high, token) if low < high else -1
            if child >= 0:
                found = child
                break
            if order == depth:
                floor = self._backoffs[order][row >> SHIFT][row & MASK]
            cost += self._missing
            order, row = self._shorter(order, row)
        order += 1
        if token == BOS:
            log_prob = self._bos + (cost if self._constant else 0.0)
        elif floor is not None and not self._constant:
            log_prob = floor
        else:
            log_prob = self._log_probs[order][found >> SHIFT][found & MASK]
            log_prob += cost if self._constant else 0.0
        length = order
        if order == self._order:
            order, found = self._shorter(order, found)
        deeper = min(depth + 1, self._order - 1)
        following = (found * self._order + order) * self._order + deeper
        return log_prob / LN10, following, length, token == UNK
