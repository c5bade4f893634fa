"""``lmkit mix``: several models as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.layout import megabytes
from lmkit.cli.options import MODEL, errors_option, output_option
from lmkit.cli.output import Format, Row, output_formats, write_rows
from lmkit.cli.progress import ProgressBars

COLUMNS = ("source", "weight", "power", "perplexity")


@command()
@click.argument("models", nargs=-1, required=True, type=MODEL, metavar="MODEL...")
@output_option
@click.option(
    "--valid",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Held-out text, which no MODEL was trained on: the weights come of it.",
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
    help="Read FILE, and later text, as one that runs on, or each line by itself.",
)
@click.option("--embed", is_flag=True, help="Carry the models in OUTPUT, not just their names.")
@errors_option
@heading(
    "A cache of recent words",
    click.option(
        "--cache", is_flag=True, help="Mix in the words, and pairs of words, used of late."
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
        help="Each word counts X times the one behind it.  [default: tuned to FILE]",
    ),
)
@output_formats
@pass_console
def mix(
    console: Console, models: tuple[Path, ...], output: Path, valid: Path, fmt: Format, **how: Any
) -> None:
    """Mix models of any kind into one that is better than each.

    The models share a vocabulary: train them on one text, or with one word list
    (--vocabulary). Their weights are those under which FILE is likeliest. OUTPUT scores and
    generates like any model; it names its parts by their paths, unless it carries them.

    The table shows how well each part predicts FILE, and the mixture.

    Example:

        lmkit mix model.lm other.lm --valid valid.txt --output mix.lm
        lmkit mix model.lm --cache --valid valid.txt --output cached.lm
    """
    from lmkit.api import mix as mixed

    with ProgressBars(console) as bars:
        model: Any = mixed(models, valid=valid, output=output, progress=bars.stages(), **how)
    for note in model.facts["notes"]:
        console.remark(f"note: {note}")
    write_rows(console, _rows(model), COLUMNS, fmt)
    console.remark(f"{output}: {megabytes(output.stat().st_size)}")


def _rows(model: Any) -> list[Row]:
    """A row for each model, for what else has a weight, and for the whole."""
    facts = model.describe()
    perplexity, weights = facts["fit"]["perplexity"], facts["weights"]
    powers = facts["parameters"].get("powers", {})
    names = dict.fromkeys([*powers, *weights, *perplexity])
    return [(name, weights.get(name), powers.get(name), perplexity.get(name)) for name in names]
