"""Lines without spaces as nodes and arcs, but for the stretches of letters in them.

There is a node before each character of a line that is no white space. A line is cut into runs:
numbers, stretches of letters, addresses, other characters one by one, with their marks and whatever
else makes one sign of several. Long lines are read in pieces, so that many of them are searched in
step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import regex  # type: ignore[import-untyped, unused-ignore]

from lmkit.channel.decoding.surface import Surface
from lmkit.channel.splitting.letters import INSIDE, SMALL, START
from lmkit.model import EOS

LONGEST_STRETCH = 400
"""Longer stretches of letters are cut there, so that work is bounded."""
LONGEST_PIECE = 600
"""Behind so many characters a piece ends with a sentence, behind twice as many anywhere."""
_RUNS = regex.compile(
    r"(?P<address>(?:https?://|www\.)\S+|\w[\w.+-]{0,63}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)*)"
    r"|(?P<letters>['’]{0,9}\p{L}[\p{L}\p{M}'’]*)"
    r"|\.{2,}|-{2,}|(?!\s)\X"
)
_ENDS = frozenset(".?!")
_BEGINS = frozenset(" .?!:\"“”‘'(–-")
"""Behind these a capital says nothing."""
_SHOUTING = 0.7
"""A line of so many capitals, part of its letters, is read as if it had none."""
_NEAR = 50
"""What stands before a piece is looked for in so many characters."""
_SUFFIXES = ("st", "nd", "rd", "th", "s")
_DECADE, _ORDINAL, _FAR_ORDINAL, _STRANGE = 2.0, 1.5, 0.0, -5.0
"""Log-odds that 1980s, 21st, 121st and 2003rd or 7s go together, where s or th stand there."""


Run = tuple[int, int, str | None]
"""Begin and end in the line, and ``letters``, ``number``, ``address`` or None."""


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
    of letters: ``stretch``, the node of each; its ``texts``; ``places``, where each begins as in
    `Letters`; ``entries``: node, length and price of what belongs to the number before."""

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
    places: list[int] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)

    @classmethod
    def blocks(cls, lines: Sequence[str], surface: Surface, most: int) -> Iterator[Reading]:
        """``lines`` in blocks of whole pieces, of little more than ``most`` nodes."""
        reading = cls(surface)
        for number, line in enumerate(lines):
            letters = quietened(line)
            for begin, end, runs in _pieces(line):
                reading._read(line, letters, Piece(number, begin, end, reading.size), runs)
                if reading.size >= most:
                    yield reading
                    reading = cls(surface)
        if reading.size:
            yield reading

    def _read(self, line: str, letters: str, piece: Piece, runs: Sequence[Run]) -> None:
        """The ``runs`` of a piece of ``line``; ``letters``: the line as its letters are read."""
        self.pieces.append(piece)
        first = runs[0][0] if runs else piece.end
        self.start.append(piece.node + first - piece.begin)
        place = first
        small = letters == letters.lower()
        before = line[max(0, piece.begin - _NEAR) : piece.begin].rstrip()[-1:] or " "
        for begin, end, kind in runs:
            node = piece.node + begin - piece.begin
            if begin > place:
                self.joins.append((node - begin + place, node))
            if kind == "letters":
                self.stretch.append(node)
                self.texts.append(letters[begin:end])
                self.places.append(SMALL if small else START if before in _BEGINS else INSIDE)
            else:
                self._run(line, begin, end, node, kind == "number")
            place, before = end, line[end - 1]
        last = piece.node + piece.end - piece.begin
        if first < piece.end > place:
            self.joins.append((last - piece.end + place, last))
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


def _runs(line: str) -> Iterator[Run]:
    """The runs of ``line``, those of letters of bounded length."""
    for run in _RUNS.finditer(line):
        begin, end = run.span()
        longest = LONGEST_STRETCH if run.lastgroup == "letters" else end - begin
        for cut in range(begin, end, longest):
            yield cut, min(end, cut + longest), run.lastgroup


def _pieces(line: str) -> Iterator[tuple[int, int, list[Run]]]:
    """Begin, end and runs of the pieces of ``line``, of which there is one at least."""
    begin, runs = 0, list[Run]()
    for run in _runs(line):
        size = run[0] - begin
        ended = runs and line[runs[-1][1] - 1] in _ENDS
        if runs and size > (LONGEST_PIECE if ended else 2 * LONGEST_PIECE):
            yield begin, run[0], runs
            begin, runs = run[0], []
        runs.append(run)
    yield begin, len(line), runs


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
