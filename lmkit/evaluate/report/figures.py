"""The figures of a report: bars, what quality costs, learning curves, training curves.

Every figure says in words what it shows, for those who cannot see it; all numbers in it stand in
the tables of the report too. Bits are base 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.evaluate.report import words
from lmkit.evaluate.report.svg import COLOURS, ROLES, Drawing, drawing, series, style
from lmkit.evaluate.results import Crossing, LearningCurve, ModelResult
from lmkit.measures import LN2

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.2
"""Inches, of which a page has about as many."""
LONGEST_NAME = 34
LABEL = 15.0
"""Points of print between the middles of two labels that just do not touch."""
MARKERS = "osD^vPX*"
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)))


def bars(rows: Sequence[ModelResult]) -> Drawing:
    """Bits per character of each model, best first, with intervals."""
    with style():
        figure = figure_of(0.34 * len(rows) + 0.75)
        axes = figure.subplots()
        values = [_bits(row) for row in rows]
        lows = [_or(row.bits_low, value) for row, value in zip(rows, values, strict=True)]
        highs = [_or(row.bits_high, value) for row, value in zip(rows, values, strict=True)]
        places = np.arange(len(rows))
        colours = [ROLES["accent"] if row.rank == 1 else ROLES["bar"] for row in rows]
        axes.barh(places, values, height=0.62, color=colours)
        below = [max(value - low, 0) for value, low in zip(values, lows, strict=True)]
        above = [max(high - value, 0) for value, high in zip(values, highs, strict=True)]
        axes.errorbar(
            values, places, xerr=[below, above], fmt="none", ecolor=ROLES["ink"], elinewidth=1.1,
            capsize=2.5,
        )  # fmt: skip
        right = max([*highs, 0.01])
        for place, row, value, high in zip(places, rows, values, highs, strict=True):
            for result in row.seeds:
                axes.plot(
                    result.bits_per_character, place + 0.22, "o", ms=2.6, color=ROLES["ink"],
                    mfc=ROLES["paper"], mew=0.7,
                )  # fmt: skip
            axes.annotate(
                _label(row, value), (high, place), xytext=(6, 0), textcoords="offset points",
                va="center", fontsize=8.5,
            )  # fmt: skip
        axes.set_yticks(places, [shortened(row.name) for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, right * 1.3)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("bits per character of the test text, unknown words paid for")
        said = "; ".join(f"{row.name} {words.bits(row.bits_per_character)}" for row in rows)
        return drawing(
            figure,
            "bars",
            "Bits per character of each model, with 95 % intervals",
            f"Bars, the shorter the better. {said}.",
        )


def costs(rows: Sequence[ModelResult]) -> Drawing | None:
    """Bits per character against training time, and against the size of the file; None where
    neither is known of two models."""
    panels: list[tuple[str, Callable[[ModelResult], float | None], Callable[[float], str]]] = [
        ("training time", lambda row: row.training_seconds, words.round_seconds),
        ("size of the model file", lambda row: row.file_bytes, words.round_size),
    ]
    known = [
        (title, [(row, _positive(of(row))) for row in rows], shown) for title, of, shown in panels
    ]
    known = [
        (title, [point for point in points if point[1] is not None], shown)
        for title, points, shown in known
    ]
    known = [panel for panel in known if len(panel[1]) > 1]
    if not known:
        return None
    with style():
        figure = figure_of(3.1)
        panes = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
        for axes, (title, points, shown) in zip(panes, known, strict=True):
            _scatter(axes, points, shown)
            axes.set_title(title)
        panes[0].set_ylabel("bits per character")
        named = "; ".join(
            f"{row.rank} {row.name}: {words.bits(row.bits_per_character)} bits,"
            f" trained in {words.seconds(row.training_seconds)}, {words.size(row.file_bytes)}"
            for row in rows
        )
        return drawing(
            figure,
            "costs",
            "Bits per character against training time and against size",
            f"Each number is the rank of a model; lower and further left is better. {named}.",
        )


def _scatter(axes: Axes, points: Sequence[Any], shown: Callable[[float], str]) -> None:
    values = [value for _, value in points]
    bits = [_bits(row) for row, _ in points]
    # What nothing else beats in both: the best that a given cost buys.
    least, front = math.inf, []
    for value, bit in sorted(zip(values, bits, strict=True)):
        if bit < least:
            front.append((value, bit))
            least = bit
    log_axis(axes, values, shown)
    log_bits(axes, bits)
    axes.plot(*zip(*front, strict=True), drawstyle="steps-post", color=ROLES["bar"], lw=1.2)
    axes.plot(values, bits, "o", ms=2.5, color=ROLES["accent"], zorder=3)
    for (row, value), bit, (right, up) in zip(
        points, bits, _apart(axes, values, bits), strict=True
    ):
        axes.annotate(
            str(row.rank), (value, bit), xytext=(right, up), textcoords="offset points",
            ha="center", va="center", fontsize=7.5, zorder=4,
            bbox={"boxstyle": "circle,pad=0.25", "fc": ROLES["paper"], "ec": ROLES["accent"]},
            arrowprops={"arrowstyle": "-", "color": ROLES["accent"], "lw": 0.6},
        )  # fmt: skip


def _apart(axes: Axes, values: Sequence[float], bits: Sequence[float]) -> list[tuple[float, float]]:
    """How far each label stands off its point, in points of print, so that no two overlap: on
    it, else at the nearest free place around it."""
    figure = axes.get_figure()
    assert figure is not None
    figure.draw_without_rendering()  # type: ignore[union-attr]
    scale = 72 / figure.dpi
    places = axes.transData.transform(list(zip(values, bits, strict=True))) * scale
    ways = [(0.0, 0.0)] + [
        (radius * math.cos(angle * math.pi / 4), radius * math.sin(angle * math.pi / 4))
        for radius in (LABEL, 1.6 * LABEL, 2.4 * LABEL)
        for angle in (2, 1, 3, 0, 4, 6, 7, 5)
    ]
    taken: list[tuple[float, float]] = []
    found = []
    for x, y in places.tolist():
        way = next(
            (w for w in ways if all(math.dist((x + w[0], y + w[1]), t) > LABEL for t in taken)),
            ways[-1],
        )
        taken.append((x + way[0], y + way[1]))
        found.append(way)
    return found


def learning(
    curves: Sequence[LearningCurve], crossings: Sequence[Crossing], rows: Sequence[ModelResult]
) -> Drawing | None:
    """Bits per character over the length of the training text, with the fitted laws; None
    without curves. A model looks the same as in `training` of the same ``rows``."""
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return None
    with style():
        figure = figure_of(3.9 + 0.17 * math.ceil(len(curves) / 3))
        axes = figure.subplots()
        for curve in curves:
            number = _number(curve.name, rows)
            points = sorted(curve.points, key=lambda point: point.characters)
            sizes = [float(point.characters) for point in points]
            axes.plot(
                sizes, [point.bits_per_character for point in points], ms=4.5,
                label=shortened(curve.name), **look(number),
            )  # fmt: skip
            if curve.law is not None:
                wide = np.geomspace(sizes[0], sizes[-1] * 4, 40)
                law = [curve.law.at(size) for size in wide]
                axes.plot(wide, law, color=series(number), lw=0.8, ls=(0, (1, 2)))
        for crossing in crossings:
            axes.axvline(crossing.characters, color=ROLES["muted"], lw=0.6, ls=(0, (2, 2)))
        sizes = [float(point.characters) for curve in curves for point in curve.points]
        log_axis(axes, [*sizes, max(sizes) * 4], thousands)
        log_bits(axes, [p.bits_per_character for curve in curves for p in curve.points])
        axes.set_xlabel("characters of training text")
        axes.set_ylabel("bits per character")
        legend(figure, axes, len(curves))
        said = "; ".join(
            f"{curve.name} from {words.bits(curve.points[0].bits_per_character)} at"
            f" {words.whole(curve.points[0].characters)} characters to"
            f" {words.bits(curve.points[-1].bits_per_character)} at"
            f" {words.whole(curve.points[-1].characters)}"
            for curve in curves
        )
        return drawing(
            figure,
            "learning",
            "Learning curves: bits per character by the length of the training text",
            f"{said}. Dotted: the fitted power laws, beyond the data too.",
        )


def training(rows: Sequence[ModelResult]) -> Drawing | None:
    """Training and validation loss of the networks over the epochs, a panel for each unit; None
    where no network was trained."""
    drawn = [(row, *_losses(row)) for row in rows if row.training_curve]
    drawn = [entry for entry in drawn if entry[1] or entry[2]]
    if not drawn:
        return None
    units = list(dict.fromkeys(row.unit or "token" for row, _, _ in drawn))
    with style():
        figure = figure_of(3.0 + 0.17 * math.ceil(len(drawn) / 3))
        panes = figure.subplots(1, len(units), squeeze=False)[0]
        for axes, unit in zip(panes, units, strict=True):
            for row, train, valid in drawn:
                if (row.unit or "token") != unit:
                    continue
                number = _number(row.name, rows)
                colour = series(number)
                name = shortened(row.name)
                if train:
                    axes.plot(*zip(*train, strict=True), color=colour, lw=0.8, alpha=0.75,
                              label=None if valid else name)  # fmt: skip
                if valid:
                    axes.plot(*zip(*valid, strict=True), ms=4, label=name, **look(number))
            axes.set_title(f"models of {unit}s")
            axes.set_xlabel("epochs")
        panes[0].set_ylabel("bits per token")
        legend(figure, panes, len(drawn))
        said = "; ".join(
            f"{row.name} ends at {(valid or train)[-1][1]:.2f} bits a {row.unit or 'token'}"
            for row, train, valid in drawn
        )
        return drawing(
            figure,
            "training",
            "Training curves: loss by epoch",
            f"Thin lines: training text. Lines with marks: held-out text. {said}.",
        )


def _losses(row: ModelResult) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(epoch, bits a token) of the training loss and of the validation loss."""
    found: dict[str, list[tuple[float, float]]] = {"loss": [], "valid_loss": []}
    for number, entry in enumerate(row.training_curve, 1):
        for key, points in found.items():
            loss = entry.get(key)
            if loss is not None and math.isfinite(loss):
                points.append((float(entry.get("epoch") or number), loss / LN2))
    return found["loss"], found["valid_loss"]


