"""``lmkit suggest``: what may have been meant by a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.corrections import open_corrector, split_model, word_options
from lmkit.cli.options import reading_options
from lmkit.cli.output import Format, Row, output_formats, write_rows
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector

COLUMNS = ["word", "rank", "suggestion", "log_channel", "log_source", "posterior"]
GAP = "_"


@command()
@click.argument("words", nargs=-1, required=True, metavar="[MODEL] WORD...")
@click.option(
    "--around",
    metavar='"LEFT _ RIGHT"',
    help="The sentence that each WORD stands in, with _ in its place.",
)
@click.option(
    "-n",
    "--number",
    type=click.IntRange(min=1),
    default=5,
    metavar="N",
    help="How many suggestions for each word.",
)
@click.option(
    "--channel-weight",
    type=click.FloatRange(min=0, min_open=True),
    metavar="W",
    help="Weight of log p(typed | intended).  [default: as MODEL was tuned]",
)
@word_options
@reading_options
@output_formats
@pass_console
def suggest(
    console: Console,
    words: tuple[str, ...],
    around: str | None,
    number: int,
    fmt: Format,
    **given: Any,
) -> None:
    """Suggest what may have been meant by a word.

    The likeliest come first, each with log_channel, log p(WORD | suggestion), with
    log_source, log p of the suggestion and the sentence around it, both natural
    logarithms, and with its posterior probability. WORD itself is not listed; what the
    posteriors lack to one is mostly its own. MODEL is as for lmkit correct.

    Example:

        lmkit suggest model.lm w1x w22
        lmkit suggest model.lm w1x --around "w2 _ w3" -n 3 --json
    """
    model, typed = split_model(words)
    if not typed:
        raise UsageError("no WORD to look up", "lmkit suggest MODEL WORD")
    for word in (*typed, around or ""):
        if not word.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UsageError(f"{word!r} is not valid UTF-8", "text that is")
    left, right = _sides(around)
    corrector = open_corrector(console, model, **given)
    write_rows(console, _rows(corrector, typed, left, right, number), COLUMNS, fmt)


def _sides(around: str | None) -> tuple[str, str]:
    """What stands before and behind the gap."""
    if around is None:
        return "", ""
    words = around.split()
    if words.count(GAP) != 1:
        raise UsageError(
            f"--around {around!r} must have one {GAP} that stands alone", '--around "left _ right"'
        )
    place = words.index(GAP)
    return " ".join(words[:place]), " ".join(words[place + 1 :])


def _rows(
    corrector: Corrector, typed: list[str], left: str, right: str, number: int
) -> Iterator[Row]:
    for word in typed:
        for rank, one in enumerate(corrector.suggest(word, left, right, number), 1):
            yield word, rank, one.text, one.log_channel, one.log_source, one.posterior
