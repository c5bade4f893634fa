"""Lines without spaces as nodes and arcs, but for the stretches of letters in them.

There is a node before each character of a line that is no white space. A line is cut into runs:
numbers, stretches of letters, addresses, other characters one by one. Long lines are read in
pieces, so that many of them are searched in step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import regex  # type: ignore[import-untyped, unused-ignore]

from lmkit.channel.decoding.surface import Surface
from lmkit.model import EOS

LONGEST_STRETCH = 400
"""Longer stretches of letters are cut there, so that work is bounded."""
LONGEST_PIECE = 600
"""Behind so many characters a piece ends with a sentence, behind twice as many anywhere."""
_RUNS = regex.compile(
    r"(?P<address>(?:https?://|www\.)\S+|\w[\w.+-]{0,63}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)*)"
    r"|(?P<letters>['’]*\p{L}[\p{L}\p{M}'’]*)"
    r"|\.{2,}|-{2,}|\S"
)
_ENDS = frozenset(".?!")
_BEGINS = frozenset(" .?!:\"“”‘'(–-")
"""Behind these a capital says nothing."""
_SHOUTING = 0.7
"""A line of so many capitals, part of its letters, is read as if it had none."""
_SUFFIXES = ("st", "nd", "rd", "th", "s")
_DECADE, _ORDINAL, _FAR_ORDINAL, _STRANGE = 2.0, 1.5, 0.0, -5.0
"""Log-odds that 1980s, 21st, 121st and 2003rd or 7s go together, where s or th stand there."""


@dataclass(slots=True)
class Piece:
    """What stands from ``begin`` to ``end`` of line number ``line``; ``node`` is its first."""

    line: int
    begin: int
    end: int
    node: int


@dataclass(slots=True)
class Reading:
    """``pieces``, of ``size`` nodes together. ``start``: the first node of each that is no white
    space; ``joins``: pairs of a node behind a run before white space, and the next run's. Arcs:
    ``source``, ``target``, ``token``, ``row`` (of the lexicon, -1 for none), ``cost``. Stretches
    of letters: ``stretch``, the node of each; its ``texts``; ``begins``, whether a sentence may
    begin with it; ``entries``: node, length and price of what belongs to the number before."""

    surface: Surface
    pieces: list[Piece] = field(default_factory=list)
    size: int = 0
    start: list[int] = field(default_factory=list)
    joins: list[tuple[int, int]] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    token: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    stretch: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    begins: list[bool] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)

    @classmethod
    def of(cls, lines: Sequence[str], surface: Surface) -> Reading:
        reading = cls(surface)
        for number, line in enumerate(lines):
            reading._read(number, line)
        return reading

    def _read(self, number: int, line: str) -> None:
        letters = quietened(line)
        piece = self._open(number, 0)
        place, previous = 0, " "
        for begin, end, kind in _runs(line):
            if begin - piece.begin > LONGEST_PIECE and (
                previous in _ENDS or begin - piece.begin > 2 * LONGEST_PIECE
            ):
                self._close(piece, place, begin)
                piece, place = self._open(number, begin), begin
            if begin > place:
                self._skip(piece, place, begin)
            node = piece.node + begin - piece.begin
            if kind == "letters":
                self.stretch.append(node)
                self.texts.append(letters[begin:end])
                self.begins.append(previous in _BEGINS)
            else:
                self._run(line, begin, end, node, kind == "number")
            place, previous = end, line[end - 1]
        self._close(piece, place, len(line))

    def _open(self, number: int, begin: int) -> Piece:
        self.start.append(self.size)
        self.pieces.append(Piece(number, begin, begin, self.size))
        return self.pieces[-1]

    def _skip(self, piece: Piece, place: int, begin: int) -> None:
        """White space from ``place`` to ``begin``."""
        node, goes_on = piece.node + place - piece.begin, piece.node + begin - piece.begin
        if place == piece.begin:
            self.start[-1] = goes_on
        else:
            self.joins.append((node, goes_on))

    def _close(self, piece: Piece, place: int, end: int) -> None:
        """End ``piece`` at ``end``, with white space behind ``place``."""
        if end > place:
            self._skip(piece, place, end)
        piece.end = end
        last = piece.node + end - piece.begin
        self._arc(last, last + 1, EOS, -1, 0.0)
        self.size = last + 2

    def _arc(self, source: int, target: int, token: int, row: int, cost: float) -> None:
        self.source.append(source)
        self.target.append(target)
        self.token.append(token)
        self.row.append(row)
        self.cost.append(cost)

    def _run(self, line: str, begin: int, end: int, node: int, is_number: bool) -> None:
        """What is not cut further, and a number with what belongs to it."""
        text, behind = line[begin:end], node + end - begin
        token = self.surface.tokens[self.surface.number(text)]
        self._arc(node, behind, token.source_id, token.row, 0.0)
        if not is_number:
            return
        for suffix in _SUFFIXES:
            price = suffix_price(text, suffix) if line.startswith(suffix, end) else None
            if price is not None:
                self._arc(node, behind + len(suffix), token.source_id, -1, price)
                self.entries.append((behind, len(suffix), price))


def _runs(line: str) -> Iterator[tuple[int, int, str | None]]:
    """Begin, end and kind of the runs of ``line``, those of letters of bounded length."""
    for run in _RUNS.finditer(line):
        begin, end = run.span()
        longest = LONGEST_STRETCH if run.lastgroup == "letters" else end - begin
        for cut in range(begin, end, longest):
            yield cut, min(end, cut + longest), run.lastgroup


def quietened(line: str) -> str:
    """``line`` in small letters if it is all in capitals, which say nothing then."""
    upper = sum(map(str.isupper, line))
    if upper < 9 or upper < _SHOUTING * sum(map(str.isalpha, line)):
        return line
    small = line.lower()
    return small if len(small) == len(line) else line


def suffix_price(number: str, suffix: str) -> float | None:
    """Log-odds that ``suffix`` belongs to the digits before it; None where it cannot."""
    if not number.isdecimal():
        return None
    value = int(number[-4:])
    if suffix == "s":
        return _DECADE if value % 10 == 0 and len(number) in (2, 4) else _STRANGE
    teen = value // 10 % 10 == 1
    if suffix != ("th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")):
        return None
    if len(number) < 3:
        return _ORDINAL
    return _FAR_ORDINAL if len(number) == 3 else _STRANGE
