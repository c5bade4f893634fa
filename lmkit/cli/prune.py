"""``lmkit prune``: a smaller model."""

from __future__ import annotations

from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.layout import megabytes
from lmkit.cli.options import Cutoffs, output_option
from lmkit.cli.paths import InputPath
from lmkit.errors import UsageError


@command()
@click.argument("model", type=InputPath(path_type=Path, in_place=True), metavar="MODEL")
@output_option
@heading(
    "How to prune, one of",
    click.option(
        "--entropy",
        type=float,
        metavar="T",
        help="Drop n-grams without which, each alone, perplexity grows by less than the part T "
        "of it (Stolcke 1998): 1e-8 is little, 1e-5 much.",
    ),
    click.option(
        "--size",
        type=click.IntRange(min=1),
        metavar="N",
        help="Drop the n-grams that matter least, until at most N are left.",
    ),
    click.option(
        "--cutoffs",
        type=Cutoffs(),
        metavar="K1,K2,...",
        help="Drop n-grams seen at most K times, an order each, as training with --prune.",
    ),
)
@pass_console
def prune(
    console: Console,
    model: Path,
    output: Path,
    entropy: float | None,
    size: int | None,
    cutoffs: tuple[int, ...] | None,
) -> None:
    """Drop n-grams that a model can do without.

    By relative entropy, to a size, or by count: one of the three. The first two work on
    every model with backoff weights, imported ones too; the third needs the model's counts.
    The distributions still sum to one.

    Example:

        lmkit prune model.lm --entropy 1e-6 --output pruned.lm
        lmkit prune model.lm --cutoffs 0,0,1 --output cut.lm
    """
    if [entropy, size, cutoffs].count(None) != 2:
        said = "is not said" if (entropy, size, cutoffs) == (None, None, None) else "is said twice"
        raise UsageError(
            f"how to prune {said}", "one of --entropy 1e-7, --size 100000 and --cutoffs 0,0,1"
        )
    from lmkit.api import prune as pruned

    old_sizes, new = pruned(model, output=output, entropy=entropy, size=size, cutoffs=cutoffs)
    console.remark(
        f"{output}: {sum(new.trie.sizes):,} of {sum(old_sizes):,} n-grams,"
        f" {megabytes(output.stat().st_size)}"
    )
