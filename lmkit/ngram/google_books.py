"""Google Books n-grams (Michel et al. 2011; Lin et al. 2012), whose counts are by year.

    version 2   w1 ... wn <TAB> year <TAB> matches <TAB> volumes          a line a year
    version 3   w1 ... wn <TAB> year,matches,volumes <TAB> year,...       a line an n-gram

Version 1, which counts pages too, is read as version 2. Matches are added up over the years.
``_START_`` and ``_END_`` are the marks of a sentence. N-grams with tags of parts of speech
(``run_VERB``, ``_NOUN_``) are passed over: they count the same words again. ``L`` is the number of
lines, ``T`` of years on all of them.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import FormatError, UsageError
from lmkit.model import BOS, EOS
from lmkit.ngram.countfiles import LARGEST, CountReading, read_count_files
from lmkit.ngram.counting import Workspace
from lmkit.ngram.fields import PADDING, BadFieldError, Fields, fields_by_size, padded
from lmkit.ngram.model import NgramModel
from lmkit.text.encodings import encoded

ALIASES = {b"_START_": BOS, b"_END_": EOS}
FORMS = "lines ngram<TAB>year<TAB>matches<TAB>volumes, or ngram<TAB>year,matches,volumes<TAB>..."

_TAGGED = re.compile(
    rb"_(?:NOUN|VERB|ADJ|ADV|PRON|DET|ADP|NUM|CONJ|PRT|ROOT|X|\.)_?(?=[ \n])", re.ASCII
)
_LINE = re.compile(rb"[^\t\n]+\t(?:[12]\d{3}\t\d+(?:\t\d+){1,2}|[12]\d{3},\d+,\d+(?:\t.*)?)\n")
_NAME = re.compile(r"googlebooks-.*gram-.*|\d-\d{5}-of-\d{5}(\.gz)?")
_TAB, _NEWLINE, _COMMA = 9, 10, 44

Integers = NDArray[np.int64]


def read_google_books(
    path: str | Path,
    *,
    years: tuple[int, int] | None = None,
    encoding: str | None = None,
    **options: Any,
) -> NgramModel:
    """A model from the counts in the file ``path``, or in the files of that directory, of ``years``
    (the first and the last; None: of all).

    ``options`` are those of `lmkit.ngram.countfiles.read_counts`, whose errors it raises too.
    """
    if years is not None and years[0] > years[1]:
        raise UsageError(
            f"the first year, {years[0]}, is after the last, {years[1]}", "--years 1950-2000"
        )
    paths = [encoded(file, encoding) for file in google_books_files(path)]
    return read_count_files(paths, partial(GoogleBooksReading, years), **options)


def is_google_books(start: bytes) -> bool:
    """Whether the first line of ``start`` is one of these."""
    return _LINE.match(start) is not None


def google_books_files(path: str | Path) -> list[str | Path]:
    """The files with n-grams in the directory ``path``, or that file itself.

    Raises `FormatError` where the directory has none.
    """
    if not Path(path).is_dir():
        return [path]
    files: list[str | Path] = sorted(
        file for file in Path(path).iterdir() if _NAME.fullmatch(file.name)
    )
    if not files:
        raise FormatError(
            f"{path} has no files such as googlebooks-eng-all-1gram-20120701-a.gz"
            " or 1-00000-of-00024.gz",
            "one of the files by itself",
        )
    return files


class GoogleBooksReading(CountReading):
    """Takes such files chunk by chunk. ``years`` are the first and the last that count."""

    def __init__(
        self, years: tuple[int, int] | None, order: int | None, workspace: Workspace
    ) -> None:
        super().__init__(ALIASES, order, workspace)
        self._years = years
        self._tagged = 0

    def feed(self, text: bytes, name: str, first_line: int) -> None:
        """Take whole lines, the first of which has the number ``first_line``."""
        lines = _Lines(text, name, first_line)
        counts = lines.matches(self._years)
        words = lines.words()
        tags = [found.start() for found in _TAGGED.finditer(words)]
        tagged = np.unique(np.searchsorted(_places(words, _NEWLINE), tags))
        self._tagged += len(tagged)
        counts[tagged] = 0
        for order, fields in fields_by_size(words, 0):
            counted = counts[fields.lines] > 0
            if counted.any():
                self.take(fields.chosen(counted), order, counts[fields.lines[counted]])

    def nothing(self) -> str:
        """What to say of files without any count that is wanted."""
        if self._years is None:
            return super().nothing()
        return f"there are no counts of the years {self._years[0]} to {self._years[1]} in it"

    def notes(self) -> list[str]:
        """What had to be decided."""
        if not self._tagged:
            return []
        return [f"{self._tagged:,} lines with tags of parts of speech were passed over"]


def _places(text: bytes, code: int) -> Integers:
    """Where the byte ``code`` stands in ``text``."""
    return np.flatnonzero(np.frombuffer(text, np.uint8) == code)


class _Lines:
    """Lines of one chunk: of each the n-gram, and its years behind the first tab."""

    def __init__(self, text: bytes, name: str, first_line: int) -> None:
        self._codes = np.frombuffer(text, np.uint8)
        self._text = padded(text)
        self._name = name
        self._first_line = first_line
        self._tabs, self._ends = _places(text, _TAB), _places(text, _NEWLINE)
        begins = np.concatenate(([0], self._ends[:-1] + 1))
        blank = begins == self._ends
        first = np.searchsorted(self._tabs, begins)
        self._number = np.diff(first, append=len(self._tabs))
        self._require((self._number > 0) | blank, "an n-gram has no tab after it")
        self._first = np.where(blank, self._ends, np.append(self._tabs, 0)[first])
        self._require((self._first > begins) | blank, "the tab has no n-gram before it")
        self._line_of_tab = np.repeat(np.arange(len(self._ends)), self._number)

    def words(self) -> bytes:
        """The n-grams alone, a line each."""
        marks = np.zeros(len(self._codes) + 1, np.int8)
        marks[self._first] += 1
        marks[self._ends] -= 1
        return self._codes[np.cumsum(marks[:-1], dtype=np.int8) == 0].tobytes()

    def matches(self, years: tuple[int, int] | None) -> Integers:
        """The matches of each line [L], those of ``years`` added up."""
        year, count, lines = self._by_comma() if self._has_commas() else self._by_tab()
        if years is not None:
            count = np.where((year >= years[0]) & (year <= years[1]), count, 0)
        if float(count.sum(dtype=np.float64)) > LARGEST:
            self._wrong(0, "the matches from here on add up to more than 2^63")
        totals = np.zeros(len(self._ends), np.int64)
        np.add.at(totals, lines, count)
        return totals

    def _has_commas(self) -> bool:
        """Whether the first line is of version 3."""
        if not len(self._tabs):
            return False
        line = int(self._line_of_tab[0])
        behind = self._codes[self._tabs[0] : self._ends[line]]
        return bool((behind == _COMMA).any())

    def _by_tab(self) -> tuple[Integers, Integers, Integers]:
        """Year, matches and line [L] of lines with one year each."""
        self._require(
            (self._number == 0) | (self._number == 3) | (self._number == 4),
            "the n-gram is not followed by a year, matches and volumes",
        )
        first = np.flatnonzero(np.diff(self._line_of_tab, prepend=-1))
        lines = self._line_of_tab[first]
        year, count, end = (self._tabs[first + number] for number in range(3))
        return *self._numbers(year + 1, count, count + 1, end, lines), lines

    def _by_comma(self) -> tuple[Integers, Integers, Integers]:
        """Year, matches and line [T] of lines with all their years."""
        lines = self._line_of_tab
        begins = self._tabs
        ends = np.minimum(np.append(begins[1:], len(self._codes)), self._ends[lines])
        commas = np.flatnonzero(self._codes == _COMMA)
        commas = np.append(commas, [len(self._codes)] * 3)
        place = np.searchsorted(commas, begins)
        inner, outer, more = commas[place], commas[place + 1], commas[place + 2]
        # The next n-gram may have commas of its own, behind the line's end.
        good = (outer < ends) & (more >= ends)
        if not good.all():
            self._wrong(
                int(lines[np.argmin(good)]), "not every tab is followed by year,matches,volumes"
            )
        return *self._numbers(begins + 1, inner, inner + 1, outer, lines), lines

    def _numbers(
        self, begin: Integers, end: Integers, begin2: Integers, end2: Integers, lines: Integers
    ) -> tuple[Integers, Integers]:
        begins = np.stack((begin, begin2), axis=1) + PADDING
        lengths = np.stack((end - begin, end2 - begin2), axis=1)
        try:
            if (lengths <= 0).any():
                raise BadFieldError(int(np.argmax((lengths <= 0).any(axis=1))))
            fields = Fields(self._text, begins, lengths, lines)
            return fields.counts(0), fields.counts(1)
        except BadFieldError as error:
            self._wrong(
                int(lines[error.row]), "a year or its number of matches is not a whole number"
            )

    def _require(self, good: NDArray[np.bool_], reason: str) -> None:
        if not good.all():
            self._wrong(int(np.argmin(good)), reason)

    def _wrong(self, line: int, reason: str) -> NoReturn:
        raise FormatError(f"{self._name}, line {self._first_line + line}: {reason}", FORMS)
