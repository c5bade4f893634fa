"""Networks before and after: what each takes, how fast it is, how well it predicts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmkit.cli.console import Console
from lmkit.cli.layout import megabytes
from lmkit.cli.output import Format, write_rows
from lmkit.cli.progress import ProgressBars

if TYPE_CHECKING:
    from lmkit.text.reading import Source

COLUMNS = ["model", "bytes", "perplexity", "tokens_per_second"]


def write_sizes(
    console: Console,
    paths: Sequence[Path],
    valid: str | None,
    fmt: Format = "table",
    encoding: str | None = None,
    **reading: Any,
) -> None:
    """A row a model: the size of its file, and, on the text ``valid``, its perplexity and its
    speed in tokens a second."""
    from lmkit.text.encodings import encoded

    with ProgressBars(console) as bars:
        text = None if valid is None else encoded(Path(valid), encoding)
        rows = [_measured(path, text, reading, bars) for path in paths]
    if fmt == "table":
        rows = [[row[0], megabytes(row[1]), *map(_shown, row[2:])] for row in rows]
    write_rows(console, rows, COLUMNS, fmt)


def _measured(
    path: Path, valid: Source | None, reading: dict[str, Any], bars: ProgressBars
) -> list[Any]:
    size = path.stat().st_size
    if valid is None:
        return [str(path), size, None, None]
    from lmkit.api import load
    from lmkit.evaluate.perplexity import perplexity_of

    model = load(path)
    bar = bars.bar(path.name, "tokens")
    begun = time.perf_counter()
    figures, _ = perplexity_of(model, valid, progress=bar, **reading)
    return [str(path), size, figures.perplexity, figures.tokens / (time.perf_counter() - begun)]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"