def figure_of(height: float) -> Figure:
    """An empty one, as wide as the page."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def _number(name: str, rows: Sequence[ModelResult]) -> int:
    """The place of a model among ``rows``, which says how its lines look."""
    return next((place for place, row in enumerate(rows) if row.name == name), len(rows))


def look(number: int) -> dict[str, Any]:
    """Colour, marker and dashes of a line: no two lines of a figure look the same."""
    return {
        "color": series(number),
        "marker": MARKERS[number % len(MARKERS)],
        "ls": DASHES[number // COLOURS % len(DASHES)],
    }


def legend(figure: Figure, panes: Any, count: int) -> None:
    """The names of ``count`` lines below the ``panes`` of ``figure``."""
    found = [pane.get_legend_handles_labels() for pane in np.atleast_1d(panes)]
    handles = [handle for part, _ in found for handle in part]
    labels = [label for _, part in found for label in part]
    figure.legend(handles, labels, loc="outside lower left", ncols=min(3, count), numpoints=1)


def log_axis(axes: Axes, values: Sequence[float], shown: Callable[[float], str]) -> None:
    """A log scale for ``values`` whose ticks are as ``shown`` writes them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(values), max(values)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.6, high * 1.6)
    decades = math.log10(high / low * 2.56)
    steps = (1.0, 2.0, 5.0) if decades < 2 else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)


