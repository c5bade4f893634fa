"""Distinct words packed in arrays, which are there at once and are taken apart when asked.

A list of some hundred thousand strings and a dictionary of them take longer to make than to read a
model: too long for somebody who asks about one word. `PackedWords` is such a list, and `WordRows`
such a dictionary, over a `WordTable`. Both become what they stand for when much is asked of them.
``N`` is the number of words.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, repeat
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable

FEW = 128
"""When a word in so many has been looked for one by one, a dictionary is made."""
FENCE = 64


class PackedWords(Sequence[str]):
    """The words of ``table``, whose alphabet has to hold all of their letters. ``order`` [N]:
    their rows in alphabetical order, where it is known."""

    def __init__(self, table: WordTable, order: NDArray[np.integer] | None = None) -> None:
        self.table = table
        self._order = order
        self._size = len(table)
        self._asked = 0
        self._list: list[str] | None = None

    @classmethod
    def of(cls, words: Sequence[str]) -> PackedWords:
        """``words``, packed, if they are not yet."""
        return words if isinstance(words, PackedWords) else cls(WordTable.of(words))

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if self._list is not None:
            return self._list[place]
        if isinstance(place, slice):
            return self.at(np.arange(*place.indices(len(self))))
        self._asked += 1
        if 4 * self._asked > len(self):
            return self.unpacked[place]
        if not -len(self) <= place < len(self):
            raise IndexError(f"there is no word {place} of {len(self)}")
        place %= len(self)
        starts = self.table.starts
        return self._decoded(self.table.codes[starts[place] : starts[place + 1]])

    def __iter__(self) -> Iterator[str]:
        return iter(self.unpacked)

    def at(self, rows: NDArray[np.integer]) -> list[str]:
        """The words in ``rows``."""
        self._asked += len(rows)
        if self._list is None and 4 * self._asked <= len(self):
            return self._words_in(rows)
        words = self.unpacked
        return [words[row] for row in rows.tolist()]

    @property
    def unpacked(self) -> list[str]:
        """The words as a list."""
        if self._list is None:
            text, bounds = self._decoded(self.table.codes), self.table.starts.tolist()
            self._list = [text[a:b] for a, b in pairwise(bounds)]
        return self._list

    @cached_property
    def _fence(self) -> list[str]:
        """Every so many of the words, in alphabetical order."""
        return self.at(self.order[::FENCE])

    @cached_property
    def _letters(self) -> NDArray[np.generic]:
        """The letter of each code, in the narrowest encoding there is."""
        latin = int(self.table.alphabet.max(initial=0)) < 1 << 8
        points = np.zeros(len(self.table.alphabet) + 1, np.uint8 if latin else "<u4")
        points[1:] = self.table.alphabet
        return points

    def _words_in(self, rows: NDArray[np.integer]) -> list[str]:
        table = self.table.taken(rows)
        text = self._decoded(table.codes)
        return [text[a:b] for a, b in pairwise(table.starts.tolist())]

    def _decoded(self, codes: NDArray[np.integer]) -> str:
        letters = self._letters[codes]
        if letters.itemsize == 1:
            return letters.tobytes().decode("latin-1")
        return letters.tobytes().decode("utf-32-le", "surrogatepass")

    @property
    def order(self) -> NDArray[np.integer]:
        """The rows of the words in alphabetical order: [N]."""
        if self._order is None:
            self._order = alphabetical(self.table)
        return self._order

    def taken(self, rows: NDArray[np.integer]) -> PackedWords:
        """The same words, those in ``rows`` [N] now in the rows 0, 1, ..."""
        places = np.empty(len(rows), np.int64)
        places[rows] = np.arange(len(rows))
        order = None if self._order is None else places[self._order]
        return PackedWords(self.table.taken(rows), order)

    def with_more(self, words: Sequence[str]) -> PackedWords:
        """These words and ``words``, none of which is among them."""
        order = None
        if self._order is not None and FEW * len(words) <= len(self):
            rising = sorted(range(len(words)), key=words.__getitem__)
            places = [self.place_of(words[i])[0] for i in rising]
            order = np.insert(self._order, places, len(self) + np.array(rising, np.int64))
        return PackedWords(self.table.with_more(words), order)

    def place_of(self, word: str) -> tuple[int, bool]:
        """Where ``word`` stands, or would, in alphabetical order, and whether it is there."""
        low = max(bisect_right(self._fence, word) - 1, 0) * FENCE
        near = self._words_in(self.order[low : low + FENCE])
        place = bisect_left(near, word)
        return low + place, near[place : place + 1] == [word]


class WordRows(Mapping[str, int]):
    """The row of each of ``words``."""

    def __init__(self, words: PackedWords) -> None:
        self._words = words
        self._asked = 0
        self._rows: dict[str, int] | None = None
        self._found: dict[str, int] = {}
        self._first: dict[int, dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __getitem__(self, word: str) -> int:
        if self._rows is not None:
            return self._rows[word]
        row = self._found.get(word)
        if row is None:
            self._asked += 1
            if FEW * self._asked > len(self):
                return self.unpacked[word]
            place, found = self._words.place_of(word)
            row = self._found[word] = int(self._words.order[place]) if found else -1
        if row < 0:
            raise KeyError(word)
        return row

    def __contains__(self, word: object) -> bool:
        # Texts ask so often that the detour of a Mapping is felt.
        return self.get(word) is not None  # type: ignore[arg-type]

    def get(self, word: str, default: Any = None) -> Any:
        if self._rows is not None:
            return self._rows.get(word, default)
        try:
            return self[word]
        except KeyError:
            return default

    @property
    def unpacked(self) -> dict[str, int]:
        """The rows as a dictionary."""
        if self._rows is None:
            self._rows = {word: row for row, word in enumerate(self._words.unpacked)}
        return self._rows

    def first(self, most: int) -> dict[str, int]:
        """The rows of the first ``most`` words, as a dictionary, which is kept: few words are
        looked for sooner there than one by one in all of them."""
        if most not in self._first:
            words = self._words.at(np.arange(most))
            self._first[most] = {word: row for row, word in enumerate(words)}
        return self._first[most]

    def of(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The row of each of ``words``, -1 where it is none."""
        if FEW * (self._asked + len(words)) > len(self):
            found = map(self.unpacked.get, words, repeat(-1))
            return np.fromiter(found, np.int64, len(words))
        return np.array([self.get(word, -1) for word in words], np.int64)


