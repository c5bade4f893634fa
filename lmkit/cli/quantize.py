"""``lmkit quantize``: a smaller file for the same network."""

from __future__ import annotations

from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.network_info import require_network
from lmkit.cli.options import model_argument, output_option, reading_options, special_tokens_option
from lmkit.cli.output import Format, output_formats
from lmkit.cli.paths import InputPath
from lmkit.cli.sizes import write_sizes


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
@click.option("--valid", type=InputPath(), metavar="FILE", help="Text to measure both models on.")
@special_tokens_option
@reading_options
@output_formats
@pass_console
def quantize(
    console: Console,
    model: Path,
    output: Path,
    sparsity: float | None,
    keep_float: bool,
    valid: str | None,
    special_tokens: str | None,
    encoding: str | None,
    errors: str,
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
    from lmkit.neural.tools.compression import pruned, quantized
    from lmkit.store.targets import writing

    with writing(output, {"MODEL": model, "--valid": valid}):
        old = require_network(load(model), "lmkit quantize")
        new = old if sparsity is None else pruned(old, sparsity)
        new = new if keep_float else quantized(new)
        new.save(output)
    write_sizes(
        console, [model, output], valid, fmt, encoding, errors=errors, special_tokens=special_tokens
    )
