"""``lmkit export``: models for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import model_argument, output_option


@command()
@model_argument
@output_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["arpa", "counts"]),
    default="arpa",
    help="arpa: probabilities in ARPA's backoff format; counts: n-grams and their counts.",
)
@pass_console
def export(console: Console, model: Path, output: Path, kind: str) -> None:
    """Write a model for other programs: KenLM, SRILM, decoders.

    OUTPUT is compressed as its name says (.gz, .bz2, .xz); - is standard output. A model
    scores the same there. Methods without a backoff form (maximum likelihood, Laplace,
    Lidstone, stupid backoff) have no ARPA file, and say why.

    Example:

        lmkit export model.lm --format arpa --output model.arpa
        lmkit export model.lm --format counts --output counts.tsv.gz
    """
    from lmkit.api import export_model, load
    from lmkit.cli.ngrams_only import require_ngrams

    opened = require_ngrams(load(model), model)
    export_model(opened, output, kind)
    if str(output) != "-":
        console.remark(f"{output}: {sum(opened.trie.sizes):,} n-grams")
