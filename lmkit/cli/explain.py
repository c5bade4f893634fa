"""``lmkit explain``: how each probability of a sentence comes about."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import model_argument
from lmkit.cli.output import Format, output_formats, write_rows


@command()
@model_argument
@click.argument("sentence", metavar="SENTENCE")
@output_formats
@pass_console
def explain(console: Console, model: Path, sentence: str, fmt: Format) -> None:
    """Show how each probability comes about, order by order.

    For each token of SENTENCE under MODEL, from the unigram up: the context of that order, what
    was found of it (the n-gram, only the context, or nothing), the count of the n-gram of
    all that followed the context, and the formula with its numbers: the share that the
    n-gram keeps after discounting, plus what the context leaves to the order below; or,
    where the n-gram was not seen, the backoff weight times the order below. Kneser-Ney's
    lower orders count distinct contexts. The last line of each token is its probability.

    Example:

        lmkit explain model.lm "the cat"
    """
    from lmkit.api import load
    from lmkit.cli.ngrams_only import require_ngrams
    from lmkit.ngram.explain import Step
    from lmkit.ngram.explain import explain as steps_of

    steps = steps_of(require_ngrams(load(model), model), sentence)
    if fmt != "table":
        names = ["position", *(field.name for field in fields(Step))]
        rows = [
            (position, *astuple(step)) for position, token in enumerate(steps, 1) for step in token
        ]
        write_rows(console, rows, names, fmt)
        return
    for token in steps:
        console.write_line(console.style(token[0].token, bold=True))
        widest = max(len(step.context) for step in token)
        for step in token:
            seen = "" if step.count is None or step.total is None else f"{step.count}/{step.total}"
            console.write_line(
                f"  {step.order}  {step.context.rjust(widest)}  {step.found:8}"
                f"  {seen:>14}  {step.formula}"
            )
