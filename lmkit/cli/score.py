"""``lmkit score``: lines and tokens with their probabilities, or lines filtered by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import (
    errors_option,
    model_argument,
    say_replaced,
    special_tokens_option,
    text_argument,
    text_source,
)
from lmkit.cli.output import Format, Row, RowWriter, output_formats
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.evaluate.scoring import LineScores
    from lmkit.model import LanguageModel

LINE_COLUMNS = ["line", "tokens", "oovs", "log10_probability", "perplexity", "text"]


@command()
@model_argument
@text_argument
@click.option("--per-token", is_flag=True, help="A row a token instead of a row a line.")
@click.option(
    "--max-perplexity",
    type=float,
    metavar="X",
    help="Filter: write the lines with a perplexity of X or less, as they are.",
)
@click.option(
    "--min-perplexity",
    type=float,
    metavar="X",
    help="Filter: write the lines with a perplexity of X or more, as they are.",
)
@click.option("--total", is_flag=True, help="Say the figures of the whole text in the end.")
@special_tokens_option
@errors_option
@output_formats
@pass_console
def score(
    console: Console,
    model: Path,
    text: str | None,
    per_token: bool,
    max_perplexity: float | None,
    min_perplexity: float | None,
    total: bool,
    special_tokens: str | None,
    errors: str,
    fmt: Format,
) -> None:
    """Score each line or token of text, or filter lines.

    A line is a sentence. Its tokens include </s>; its perplexity includes unknown
    words (oovs). With --max-perplexity or --min-perplexity (or both) MODEL is a
    filter: lines of TEXT come out as they went in, or not at all.

    With --per-token each token, </s> too, has its probability after all before it
    in its line, and, where MODEL backs off, the order of the n-gram that gave it.

    Example:

        lmkit score model.lm text.txt --tsv
        lmkit score model.lm text.txt --per-token
        lmkit score model.lm text.txt --max-perplexity 500
    """
    filtering = max_perplexity is not None or min_perplexity is not None
    if filtering and (per_token or total or fmt != "table"):
        raise UsageError(
            "--max-perplexity and --min-perplexity write lines of text, not rows",
            "leaving out --per-token, --total and the output format",
        )
    source = text_source(console, text)

    from lmkit.api import load
    from lmkit.evaluate.filtering import filter_originals
    from lmkit.evaluate.scoring import score_lines, tells_orders
    from lmkit.text.reading import TextReader, iter_line_blocks

    scorer = load(model)
    with ProgressBars(console, shares_terminal=True) as bars:
        reader = TextReader(
            source, errors, chunk_bytes=1 << 20, eager=True, progress=bars.bar("scoring")
        )
        blocks = iter_line_blocks(reader, originals=filtering)
        if filtering:
            for kept in filter_originals(
                scorer,
                blocks,
                max_perplexity=max_perplexity,
                min_perplexity=min_perplexity,
                special_tokens=special_tokens,
            ):
                console.write_bytes(kept)
                console.flush()
        else:
            orders = per_token and tells_orders(scorer)
            scored = score_lines(scorer, blocks, special_tokens=special_tokens, orders=orders)
            columns = token_columns(orders) if per_token else LINE_COLUMNS
            _write_scores(console, scorer, scored, columns, total, fmt)
    say_replaced(console, reader.replaced)


def _write_scores(
    console: Console,
    scorer: LanguageModel,
    scored: Iterable[LineScores],
    columns: Sequence[str],
    total: bool,
    fmt: Format,
) -> None:
    from lmkit.measures import Perplexity

    figures = Perplexity(0, 0, 0, 0.0, 0.0, 0.0, 0)
    with RowWriter(console, columns, fmt) as writer:
        for scores in scored:
            rows = line_rows(scores) if columns is LINE_COLUMNS else token_rows(scorer, scores)
            writer.write(list(rows))
            console.flush()
            if total:
                figures = figures + scorer.measure(scores.batch, scores.log_probs)
    if total:
        perplexity = f", perplexity {figures.perplexity:.4f}" if scorer.normalised else ""
        console.remark(
            f"{figures.sentences} lines, {figures.tokens} tokens, {figures.oovs} oovs,"
            f" log10 probability {figures.log10_probability:.4f}{perplexity}"
        )


def line_rows(scores: LineScores) -> Iterator[Row]:
    """A row a line: `LINE_COLUMNS`."""
    from lmkit.measures import LN10

    first = scores.first_line
    return zip(
        range(first, first + len(scores.lines)),
        scores.tokens.tolist(),
        scores.oovs.tolist(),
        (scores.log_probability / LN10).tolist(),
        scores.perplexity.tolist(),
        scores.lines,
        strict=True,
    )


def token_columns(orders: bool) -> list[str]:
    """The columns of `token_rows`; ``order`` only where the model has one to tell."""
    return ["line", "token", "id", "log10_probability", *(["order"] if orders else []), "oov"]


def token_rows(scorer: LanguageModel, scores: LineScores) -> Iterator[Row]:
    """A row a token: `token_columns`."""
    from lmkit.evaluate.scoring import token_texts
    from lmkit.measures import LN10
    from lmkit.model import UNK

    batch = scores.batch
    return zip(
        scores.token_lines.tolist(),
        token_texts(scorer, batch),
        batch.ids.tolist(),
        (scores.log_probs / LN10).tolist(),
        *([] if scores.orders is None else [scores.orders.tolist()]),
        (batch.ids == UNK).tolist(),
        strict=True,
    )
