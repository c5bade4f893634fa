"""``lmkit quantize``: a smaller file for the same network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.layout import megabytes
from lmkit.cli.network_info import require_network
from lmkit.cli.options import model_argument, output_option
from lmkit.cli.output import Format, output_formats, write_rows


@command()
@model_argument
@output_option
@click.option(
    "--sparsity",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="P",
    help="First set this part of each matrix, its smallest entries, to zero.",
)
@click.option(
    "--keep-float", is_flag=True, help="Leave float32 entries as they are: with --sparsity."
)
@click.option("--valid", type=click.Path(), metavar="FILE", help="Text to measure both models on.")
@output_formats
@pass_console
def quantize(
    console: Console,
    model: Path,
    output: Path,
    sparsity: float | None,
    keep_float: bool,
    valid: str | None,
    fmt: Format,
) -> None:
    """Store the weights of a network in fewer bytes.

    The weights of MODEL become int8, each row of a matrix with a scale of its own;
    computing stays in float32. The table has the size of both files and, with --valid,
    their perplexity and speed.

    Example:

        lmkit train text.txt --backend lstm --epochs 2 --output lstm.lm
        lmkit quantize lstm.lm --output small.lm --valid text.txt
    """
    from lmkit.api import load
    from lmkit.neural.compression import pruned, quantized

    old = require_network(load(model), "lmkit quantize")
    new = old if sparsity is None else pruned(old, sparsity)
    new = new if keep_float else quantized(new)
    new.save(output)
    names = ["model", "bytes", "perplexity", "tokens_per_second"]
    rows = [_measured(path, valid) for path in (model, output)]
    if fmt == "table":
        rows = [[row[0], megabytes(row[1]), *(_shown(value) for value in row[2:])] for row in rows]
    write_rows(console, rows, names, fmt)


def _measured(path: Path, valid: str | None) -> list[Any]:
    size = path.stat().st_size
    if valid is None:
        return [str(path), size, None, None]
    from lmkit.api import load
    from lmkit.evaluate.perplexity import perplexity_of

    model = load(path)
    begun = time.perf_counter()
    figures, _ = perplexity_of(model, Path(valid))
    return [str(path), size, figures.perplexity, figures.tokens / (time.perf_counter() - begun)]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"
