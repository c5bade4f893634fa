"""``lmkit counts``: what follows a context."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import model_argument
from lmkit.cli.output import Format, output_formats, write_rows

if TYPE_CHECKING:
    from lmkit.ngram.model import NgramModel


@command()
@model_argument
@click.argument("context", metavar="CONTEXT")
@click.option(
    "--top", type=click.IntRange(min=1), default=20, metavar="N", help="How many tokens to list."
)
@click.option("--prefix", metavar="TEXT", default="", help="Only words that begin with TEXT.")
@output_formats
@pass_console
def counts(console: Console, model: Path, context: str, top: int, prefix: str, fmt: Format) -> None:
    """List the likeliest tokens after a context, with counts.

    CONTEXT stands anywhere in a sentence, unless it begins with <s>; "" is no context
    at all. The order is that of the longest n-gram that ends CONTEXT with the token, and
    count how often that n-gram was seen; a model without counts leaves it empty.

    With --prefix the tokens are what a keyboard would offer: words that go on as typed.
    (Subwords: " w" for the beginning of a word, "w" for one that goes on.)

    Example:

        lmkit counts model.lm "the" --top 10
        lmkit counts model.lm "the" --prefix w --top 3
        lmkit counts model.lm "<s>" --json
    """
    from lmkit.api import load
    from lmkit.cli.ngrams_only import refuse_ends, require_ngrams
    from lmkit.ngram.explain import continuations, split_context

    opened = require_ngrams(load(model), model)
    _, rest = split_context(context)
    refuse_ends(opened, rest, "<s> only at the beginning of CONTEXT, and no </s>")
    found = continuations(opened, context, top, prefix)
    unknown = _unknown(opened, context)
    if unknown:
        console.remark(f"not in the vocabulary: {', '.join(unknown)}")
    rows = [(row.token, row.count, row.probability, row.order) for row in found]
    write_rows(console, rows, ["token", "count", "probability", "order"], fmt)


def _unknown(model: NgramModel, context: str) -> list[str]:
    """The words of ``context`` that the model does not know, once each."""
    from lmkit.ngram.explain import split_context

    batch = model.batch(split_context(context)[1])
    return [] if batch.unknown is None else list(batch.unknown.spellings)
