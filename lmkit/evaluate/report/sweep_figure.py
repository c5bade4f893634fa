"""The figure of a sweep: bits per character over the values of an option, a line a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lmkit.evaluate.report import words
from lmkit.evaluate.report.figures import (
    figure_of,
    legend,
    log_axis,
    log_bits,
    look,
    shortened,
    thousands,
)
from lmkit.evaluate.report.svg import Drawing, drawing, series, style
from lmkit.evaluate.results import Comparison, ModelResult, SweepLine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE = 8.0
"""From this ratio of the largest value to the smallest on, the axis is logarithmic."""
MOST_OTHERS = 4
MOST_TICKS = 10
AXES = {"tokenizer": "tokens in the vocabulary"}
"""What the numbers of an option are, where its name does not say it."""


def sweep(comparison: Comparison) -> Drawing | None:
    """Bits per character of each line of the sweep; upright values, where they are no numbers, in
    the order asked for. Models that are not swept are level lines. None without a sweep."""
    lines = comparison.sweep
    if not lines:
        return None
    others = _others(comparison)
    with style():
        figure = figure_of(3.6 + 0.17 * ((len(lines) + len(others) + 2) // 3))
        axes = figure.subplots()
        places = _places(axes, comparison)
        for number, line in enumerate(lines):
            points = [(places[point.label], point.bits_per_character) for point in line.points]
            axes.plot(*zip(*sorted(points), strict=True), ms=4.5, label=shortened(line.name),
                      **look(number))  # fmt: skip
        for number, row in enumerate(others, len(lines)):
            assert row.bits_per_character is not None
            axes.axhline(
                row.bits_per_character, color=series(number), lw=1.0, ls=(0, (1, 1.5)),
                label=shortened(row.name),
            )  # fmt: skip
        bits = [point.bits_per_character for line in lines for point in line.points]
        log_bits(axes, [*bits, *(row.bits_per_character or 0 for row in others)])
        axes.set_ylabel("bits per character")
        legend(figure, axes, len(lines) + len(others))
        key = lines[0].key.replace("_", "-")
        return drawing(
            figure,
            "sweep",
            f"Bits per character by {key}",
            f"{_said(lines)}." + (f" Level: {_levels(others)}." if others else ""),
        )


def _places(axes: Axes, comparison: Comparison) -> dict[str, float]:
    """Where each value stands on the axis, which is told so."""
    points = [point for line in comparison.sweep for point in line.points]
    labels = comparison.sweep_labels
    key = comparison.sweep[0].key
    numbers = {point.label: point.number for point in points if point.number is not None}
    if len(numbers) < len(labels):
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlabel(key.replace("_", "-"))
        return {label: float(place) for place, label in enumerate(labels)}
    values = list(numbers.values())
    if min(values) > 0 and max(values) >= WIDE * min(values):
        log_axis(axes, values, thousands)
    if len(labels) <= MOST_TICKS:
        axes.set_xticks(values, [thousands(value) for value in values])
    axes.set_xlabel(AXES.get(key, key.replace("_", "-")))
    return numbers


def _others(comparison: Comparison) -> Sequence[ModelResult]:
    """The best of the models that are not part of the sweep."""
    swept = {point.model for line in comparison.sweep for point in line.points}
    return [row for row in comparison.ranked if row.name not in swept][:MOST_OTHERS]


def _said(lines: Sequence[SweepLine]) -> str:
    return "; ".join(
        f"{line.name}: "
        + ", ".join(f"{words.bits(one.bits_per_character)} at {one.label}" for one in line.points)
        for line in lines
    )


def _levels(others: Sequence[ModelResult]) -> str:
    return "; ".join(f"{row.name} {words.bits(row.bits_per_character)}" for row in others)
