"""A comparison for people: the table, learning curves and what else must be known to read it.

The table is as wide as the terminal allows, 80 columns at least; what does not fit is in the
formats for programs and in the database.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from lmkit.cli.layout import ELLIPSIS, display_width, megabytes, text

if TYPE_CHECKING:
    from lmkit.evaluate.results import Comparison, ModelResult

WIDTH = 80
LONGEST_NAME = 24
MOST_CROSSINGS = 10
NOTHING = "-"
UNITS = {"word": "words", "subword": "subwords", "character": "characters", "byte": "bytes"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table. Where it gets too wide the columns with the highest ``drop`` go
    first; 0 stays."""

    title: str
    cell: Callable[[ModelResult], str]
    drop: int = 0
    left: bool = False


def table_columns(comparison: Comparison) -> list[Column]:
    """The columns in their order; some only where there is something to tell."""
    rows = comparison.ranked
    grouped = len({row.group for row in rows}) > 1
    mixed = len({row.unit for row in rows}) > 1
    columns = [
        Column("#", lambda row: str(row.rank)),
        Column("model", lambda row: text(row.name), left=True),
        Column("size", lambda row: short_count(row.size), 2),
        Column("file", lambda row: file_size(row.file_bytes), 6),
        Column("train", lambda row: duration(row.training_seconds), 1),
        Column("chars/s" if mixed else "tokens/s", _speed(mixed), 5),
        Column("unk", lambda row: short_count(row.oovs), 3),
        Column("ppl", lambda row: perplexity(row, grouped)),
        Column("bits/char", lambda row: fixed(row.bits_per_character)),
    ]
    if mixed:
        columns[6:6] = [Column("tokens", lambda row: short_count(row.tokens), 7)]
        columns.append(Column("bits/byte", lambda row: fixed(row.bits_per_byte), 8))
    if any(row.seeds for row in rows):
        columns.append(Column("seeds", _spread))
    if any(row.minimal_pairs for row in rows):
        columns.append(Column("pairs", _pairs))
    return [
        *columns,
        Column("to best", _difference),
        Column("95 %", _interval, 4),
        Column("p", _p_value),
    ]


def table(comparison: Comparison, width: int) -> list[str]:
    """The lines of the table of all models that have figures: as many columns as fit into
    ``width``, which counts as 80 at least, and names cut if that is not enough."""
    columns = table_columns(comparison)
    while True:
        cells = [[column.cell(row) for column in columns] for row in comparison.ranked]
        lines = aligned([c.title for c in columns], cells, [c.left for c in columns])
        over = display_width(lines[1]) - max(width, WIDTH)
        last = max(columns, key=lambda column: column.drop)
        if over <= 0:
            return lines
        if not last.drop:
            break
        columns.remove(last)
    longest = max(len(row[1]) for row in cells) - over
    cells = [[rank, cut(name, longest), *rest] for rank, name, *rest in cells]
    return aligned([c.title for c in columns], cells, [c.left for c in columns])


def aligned(
    titles: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[bool]
) -> list[str]:
    """Lines of cells under their titles."""
    widths = [
        max(map(display_width, column), default=0) for column in zip(titles, *rows, strict=True)
    ]
    lines = [titles, ["-" * width for width in widths], *rows]
    return [
        "  ".join(_pad(*one) for one in zip(line, widths, left, strict=True)).rstrip()
        for line in lines
    ]


def markdown(comparison: Comparison) -> list[str]:
    """The whole table in Markdown."""
    columns = table_columns(comparison)
    lines = [[column.title for column in columns]]
    lines.append([":---" if column.left else "---:" for column in columns])
    lines += [
        [column.cell(row).replace("|", "\\|") for column in columns] for row in comparison.ranked
    ]
    return ["| " + " | ".join(line) + " |" for line in lines]


def curve_table(comparison: Comparison) -> list[str]:
    """Bits per character of each model by the part of the text it was trained on, and the law."""
    shares = sorted({point.share for curve in comparison.curves for point in curve.points})
    titles = ["bits/char after", *(f"{100 * share:g} %" for share in shares), "power law"]
    cells = []
    for curve in comparison.curves:
        bits = {point.share: point.bits_per_character for point in curve.points}
        law = NOTHING
        if curve.law is not None:
            limit = f"{curve.law.limit:.2f} + " if curve.law.identified else ""
            law = f"{limit}{curve.law.scale:.3g} n^-{curve.law.exponent:.3f}"
        cells.append(
            [cut(curve.name, LONGEST_NAME), *(fixed(bits.get(share)) for share in shares), law]
        )
    return aligned(titles, cells, [True, *(False for _ in shares), True])


