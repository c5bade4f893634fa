"""Aligned tables for people, laid out from the first block of rows and then streamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from unicodedata import category, east_asian_width

from lmkit.cli.console import Console

GAP = "  "
ELLIPSIS = "…"
NOTHING = "-"
"""What a table shows for a figure that is undefined."""
LONGEST_RULE = 40
"""The line below the last heading does not go on for as long as lines of text may be."""
VISIBLE_SPACE = "␣"
"""What a table shows for a token that is a space."""


class TableLayout:
    """Lays rows out in columns: numbers right, text left.

    Widths and kinds of the columns are those of the first ``lines`` call. Where
    standard output is a terminal, text in the last column is cut at its edge.
    """

    def __init__(self, console: Console, columns: Sequence[str]) -> None:
        self._console = console
        self._columns = list(columns)
        self._formats: list[Callable[[Any], str]] = []
        self._widths: list[int] = []
        self._limit: int | None = None

    def lines(self, rows: Sequence[Sequence[Any]]) -> str:
        """The lines of ``rows``, headed by the column names the first time."""
        values = list(zip(*rows, strict=True))
        begun = bool(self._widths)
        if not begun and not rows:
            return ""
        if not begun:
            self._formats = [_format_of(column) for column in values]
        cells = [
            list(map(formatted, column))
            for formatted, column in zip(self._formats, values, strict=True)
        ]
        head = "" if begun else self._begin(cells)
        return head + self._joined(cells)

    def rest(self) -> str:
        """The heading of a table without rows, if nothing was laid out before."""
        if self._widths:
            return ""
        self._formats = [text] * len(self._columns)
        return self._begin([[] for _ in self._columns])

    def _begin(self, cells: list[list[str]]) -> str:
        self._widths = [
            max([display_width(name), *map(display_width, column)])
            for name, column in zip(self._columns, cells, strict=True)
        ]
        if self._console.stdout_is_terminal and self._formats[-1] is text:
            before = sum(self._widths[:-1]) + len(GAP) * (len(self._widths) - 1)
            self._limit = max(self._console.width - before, 8)
            self._widths[-1] = min(self._widths[-1], self._limit)
        names = self._joined([[name] for name in self._columns]).rstrip("\n")
        rules = [*self._widths[:-1], min(self._widths[-1], LONGEST_RULE)]
        rule = GAP.join("-" * width for width in rules)
        return f"{self._console.style(names, bold=True)}\n{rule}\n"

    def _joined(self, cells: list[list[str]]) -> str:
        last = len(cells) - 1
        padded: list[list[str]] = []
        for place, (column, width) in enumerate(zip(cells, self._widths, strict=True)):
            if self._formats[place] is not text:
                padded.append([cell.rjust(width) for cell in column])
            elif place < last:
                padded.append([_padded(cell, width) for cell in column])
            elif self._limit is not None:
                padded.append([_cut(cell, self._limit) for cell in column])
            else:
                padded.append(column)
        return "".join([f"{GAP.join(row)}\n" for row in zip(*padded, strict=True)])


def text(value: Any) -> str:
    """A cell of text, on one line and without anything that moves a cursor."""
    if value is None:
        return NOTHING
    cell = str(value)
    if cell == " ":
        return VISIBLE_SPACE
    return cell if cell.isprintable() else "".join(map(_visible, cell))


def integer(value: Any) -> str:
    """A cell of a column of whole numbers."""
    return NOTHING if value is None else str(value)


def flag(value: Any) -> str:
    """A cell of a column of yes and no."""
    return "yes" if value else "" if value is not None else NOTHING


def number(value: Any) -> str:
    """A cell of a column of numbers, with as many digits as a reader can use."""
    if value is None or value != value:
        return NOTHING
    size = abs(value)
    if 1e-3 <= size < 1e5 or not size:
        return f"{value:.4f}"
    if size < 1e-3 or size >= 1e12:
        return f"{value:.4g}"
    return f"{value:.1f}"


def _format_of(column: Sequence[Any]) -> Callable[[Any], str]:
    kinds = {type(value) for value in column} - {type(None)}
    if kinds == {bool}:
        return flag
    if kinds == {int}:
        return integer
    if kinds and all(issubclass(kind, (int, float)) for kind in kinds):
        return number
    return text


def megabytes(size: int) -> str:
    """A size in bytes for people."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"


def display_width(cell: str) -> int:
    """Columns that ``cell`` takes on a terminal."""
    return len(cell) if cell.isascii() else sum(map(_character_width, cell))


@lru_cache(4096)
def _character_width(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


@lru_cache(4096)
def _visible(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8 (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    # Joiners and tags are parts of letters, emoji and flags.
    part = character in "\u200c\u200d" or "\U000e0020" <= character <= "\U000e007f"
    return character if part or character.isprintable() else repr(character)[1:-1]


def on_terminal(lines: str) -> str:
    """``lines`` of text as a terminal may show them: line ends and tabs, and what is printable."""
    if lines.isprintable():
        return lines
    return "".join(c if c in "\n\t" else _visible(c) for c in lines)


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - display_width(cell))


def _cut(cell: str, width: int) -> str:
    if len(cell) * 2 <= width or display_width(cell) <= width:
        return cell
    kept, taken = [], 0
    for character in cell:
        taken += _character_width(character)
        if taken > width - 1:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS
