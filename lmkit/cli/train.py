"""``lmkit train``: text in, a model out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.model_options import (
    TEXT_OPTIONS,
    ngram_options,
    text_settings,
    text_settings_options,
)
from lmkit.cli.options import MODEL, MemorySize, errors_option, output_option
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.model import LanguageModel

VOCABULARY_OPTIONS = ("min_count", "vocabulary_size", "vocabulary")


@command()
@click.argument("texts", nargs=-1, type=click.Path(), metavar="TEXT...")
@output_option
@click.option(
    "--backend", metavar="NAME", help="The kind of model.  [default: ngram]", show_default=False
)
@ngram_options
@text_settings_options
@click.option(
    "--valid",
    type=click.Path(),
    metavar="FILE",
    help="Held-out text, for what is learnt from such: interpolation weights, --tune.",
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    metavar="K",
    help="Words seen less often become <unk>.  [default: 1]",
)
@click.option(
    "--vocabulary-size",
    type=click.IntRange(min=0),
    metavar="V",
    help="Only the V most frequent words stay; the others become <unk>.",
)
@click.option(
    "--vocabulary",
    type=click.Path(),
    metavar="FILE",
    help="Only the words of FILE, one a line, stay; the others become <unk>.",
)
@click.option(
    "--memory",
    type=MemorySize(),
    metavar="SIZE",
    help="Bound on the working memory, such as 2G: sorts on disk. Same result.",
)
@click.option(
    "--append", type=MODEL, metavar="MODEL", help="Add TEXT to what MODEL was trained on."
)
@click.option(
    "--from",
    "base",
    type=MODEL,
    metavar="MODEL",
    help="Without TEXT: smooth the counts of MODEL anew, with other options.",
)
@click.option("--tables", is_flag=True, help="Add readable tables, as lmkit tables does.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Start of the random numbers, for backends that draw any; stored in the model.",
)
@errors_option
@pass_console
def train(
    console: Console, texts: tuple[str, ...], output: Path, tables: bool, **given: Any
) -> None:
    """Train a model on text, and write it to a file.

    A line of TEXT is a sentence (see --segment). Several files are one text; - is
    standard input; .gz, .bz2 and .xz are read directly. How text becomes tokens is
    stored in the model, so that using it reads text in the same way. OUTPUT is
    written as a whole at the end: until then an older file stays as it is.

    Example:

        lmkit train text.txt --output model.lm
        lmkit train text.txt --order 3 --smoothing witten-bell --output small.lm
        lmkit train --from model.lm --smoothing katz --output katz.lm
        lmkit train more.txt --append model.lm --output model.lm
    """
    options = {key: value for key, value in given.items() if value is not None}
    texts = _texts(console, texts, options)
    with ProgressBars(console) as bars:
        progress = bars.stages()
        model = _train(console, texts, output, options, progress)
    if tables:
        from lmkit.ngram.tables import write_tables

        write_tables(output, progress)
    _summary(console, output, model)


def _texts(console: Console, texts: tuple[str, ...], options: dict[str, Any]) -> tuple[str, ...]:
    """What to train on; nothing where counts are smoothed anew."""
    if "append" in options and "base" in options:
        raise UsageError("--append and --from exclude each other", "one of the two")
    if not texts and "base" not in options:
        if console.stdin_is_terminal or console.stdin is None:
            raise UsageError("no TEXT to train on", "a file name, or - for standard input")
        return ("-",)
    return texts


def _train(
    console: Console,
    texts: tuple[str, ...],
    output: Path,
    options: dict[str, Any],
    progress: Any,
) -> LanguageModel:
    from lmkit import api

    append, base = options.pop("append", None), options.pop("base", None)
    errors, seed = options.pop("errors"), options.pop("seed", None)
    common = {"output": output, "errors": errors, "progress": progress}
    if append is None and base is None:
        settings = text_settings(options)
        return api.train(*texts, settings=settings, seed=seed, **common, **options)
    if append is not None:
        keeps = {"valid", "memory"}
        _refuse(options, set(options) - keeps, "--append", "they are those of the model")
        return api.append(append, *texts, **common, **options)
    if texts:
        raise UsageError(
            "an n-gram model cannot be trained further by --from with TEXT",
            "--append MODEL, to add TEXT to the model's counts",
        )
    fixed = {"backend", *TEXT_OPTIONS, *VOCABULARY_OPTIONS}
    _refuse(options, fixed & set(options), "--from", "they are those of the model")
    return api.resmooth(base, **common, **options)


def _refuse(options: dict[str, Any], names: set[str], flag: str, reason: str) -> None:
    # These have a default that is no choice of the user's.
    chosen = sorted(name for name in names if options[name] is not False)
    if chosen:
        shown = ", ".join(f"--{name.replace('_', '-')}" for name in chosen)
        raise UsageError(f"{shown} cannot be given with {flag}: {reason}", f"{flag} without it")


def _summary(console: Console, output: Path, model: LanguageModel) -> None:
    facts = model.describe()
    for note in facts.get("notes", []):
        console.remark(f"note: {note}")
    parts = [f"{output}: {facts['backend']}"]
    if "ngrams" in facts:
        parts = [
            f"{output}: order {facts['order']}, {facts['smoothing']}",
            f"{sum(facts['ngrams']):,} n-grams, vocabulary of {facts['vocabulary']:,}",
        ]
    runs = getattr(model, "runs", None)
    if runs:
        tokens = runs[-1]["tokens"]
        read = f"{tokens:,} tokens in " if tokens else ""
        parts.append(f"{read}{runs[-1]['seconds']:.1f} s")
    console.remark("; ".join(parts))
