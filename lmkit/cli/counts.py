"""``lmkit counts``: what follows a context."""

from __future__ import annotations

from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import model_argument
from lmkit.cli.output import Format, output_formats, write_rows


@command()
@model_argument
@click.argument("context", metavar="CONTEXT")
@click.option(
    "--top", type=click.IntRange(min=1), default=20, metavar="N", help="How many tokens to list."
)
@output_formats
@pass_console
def counts(console: Console, model: Path, context: str, top: int, fmt: Format) -> None:
    """List the likeliest tokens after a context, with their counts.

    CONTEXT stands anywhere in a sentence, unless it begins with <s>; "" is no context
    at all. The order is that of the longest n-gram that ends CONTEXT with the token, and
    count how often that n-gram was seen; a model without counts leaves it empty.

    Example:

        lmkit counts model.lm "the" --top 10
    """
    from lmkit.api import load
    from lmkit.cli.ngrams_only import require_ngrams
    from lmkit.ngram.explain import continuations

    found = continuations(require_ngrams(load(model), model), context, top)
    rows = [(row.token, row.count, row.probability, row.order) for row in found]
    write_rows(console, rows, ["token", "count", "probability", "order"], fmt)
