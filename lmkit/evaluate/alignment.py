"""Which words of one line stand for which words of another.

Two lines are aligned at their equal words, with the fewest substitutions, insertions and
deletions (Levenshtein 1966; of equally few, substitutions), so that lines with as many words are
compared place by place unless another way needs fewer. What lies between two equal words is
then cut into segments of 1:1, 1:n and n:1 words by the distances of their letters, since a
corrector splits words and joins them. ``R`` and ``H`` are the numbers of reference and other
words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

WIDEST_BAND = 256
"""Words that a line may have run ahead of the other: bounds the work on lines without end."""
FINE_CELLS = 400
"""Regions with more pairs of words than this are one segment."""
LONGEST_JOIN = 4
"""Words that one word may stand for inside a segment."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Reference words ``first`` to ``last`` (exclusive), and the words that stand there
    instead. A segment without reference words holds words that are one too many."""

    first: int
    last: int
    words: tuple[str, ...]


def aligned(reference: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """The pairs of places (in ``reference``, in ``other``) of words that are equal and stand for
    each other, ascending."""
    start = 0
    shortest = min(len(reference), len(other))
    while start < shortest and reference[start] == other[start]:
        start += 1
    end = 0
    while end < shortest - start and reference[-1 - end] == other[-1 - end]:
        end += 1
    inner = _matches(reference[start : len(reference) - end], other[start : len(other) - end])
    return [
        *((place, place) for place in range(start)),
        *((row + start, column + start) for row, column in inner),
        *((len(reference) - back, len(other) - back) for back in range(end, 0, -1)),
    ]


def segments(reference: Sequence[str], other: Sequence[str]) -> list[Segment]:
    """``reference`` and ``other`` cut into pieces that stand for each other, in their order."""
    found: list[Segment] = []
    row = column = 0
    for next_row, next_column in [*aligned(reference, other), (len(reference), len(other))]:
        if row < next_row or column < next_column:
            between = reference[row:next_row], other[column:next_column]
            found += (
                Segment(row + first, row + last, tuple(words))
                for first, last, words in _cut(*between)
            )
        if next_row < len(reference):
            found.append(Segment(next_row, next_row + 1, (other[next_column],)))
        row, column = next_row + 1, next_column + 1
    return found


def _matches(reference: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Places of equal words on a path of the fewest edits; the band is widened until no path
    outside of it can be shorter (Ukkonen 1985)."""
    if not reference or not other:
        return []
    band = 4
    while True:
        cost, path = _banded(reference, other, band)
        # To leave the band, a path needs that many insertions and as many deletions to return.
        if cost <= 2 * band or band >= min(WIDEST_BAND, max(len(reference), len(other))):
            return path
        band *= 4


def _banded(
    reference: Sequence[str], other: Sequence[str], band: int
) -> tuple[int, list[tuple[int, int]]]:
    """The number of edits, and the equal words, of the best path at most ``band`` insertions or
    deletions off the diagonals that lead from corner to corner."""
    shift = len(other) - len(reference)
    lowest, highest = min(0, shift) - band, max(0, shift) + band
    width = highest - lowest + 1
    far = len(reference) + len(other) + 1
    row_costs = [
        place + lowest if 0 <= place + lowest <= len(other) else far for place in range(width)
    ]
    moves: list[bytearray] = []
    for row, word in enumerate(reference, 1):
        costs = [far] * width
        taken = bytearray(width)
        left = far
        for place in range(max(0, -lowest - row), min(width, len(other) - lowest - row + 1)):
            column = place + lowest + row
            best, move = far, 0
            if column:
                same = other[column - 1] == word
                best, move = row_costs[place] + (not same), 3 if same else 0
            if place + 1 < width and row_costs[place + 1] + 1 < best:
                best, move = row_costs[place + 1] + 1, 1
            if column and left + 1 < best:
                best, move = left + 1, 2
            costs[place] = left = best
            taken[place] = move
        row_costs = costs
        moves.append(taken)
    return row_costs[shift - lowest], _traced(moves, len(reference), len(other), lowest)


def _traced(moves: list[bytearray], row: int, column: int, lowest: int) -> list[tuple[int, int]]:
    path = []
    while row and column:
        move = moves[row - 1][column - row - lowest]
        if move == 3:
            path.append((row - 1, column - 1))
        row -= move != 2
        column -= move != 1
    return path[::-1]


def _cut(
    reference: Sequence[str], other: Sequence[str]
) -> Iterator[tuple[int, int, Sequence[str]]]:
    """Pieces of a region without equal words: (first, last, words)."""
    rows, columns = len(reference), len(other)
    if rows == columns and (rows == 1 or rows * columns > FINE_CELLS):
        yield from ((place, place + 1, [word]) for place, word in enumerate(other))
        return
    if min(rows, columns) < 2 or rows * columns > FINE_CELLS:
        yield 0, rows, other
        return
    best: dict[tuple[int, int], tuple[float, int, int]] = {(0, 0): (0.0, 0, 0)}
    for row in range(rows + 1):
        for column in range(columns + 1):
            steps = [
                (best[row - up, column - back][0] + cost, up, back)
                for up, back in _steps(row, column)
                if (row - up, column - back) in best
                and (cost := _cost(reference[row - up : row], other[column - back : column])) >= 0
            ]
            if steps:
                best[row, column] = min(steps)
    row, column = rows, columns
    pieces = []
    while row or column:
        _, up, back = best[row, column]
        pieces.append((row - up, row, other[column - back : column]))
        row, column = row - up, column - back
    yield from reversed(pieces)


def _steps(row: int, column: int) -> Iterator[tuple[int, int]]:
    joins = range(1, LONGEST_JOIN + 1)
    yield from ((1, back) for back in (0, *joins) if row and back <= column)
    yield from ((up, 1) for up in (0, *joins[1:]) if column and up <= row)


def _cost(reference: Sequence[str], other: Sequence[str]) -> float:
    """Letters to change, one more for each space put in or taken out."""
    joined, written = "".join(reference), "".join(other)
    spaces = abs(len(reference) - len(other))
    return _distance(joined, written) + spaces


@lru_cache(1 << 16)
def _distance(one: str, other: str) -> int:
    """Levenshtein's distance of two strings."""
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        costs = [row]
        for column, against in enumerate(other, 1):
            costs.append(
                min(
                    before[column - 1] + (letter != against),
                    before[column] + 1,
                    costs[-1] + 1,
                )
            )
        before = costs
    return before[-1]
