"""The same sentences under every model, word below word.

All models are brought to the words of the sentence: a word costs what its characters cost, the
space behind it included, as the spelling of an unknown word includes its end. Of subwords, a space
is often the first character of a token, and then goes with the word before which it stands. So a
column compares the same piece of text under all models.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from lmkit.evaluate.results import ModelResult, SentenceSurprise, TokenSurprise

STEPS = (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""From so many bits on a cell has the next colour; the first colour is for less."""
END = "⏎"
"""Stands for the end of a line."""
WIDEST = 116
"""Characters of a sentence that stand side by side, gaps included."""
GAP = 3
NARROWEST = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """What a word costs, in ``bits``; ``step`` is its colour."""

    bits: float
    unknown: bool

    @property
    def step(self) -> int:
        return bisect_right(STEPS, self.bits)


@dataclass(frozen=True, slots=True)
class Line:
    """One model's cells, and what the whole sentence costs it."""

    rank: int | None
    name: str
    cells: list[Cell]
    total: float


@dataclass(frozen=True, slots=True)
class Part:
    """Some neighbouring words of a sentence, under all models."""

    words: list[str]
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A sentence, cut into ``parts`` that fit on a page; ``missing`` are models whose tokens are
    no parts of its words."""

    text: str
    parts: list[Part]
    missing: list[str]


def heat_map(sentence: SentenceSurprise, rows: Sequence[ModelResult]) -> HeatMap:
    """``sentence`` under the models of ``rows``, in their order."""
    words = sentence.text.split(" ")
    lines, missing = [], []
    for row in rows:
        tokens = sentence.by_model.get(row.name)
        cells = None if tokens is None else word_cells(sentence.text, tokens)
        if cells is None:
            missing.append(row.name)
        else:
            lines.append(Line(row.rank, row.name, cells, sum(cell.bits for cell in cells)))
    shown = [*words, END] if sentence.text else [END]
    parts = [
        Part(
            shown[first:last],
            [Line(one.rank, one.name, one.cells[first:last], one.total) for one in lines],
        )
        for first, last in _parts([max(len(word), NARROWEST) + GAP for word in shown])
    ]
    return HeatMap(sentence.text, parts, missing)


def word_cells(text: str, tokens: Sequence[TokenSurprise]) -> list[Cell] | None:
    """A cell for each word of ``text`` and one for its end; None where ``tokens`` are neither
    its words nor its characters nor its bytes, nor parts of the text that are no longer than a
    word."""
    words = text.split(" ") if text else []
    lengths = _lengths(text, words, [token.text for token in tokens[:-1]])
    if lengths is None or not tokens:
        return None
    cells, place = [], 0
    for length in [*lengths, 1]:
        own = tokens[place : place + length]
        cells.append(Cell(sum(token.bits for token in own), any(token.unknown for token in own)))
        place += length
    return cells


def _lengths(text: str, words: Sequence[str], tokens: Sequence[str]) -> list[int] | None:
    """How many of ``tokens`` make each word, with the space behind it."""
    if list(words) == list(tokens):
        return [1] * len(words)
    for sizes, total in (
        ([len(word) for word in words], len(text)),
        ([len(word.encode()) for word in words], len(text.encode())),
    ):
        if len(tokens) == total:
            return [*(number + 1 for number in sizes[:-1]), sizes[-1]]
    return _of_subwords(text, words, tokens)


def _of_subwords(text: str, words: Sequence[str], tokens: Sequence[str]) -> list[int] | None:
    """The same where each of ``tokens`` is a piece of ``text``, or of the bytes of one of its
    characters; None where that is not so, or one reaches over a whole word."""
    pieces = [token.encode(errors="surrogateescape") for token in tokens]
    whole = text.encode(errors="surrogateescape")
    if b"".join(pieces) != whole:
        return None
    lengths, end, word = [0] * len(words), 0, 0
    for piece in pieces:
        # A space belongs to the word behind it if its token goes on, else to that before it.
        word += whole.count(b" ", max(end - 1, 0), end + len(piece) - 1)
        end += len(piece)
        lengths[word] += 1
    return lengths if all(lengths) else None


def _parts(widths: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges of words whose ``widths`` fit side by side: as few as there must be, and about
    equally wide."""
    fewest = len(_filled(widths, WIDEST))
    limit = sum(widths) // fewest
    while limit < WIDEST and len(_filled(widths, limit)) > fewest:
        limit += 1
    return _filled(widths, limit)


def _filled(widths: Sequence[int], limit: int) -> list[tuple[int, int]]:
    parts, first, taken = [], 0, 0
    for place, width in enumerate(widths):
        if place > first and taken + width > limit:
            parts.append((first, place))
            first, taken = place, 0
        taken += width
    return [*parts, (first, len(widths))]
