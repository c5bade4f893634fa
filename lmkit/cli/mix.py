"""``lmkit mix``: several models as one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.layout import megabytes
from lmkit.cli.options import (
    Weights,
    output_option,
    reading_options,
    special_tokens_option,
    text_source,
)
from lmkit.cli.output import Format, Row, output_formats, write_rows
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError

COLUMNS = ("source", "weight", "power", "perplexity")


@command()
@click.argument(
    "models",
    nargs=-1,
    required=True,
    type=InputPath(path_type=Path, in_place="embed"),
    metavar="MODEL...",
)
@output_option
@click.option(
    "--valid",
    type=InputPath(path_type=Path),
    metavar="FILE",
    help="Held-out text, which no MODEL was trained on: the weights are fitted to it.",
)
@click.option(
    "--weights",
    type=Weights(),
    metavar="W1,W2,...",
    help="A weight a model (a power, if log-linear) that is not fitted: 0.7,0.3.",
)
@click.option(
    "--kind",
    type=click.Choice(["linear", "by-context", "log-linear"]),
    default="linear",
    help="linear: one weight a model. by-context: weights that depend on the token before. "
    "log-linear: powers, multiplied and normalised.",
)
@click.option(
    "--state",
    type=click.Choice(["carry", "line"]),
    default="carry",
    help="Read FILE as one text that runs on, or each line by itself.",
)
@click.option(
    "--merge",
    is_flag=True,
    help="Make one n-gram model of a linear mixture of n-gram models, and say how far it is off.",
)
@click.option("--embed", is_flag=True, help="Carry the models in OUTPUT, not just their names.")
@special_tokens_option
@reading_options
@heading(
    "A cache of recent words",
    click.option(
        "--cache", is_flag=True, help="Mix in the words, and pairs of words, used recently."
    ),
    click.option(
        "--cache-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="The last N words.  [default: tuned to FILE]",
    ),
    click.option(
        "--cache-decay",
        type=click.FloatRange(min=0, max=1, min_open=True),
        metavar="X",
        help="Each word counts X times as much as the word after it.  [default: tuned to FILE]",
    ),
)
@output_formats
@pass_console
def mix(
    console: Console,
    models: tuple[Path, ...],
    output: Path,
    valid: Path | None,
    merge: bool,
    embed: bool,
    fmt: Format,
    **how: Any,
) -> None:
    """Mix models of any kind into one that is better than each.

    A MODEL may be an ARPA file. The vocabulary is that of all of them: words that a model
    lacks share the probability of its <unk>. The weights are those under which FILE is
    likeliest, or --weights. OUTPUT scores and generates like any model; it names its parts
    by their paths, unless it carries them.

    The table shows how well each part predicts FILE, and the mixture.

    Example:

        lmkit mix model.lm other.lm --valid more.txt --output mix.lm
        lmkit mix model.lm --cache --valid more.txt --output cached.lm
        lmkit mix model.lm other.lm --valid more.txt --merge --output merged.lm
        lmkit mix model.lm model.arpa --weights 0.7,0.3 --output fixed.lm
    """
    from lmkit import api
    from lmkit.store.modelfile import check_target

    for name in ("cache_size", "cache_decay"):
        if how[name] is not None and not how["cache"]:
            raise UsageError(f"--{name.replace('_', '-')} is nothing without --cache", "--cache")
    if valid is None and how["weights"] is None:
        raise UsageError(
            "there is nothing to fit the weights to",
            "--valid TEXT, or --weights with one weight a model",
        )
    if merge and valid and (str(valid) == "-" or (valid.exists() and not valid.is_file())):
        raise UsageError(
            "--merge reads the held-out text twice, which standard input and pipes do not allow",
            "a file",
        )
    if merge and embed:
        raise UsageError("--merge leaves no parts to carry with --embed", "one of the two")
    source = None if valid is None else text_source(console, str(valid))
    check_target(output)
    with ProgressBars(console) as bars:
        stages = bars.stages()
        to = None if merge else output
        model: Any = api.mix(models, valid=source, output=to, embed=embed, progress=stages, **how)
        if merge:
            merged: Any = api.merge(
                model,
                valid=valid,
                encoding=how["encoding"],
                errors=how["errors"],
                special_tokens=how["special_tokens"],
                output=output,
                progress=stages,
            )
    for note in model.facts["notes"]:
        console.remark(f"note: {note}")
    write_rows(console, _rows(model), COLUMNS, fmt)
    size = megabytes(output.stat().st_size)
    if not merge:
        console.remark(f"{output}: {size}")
        return
    for note in merged.facts["smoothing"]["notes"]:
        console.remark(f"merged: {note}")
    console.remark(f"{output}: {sum(merged.trie.sizes):,} n-grams, {size}")


def _rows(model: Any) -> list[Row]:
    """A row for each model, for what else has a weight, and for the whole."""
    facts = model.describe()
    perplexity, weights = facts["fit"].get("perplexity", {}), facts["weights"]
    powers = facts["parameters"].get("powers", {})
    names = dict.fromkeys([*powers, *weights, *perplexity])
    # What was measured and is no number is infinite: a model holds some token for impossible.
    perplexity = {name: math.inf if one is None else one for name, one in perplexity.items()}
    return [(name, weights.get(name), powers.get(name), perplexity.get(name)) for name in names]