def log_bits(axes: Axes, bits: Sequence[float]) -> None:
    """A log scale of bits per character that holds ``bits``: one model that knows nothing does
    not press the others together."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(bits), max(bits)
    room = (high / low) ** 0.12 * 1.02
    axes.set_yscale("log")
    axes.set_ylim(low / room, high * room)
    ratio = high / low * room**2
    steps = (
        np.arange(1, 10, 0.1) if ratio < 1.6 else np.arange(1, 10, 0.2) if ratio < 2.5
        else np.arange(1, 10, 0.5) if ratio < 5 else (1.0, 2.0, 3.0, 5.0, 7.0)
    )  # fmt: skip
    axes.yaxis.set_major_locator(LogLocator(subs=tuple(map(float, steps)), numticks=100))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", which="minor", length=0)


def thousands(value: float) -> str:
    """1,000 as 1k, a million as 1M."""
    for scale, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale:
            return f"{value / scale:g}{letter}"
    return f"{value:g}"


def _label(row: ModelResult, value: float) -> str:
    shown = words.bits(value)
    if row.group is not None and row.perplexity is not None:
        shown += f" · ppl {words.perplexity(row.perplexity)} ({row.group})"
    return shown


def shortened(name: str) -> str:
    """A name that fits into a figure."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _bits(row: ModelResult) -> float:
    assert row.bits_per_character is not None
    return row.bits_per_character


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _positive(value: float | None) -> float | None:
    return None if value is None or not value > 0 else float(value)
