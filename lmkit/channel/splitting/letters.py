"""Stretches of letters behind each other, as words are looked up in them, and how they are written.

``n`` is the number of letters of all stretches, ``P`` of parts asked about.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.folding import plain_letter

LOWER, TITLE, UPPER, MIXED = range(4)
"""How a part is written, as in `PATTERNS` of the lexicon; a plural as CPUs is in capitals."""
INSIDE, START, SMALL = range(3)
"""Where a letter stands: in a sentence, where one may begin, and in a line without capitals, which
says nothing about them."""
_ARTICLES = (ord("d"), ord("l"))
"""What loses its vowel before another one in French and Italian."""


class Letters:
    """``room`` [n]: letters from each to the end of its stretch; ``place`` [n]: `INSIDE`, `START`
    for the first one of a stretch that a sentence may begin with, or `SMALL`. ``folded`` and
    ``plain`` [n]: code points in small letters, with and without their marks; ``upper``, ``mark``,
    ``apostrophe`` [n]: which are that; ``behind_capital`` [n]: capitals behind another one."""

    def __init__(self, texts: Sequence[str], places: Sequence[int]) -> None:
        """``texts``: the stretches, none of them empty; ``places``: where each begins."""
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        self.first = np.cumsum(sizes) - sizes
        self.room = np.repeat(self.first + sizes, sizes) - np.arange(len(points))
        begins = np.array(places, np.int64)
        self.place = np.repeat(np.where(begins == SMALL, SMALL, INSIDE), sizes)
        self.place[self.first] = begins
        distinct, place = np.unique(points, return_inverse=True)
        known = [_properties(chr(point)) for point in distinct.tolist()]
        columns = np.array(known, np.uint32).reshape(-1, 5)[place].T
        self.folded, self.plain = columns[0], columns[1]
        self.upper, self.mark = columns[2].astype(bool), columns[4].astype(bool)
        small = columns[3].astype(bool)
        self.apostrophe = self.folded == ord("'")
        inner = np.ones(len(points), bool)
        inner[self.first] = False
        self.behind_capital = inner & self.upper & np.roll(self.upper, 1)
        self._uppers = _sums(self.upper)
        self._rises = _sums(inner & self.upper & np.roll(small, 1))
        self._apostrophes = _sums(self.apostrophe)

    def __len__(self) -> int:
        return len(self.room)

    def apostrophes(self, start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many apostrophes are in each part [P]."""
        return self._apostrophes[start + length] - self._apostrophes[start]

    def patterns(
        self, start: NDArray[np.int64], length: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How each part is written, and how many capitals stand behind a small letter [P]."""
        end = start + length
        capitals = self._uppers[end] - self._uppers[start]
        rises = self._rises[end] - self._rises[start + 1]
        letters = length - self.apostrophes(start, length)
        last = np.maximum(end - 1, 0)
        plural = (letters > 2) & (self.folded[last] == ord("s")) & ~self.upper[last]
        pattern = np.select(
            [
                capitals == 0,
                (capitals == 1) & self.upper[start],
                (capitals == letters - plural),
            ],
            [LOWER, TITLE, UPPER],
            MIXED,
        )
        # O'Neill, d'Amico; McHugh
        title = (capitals == 1 + self.upper[start]) & self.is_elided(start, length)
        title |= (capitals == 2) & self._is_of_clan(start, length)
        return np.where(title, TITLE, pattern), rises * ~title

    def is_elided(self, start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which parts [P] are a letter, an apostrophe, and a word with a capital, or any behind
        an article: O'Neill, d'Amico, l'homme."""
        last = len(self) - 1
        second, third = np.minimum(start + 1, last), np.minimum(start + 2, last)
        article = np.isin(self.folded[start], _ARTICLES)
        return (length > 3) & self.apostrophe[second] & (self.upper[third] | article)

    def _is_of_clan(self, start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which parts [P] are Mc and a word with a capital."""
        last = len(self) - 1
        second, third = np.minimum(start + 1, last), np.minimum(start + 2, last)
        found = self.upper[start] & (self.folded[start] == ord("m"))
        found &= ~self.upper[second] & (self.folded[second] == ord("c"))
        return (length > 4) & found & self.upper[third]


def _sums(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many of ``flags`` [n] are set before each place [n + 1]."""
    return np.concatenate([[0], np.cumsum(flags)])


@lru_cache(4096)
def _properties(letter: str) -> tuple[int, int, bool, bool, bool]:
    """A letter folded, and without its marks, as code points; is it a capital, a small letter, a
    mark."""
    folded = "'" if letter == "’" else letter.lower()[:1]
    plain = plain_letter(folded)[:1] or folded
    is_mark = unicodedata.category(letter)[0] == "M"
    return ord(folded), ord(plain), letter.isupper(), letter.islower(), is_mark
