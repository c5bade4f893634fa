"""``lmkit export``: models for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import model_argument, output_option
from lmkit.cli.paths import InputPath


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
@click.option(
    "--valid",
    type=InputPath(path_type=Path),
    metavar="FILE",
    help="Of a mixture: say how far the one n-gram model that it becomes is off on FILE.",
)
@pass_console
def export(console: Console, model: Path, output: Path, kind: str, valid: Path | None) -> None:
    """Write a model for other programs: KenLM, SRILM, decoders.

    OUTPUT is compressed as its name says (.gz, .bz2, .xz); - is standard output. A model
    scores the same there. Methods without a backoff form (maximum likelihood, Laplace,
    Lidstone, stupid backoff) have no ARPA file, and say why. A linear mixture of n-gram
    models becomes one model first, as with lmkit mix --merge.

    Example:

        lmkit export model.lm --format arpa --output model.arpa
        lmkit export model.lm --format counts --output counts.tsv.gz
    """
    from lmkit.api import export_model, load, merge
    from lmkit.cli.ngrams_only import require_ngrams

    opened: Any = load(model)
    if opened.backend == "mixture":
        opened = merge(opened, valid=valid)
        for note in opened.facts["smoothing"]["notes"]:
            console.remark(f"merged: {note}")
    require_ngrams(opened, model)
    if str(output) == "-":
        export_model(opened, console.binary(), kind)
        return
    export_model(opened, output, kind)
    console.remark(f"{output}: {sum(opened.trie.sizes):,} n-grams")
