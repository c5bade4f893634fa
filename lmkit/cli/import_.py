"""``lmkit import``: models and counts that other programs made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.model_options import (
    check_method_options,
    ngram_options,
    say_held_out,
    text_settings,
    text_settings_options,
    valid_option,
)
from lmkit.cli.options import MemorySize, Years, output_option, reading_options
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars


@command("import")
@click.argument("file", type=InputPath(), metavar="FILE")
@output_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["arpa", "counts", "web1t", "google-books"]),
    help="What FILE is.  [default: by its name and first lines]",
)
@click.option(
    "--years",
    type=Years(),
    metavar="FROM-TO",
    help="Count only what was printed in these years (google-books): 1950-2000.",
)
@click.option(
    "--classes",
    type=InputPath(),
    metavar="DEFINITIONS",
    help="The words of the classes that FILE has n-grams of: lines CLASS p word, as SRILM's.",
)
@click.option(
    "--memory",
    type=MemorySize(),
    metavar="SIZE",
    help="Bound on the working memory, such as 2G: keeps the rest on disk. Same result.  "
    "[default: 1G for an ARPA file]",
)
@ngram_options("that of the counts")
@valid_option
@text_settings_options("whitespace")
@heading("How text becomes tokens (stored in the model)", reading_options)
@pass_console
def import_(console: Console, file: str, output: Path, kind: str | None, **given: Any) -> None:
    """Make a model from an ARPA file, or from n-gram counts.

    FILE may be compressed (.gz, .bz2, .xz). An ARPA file from KenLM, SRILM or by hand
    keeps its probabilities. Counts are lines "n-gram TAB count", and are smoothed as
    training would; web1t is Google's layout, a directory with 1gms, 2gms, ... or one
    file; google-books has n-grams by year, in one file or a directory of them. Text is
    split at white space unless --tokenizer says otherwise.

    With --classes FILE is an ARPA file of classes (and words), as SRILM makes them. A word
    may be in several; the model sums over all that it may have been.

    Example:

        lmkit import model.arpa --output imported.lm
        lmkit import counts.tsv --format counts --smoothing witten-bell --output counted.lm
    """
    from lmkit.api import import_model

    options = {key: value for key, value in given.items() if value is not None}
    check_method_options(options)
    settings = text_settings(options, tokenizer="whitespace")
    encoding, errors = options.get("encoding"), options["errors"]
    with ProgressBars(console) as bars:
        model = import_model(
            file,
            kind=kind,
            output=output,
            settings=settings,
            progress=bars.stages(),
            **options,
        )
    facts = model.describe()
    for note in facts.get("notes", []):
        console.remark(f"note: {note}")
    console.remark(
        f"{output}: order {facts['order']}, {facts['smoothing']}; {sum(facts['ngrams']):,} n-grams,"
        f" vocabulary of {facts['vocabulary']:,}"
    )
    say_held_out(console, model, options.get("valid"), encoding, errors)