def alphabetical(table: WordTable) -> NDArray[np.int64]:
    """The rows of ``table`` [N] in the order of their words, code point by code point.

    As many letters as fit one number are compared at once; only words that have them in common
    are sorted by the next ones.
    """
    bits = max(len(table.alphabet).bit_length(), 1)
    letters = 64 // bits
    lengths = table.lengths
    order = np.arange(len(table))
    # Of the words that are not told apart yet: their places in the order, and the place of the
    # first of those that have begun alike.
    places, group = order.copy(), np.zeros(len(table), np.int64)
    for begin in range(0, int(lengths.max(initial=0)), letters):
        rows = order[places]
        key = np.zeros(len(rows), np.uint64)
        for place in range(begin, begin + letters):
            key <<= np.uint64(bits)
            there = np.flatnonzero(lengths[rows] > place)
            key[there] |= table.column(place, rows[there])
        sort = np.argsort(key, kind="stable") if begin == 0 else np.lexsort((key, group))
        order[places] = rows[sort]
        key = key[sort]
        new = np.ones(len(key), bool)
        new[1:] = (key[1:] != key[:-1]) | (group[1:] != group[:-1])
        first = np.flatnonzero(new)
        sizes = np.diff(np.append(first, len(key)))
        same = np.repeat(sizes > 1, sizes)
        places, group = places[same], np.repeat(places[first], sizes)[same]
    return order