def remarks(comparison: Comparison) -> list[str]:
    """What must be known to read the table."""
    facts = comparison.corpus
    trained = f"trained on {facts.train.tokens:,} words, " if facts.train.tokens else ""
    said = [
        f"{facts.name}: {trained}tested on "
        f"{facts.test.tokens:,} words ({facts.reference_characters:,} characters)"
    ]
    if facts.rule is not None:
        said.append(f"splits: {facts.rule}")
    if facts.overlap:
        lines = "line stands" if facts.overlap == 1 else "lines stand"
        done = "left out" if facts.dropped else "--drop-overlap leaves them out"
        said.append(f"{facts.overlap:,} test {lines} in the training text too ({done})")
    return said


def legend(comparison: Comparison, width: int) -> list[str]:
    """How to read the columns; only of what is there. Lines are no longer than ``width``, which
    counts as 80 at least."""
    rows = comparison.ranked
    said = []
    if any(row.difference is not None for row in rows):
        said.append("to best: difference in bits/char, 95 % interval; p: paired permutation test")
    groups: dict[str, ModelResult] = {}
    for row in rows:
        groups.setdefault(row.group or "", row)
    unknown = [
        _unknown(row) + (f" ({letter})" if len(groups) > 1 else "")
        for letter, row in groups.items()
    ]
    if len(groups) > 1:
        said.append("ppl: perplexities can be compared only between rows with the same letter")
    said.append(f"unknown, paid for: {', '.join(unknown)}")
    pairs = next((row.pairs_accuracy for row in rows if row.minimal_pairs), None)
    if pairs is not None:
        said.append(f"pairs: part of {pairs.pairs:,} minimal pairs whose good sentence is likelier")
    carrying = [row.name for row in rows if row.state == "carry"]
    if carrying:
        said.append(f"state carried from line to line: {', '.join(carrying)}")
    if any(row.seeds for row in rows):
        said.append("seeds: bits/char is the mean of several trainings, ± their deviation")
    return [line for one in said for line in wrap(one, max(width, WIDTH), subsequent_indent="  ")]


def _unknown(row: ModelResult) -> str:
    tokens = (row.tokens or 0) - (row.sentences or 0)
    return f"{row.oovs:,} of {tokens:,} {UNITS.get(row.unit or '', 'tokens')}"


def crossing_lines(comparison: Comparison) -> list[str]:
    """Where one model overtakes another; of many, the first ones."""
    shown = comparison.crossings[:MOST_CROSSINGS]
    more = len(comparison.crossings) - len(shown)
    return [
        *(
            f"{one.winner} overtakes {one.loser} at about {short_count(one.characters)} characters"
            for one in shown
        ),
        *([f"and {more} more such places: --json has them all"] if more else []),
    ]


def _speed(mixed: bool) -> Callable[[ModelResult], str]:
    """Of scoring: in tokens a second, in characters where tokens are of several units."""

    def cell(row: ModelResult) -> str:
        speed = row.scoring_tokens_per_second
        if mixed and speed is not None and row.tokens and row.characters:
            speed *= row.characters / row.tokens
        return short_count(speed)

    return cell


def perplexity(row: ModelResult, grouped: bool) -> str:
    """With the letter of its group where there is more than one."""
    value = row.perplexity
    if value is None:
        return NOTHING
    if math.isinf(value) or value >= 1e5:
        shown = f"{value:.3g}"
    else:
        shown = f"{value:.{2 if value < 100 else 1 if value < 1000 else 0}f}"
    return f"{shown} {row.group}" if grouped else shown


def short_count(value: float | None) -> str:
    """1234567 as 1.23M."""
    if value is None:
        return NOTHING
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}"


def file_size(size: int | None) -> str:
    """Of a model file, for people."""
    return NOTHING if size is None else megabytes(size)


def duration(seconds: float | None) -> str:
    """For people: 0.1s, 12s, 3m20s, 1h05m."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def fixed(value: float | None) -> str:
    """Bits per character."""
    if value is None:
        return NOTHING
    return f"{value:.4f}" if math.isfinite(value) else "inf"


def _difference(row: ModelResult) -> str:
    found = row.difference
    if found is None:
        return "best" if row.rank == 1 else NOTHING
    half = f"{(found.high - found.low) / 2:.3f}"
    return f"{found.bits_per_character:+.3f}±{half.removeprefix('0')}"


def _spread(row: ModelResult) -> str:
    return "" if row.spread is None else f"±{row.spread:.3f}"


def _pairs(row: ModelResult) -> str:
    found = row.pairs_accuracy
    return NOTHING if found is None else f"{found.accuracy:.3f}"


def _interval(row: ModelResult) -> str:
    found = row.difference
    return "" if found is None else f"{found.low:+.3f}..{found.high:+.3f}"


def _p_value(row: ModelResult) -> str:
    if row.difference is None:
        return ""
    value = row.difference.p_value
    return "<.001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)


def _pad(cell: str, width: int, left: bool) -> str:
    space = " " * (width - display_width(cell))
    return cell + space if left else space + cell


def cut(name: str, longest: int) -> str:
    """``name``, its end left out where it is too long."""
    longest = max(longest, 5)
    return name if len(name) <= longest else name[: longest - 1] + ELLIPSIS
