"""``lmkit prune``: a smaller model."""

from __future__ import annotations

from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.layout import megabytes
from lmkit.cli.options import Cutoffs, output_option, reading_options
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
    click.option(
        "--vocabulary",
        type=InputPath(),
        metavar="FILE",
        help="Keep only the words of FILE, one a line: what the others had goes to <unk>.",
    ),
)
@click.option(
    "--closed",
    is_flag=True,
    help="With --vocabulary: it goes to the words that stay, and <unk> becomes impossible.",
)
@reading_options
@pass_console
def prune(
    console: Console,
    model: Path,
    output: Path,
    entropy: float | None,
    size: int | None,
    cutoffs: tuple[int, ...] | None,
    vocabulary: str | None,
    closed: bool,
    encoding: str | None,
    errors: str,
) -> None:
    """Drop n-grams that a model can do without.

    By relative entropy, to a size, by count, or to a word list: one of the four. All but
    the third, which needs the model's counts, work on every model with backoff weights,
    imported ones too. The distributions still sum to one.

    Cut to a word list, the model says of the words that stay what it said before. Text
    with other words has <unk> there; with --closed it is impossible, and lmkit
    perplexity has the figures without such words.

    Example:

        lmkit prune model.lm --entropy 1e-6 --output pruned.lm
        lmkit prune model.lm --cutoffs 0,0,1 --output cut.lm
        lmkit prune model.lm --vocabulary words.txt --output small.lm
    """
    how = [entropy, size, cutoffs, vocabulary]
    if how.count(None) != len(how) - 1:
        said = "is not said" if how.count(None) == len(how) else "is said twice"
        raise UsageError(
            f"how to prune {said}",
            "one of --entropy 1e-7, --size 100000, --cutoffs 0,0,1 and --vocabulary FILE",
        )
    if closed and vocabulary is None:
        raise UsageError("--closed is nothing without --vocabulary", "--vocabulary FILE")
    from lmkit.api import prune as pruned

    old_sizes, new = pruned(
        model,
        output=output,
        entropy=entropy,
        size=size,
        cutoffs=cutoffs,
        vocabulary=vocabulary,
        closed=closed,
        encoding=encoding,
        errors=errors,
    )
    if vocabulary is not None:
        words = f"{len(new.vocabulary) - 3:,} of {old_sizes[0] - 3:,} {new.unit}s stay"
        console.remark(f"{words}; the others are {'impossible' if closed else '<unk>'}")
    console.remark(
        f"{output}: {sum(new.trie.sizes):,} of {sum(old_sizes):,} n-grams,"
        f" {megabytes(output.stat().st_size)}"
    )
