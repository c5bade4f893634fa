"""The sweep of a comparison as a table: bits per character by the value of an option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmkit.cli.comparison_table import NOTHING, WIDTH, aligned, cut, fixed
from lmkit.cli.layout import display_width, text

if TYPE_CHECKING:
    from lmkit.evaluate.results import Comparison

LONGEST_NAME = 24
SMALL = "the text makes"


def sweep_table(comparison: Comparison, width: int) -> list[str]:
    """A row for each value and a column for each model, or the other way round if that is too
    wide for ``width`` (80 at least); then where each model is best."""
    titles, rows = _cells(comparison)
    lines = aligned(titles, rows, [True, *(False for _ in titles[1:])])
    if max(map(display_width, lines)) > max(width, WIDTH):
        titles, *rows = map(list, zip(titles, *rows, strict=True))
        lines = aligned(titles, rows, [True, *(False for _ in titles[1:])])
    return [*lines, *best_lines(comparison), *_small_lines(comparison)]


def sweep_markdown(comparison: Comparison) -> list[str]:
    """The same in Markdown, below an empty line; nothing where there is no sweep."""
    if not comparison.sweep:
        return []
    titles, rows = _cells(comparison, longest=None)
    marks = [":---", *("---:" for _ in titles[1:])]
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (titles, marks, *rows)]
    return ["", *("| " + " | ".join(line) + " |" for line in lines)]


def best_lines(comparison: Comparison) -> list[str]:
    """Where each model of the sweep is best."""
    return [
        f"{text(line.name)}: best at {best.label}, {fixed(best.bits_per_character)} bits/char"
        for line in comparison.sweep
        if len(line.points) > 1 and (best := line.best)
    ]


def _small_lines(comparison: Comparison) -> list[str]:
    """Which tokenizers are smaller than was asked for, since the text does not make more."""
    swept = {point.model: point.value for line in comparison.sweep for point in line.points}
    found = {
        f"{swept[row.name]}: {note}": None
        for row in comparison.ranked
        for note in row.notes
        if row.name in swept and note.startswith(SMALL)
    }
    return sorted(found)


def _cells(
    comparison: Comparison, longest: int | None = LONGEST_NAME
) -> tuple[list[str], list[list[str]]]:
    lines = comparison.sweep
    found = [{point.label: point.bits_per_character for point in line.points} for line in lines]
    labels = comparison.sweep_labels
    names = [text(line.name) for line in lines]
    if longest is not None:
        names = [cut(name, longest) for name in names]
    titles = [lines[0].key.replace("_", "-"), *names]
    return titles, [
        [label, *(fixed(bits[label]) if label in bits else NOTHING for bits in found)]
        for label in labels
    ]
