"""``lmkit score``: lines and tokens with their probabilities, or lines filtered by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.options import (
    MODEL,
    model_argument,
    reading_options,
    say_replaced,
    special_tokens_option,
    text_argument,
    text_source,
)
from lmkit.cli.output import Format, Row, RowWriter, output_formats
from lmkit.cli.progress import ProgressBars
from lmkit.cli.running import given_running, running_options, settled_running
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.evaluate.difference import CrossEntropyDifference
    from lmkit.evaluate.scoring import LineScores
    from lmkit.model import LanguageModel

BOUNDS = ("max_perplexity", "min_perplexity", "max_difference", "min_difference")
LINE_COLUMNS = ["line", "tokens", "oovs", "log10_probability", "perplexity", "text"]


@command()
@model_argument
@text_argument
@click.option("--per-token", is_flag=True, help="A row a token instead of a row a line.")
@click.option(
    "--ngram",
    "ngrams",
    multiple=True,
    metavar="WORDS",
    help="Count, probability and backoff weight of an n-gram of MODEL, without TEXT.",
)
@heading(
    "To look at",
    click.option(
        "--heat",
        is_flag=True,
        help="The text itself, each token coloured by its surprise; without colours, each token"
        " with its bits.",
    ),
    click.option(
        "--explain",
        is_flag=True,
        help="As --heat, and below each token its surprise in bits and the order of the n-gram"
        " that gave it.",
    ),
)
@heading(
    "Filters",
    click.option(
        "--max-perplexity",
        type=float,
        metavar="X",
        help="Write the lines with a perplexity of X or less, as they are.",
    ),
    click.option(
        "--min-perplexity",
        type=float,
        metavar="X",
        help="Write the lines with a perplexity of X or more, as they are.",
    ),
    click.option(
        "--max-difference",
        type=float,
        metavar="X",
        help="Write the lines with a difference of X bits or less (with --against).",
    ),
    click.option(
        "--min-difference",
        type=float,
        metavar="X",
        help="Write the lines with a difference of X bits or more (with --against).",
    ),
)
@heading(
    "Two models",
    click.option(
        "--against",
        type=MODEL,
        metavar="OTHER",
        help="Add how many bits more a line costs under MODEL than under OTHER.",
    ),
    click.option(
        "--difference-per",
        type=click.Choice(["token", "character"]),
        help="What that is divided by.  [default: token if both have the same tokens, else"
        " character]",
    ),
)
@click.option("--total", is_flag=True, help="Print the figures of the whole text at the end.")
@special_tokens_option
@running_options("line")
@reading_options
@output_formats
@pass_console
def score(
    console: Console,
    model: Path,
    text: str | None,
    per_token: bool,
    ngrams: tuple[str, ...],
    heat: bool,
    explain: bool,
    against: Path | None,
    difference_per: str | None,
    total: bool,
    special_tokens: str | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
    state: str | None,
    **others: Any,
) -> None:
    """Score each line or token of text, or filter lines.

    A line is a sentence. Its tokens include </s>; its perplexity includes unknown
    words (oovs). If MODEL was trained with --segment sentence or paragraph, a line is
    the sum of its tokens, and </s> is one of the line that the sentence ends in. A line
    that MODEL does not read (--skip-empty-lines) has none. The rows sum to what lmkit
    perplexity --state line says of TEXT.

    With --max-perplexity or --min-perplexity (or both) MODEL is a
    filter: lines of TEXT come out as they went in, or not at all.

    With --per-token each token, </s> too, has its probability after all before it
    in its line, and, if MODEL backs off, the order of the n-gram that gave it.
    --heat and --explain show the same to a person. (For the arithmetic behind one
    sentence see lmkit explain.)

    With --against the lines that MODEL knows better than OTHER have a difference
    below zero (Moore and Lewis 2010): of a large mixed text, --max-difference 0
    keeps what is more like the text of MODEL than like that of OTHER.

    A network starts anew on each line, unless --state carry says that the text runs on;
    what it did is said on standard error.

    Example:

        lmkit score model.lm text.txt --tsv
        lmkit score model.lm text.txt --per-token
        lmkit score model.lm --ngram "of the" --json
        lmkit score model.lm text.txt --explain
        lmkit score model.lm text.txt --max-perplexity 500
        lmkit score model.lm text.txt --against other.lm --max-difference -0.1
    """
    bounds = {name: others.pop(name) for name in BOUNDS}
    if ngrams:
        from lmkit.cli.one_ngram import refuse_others, write_ngrams

        flags = {"--per-token": per_token, "--heat": heat, "--explain": explain, "--total": total}
        flags |= {f"--{n.replace('_', '-')}": x is not None for n, x in bounds.items()}
        flags["--against"] = against is not None
        refuse_others(text, [name for name, is_given in flags.items() if is_given])
        write_ngrams(console, model, ngrams, fmt)
        return
    running = given_running(others)
    filtering = any(bound is not None for bound in bounds.values())
    picture = "--explain" if explain else "--heat" if heat else None
    _refuse(filtering, picture, per_token, total, fmt != "table", against, difference_per, bounds)
    source = text_source(console, text)

    from lmkit.api import load
    from lmkit.evaluate.filtering import Bounds, filter_originals
    from lmkit.evaluate.perplexity import running_reader, state_used
    from lmkit.evaluate.scoring import score_lines, tells_orders
    from lmkit.text.encodings import encoded
    from lmkit.text.reading import TextReader, iter_line_blocks

    scorer = load(model)
    with ProgressBars(console) as bars:
        running = settled_running(
            console, bars, scorer, running, encoding, errors=errors, special_tokens=special_tokens
        )
    used = state_used(scorer, state, running, "line")
    if used is not None:
        console.remark(f"state: {used}")
    scorer = running_reader(scorer, state, running, "line")
    difference = _difference(console, scorer, against, difference_per, special_tokens, errors)
    limits = Bounds(**bounds, against=difference)
    with ProgressBars(console, shares_terminal=True) as bars:
        reader = TextReader(
            encoded(source, encoding),
            errors,
            chunk_bytes=1 << 20,
            eager=True,
            progress=bars.bar("scoring"),
            **scorer.encoder.settings.reading,
        )
        blocks = iter_line_blocks(reader, originals=filtering)
        if filtering:
            for kept in filter_originals(scorer, blocks, limits, special_tokens=special_tokens):
                console.write_bytes(kept)
                console.flush()
        else:
            orders = (per_token or explain) and tells_orders(scorer)
            scored = score_lines(
                scorer,
                blocks,
                special_tokens=special_tokens,
                orders=orders,
                paragraphs=difference is not None and difference.paragraphs,
            )
            if total:
                scored = _totalled(console, scorer, scored)
            if picture:
                _show(console, scorer, scored, explain)
            elif per_token:
                columns = token_columns(orders)
                _write(console, columns, (token_rows(scorer, s) for s in scored), fmt)
            else:
                columns = line_columns(difference)
                _write(console, columns, (line_rows(s, difference) for s in scored), fmt)
    say_replaced(console, reader.replaced)


def _refuse(
    filtering: bool,
    picture: str | None,
    per_token: bool,
    total: bool,
    rows: bool,
    against: Path | None,
    difference_per: str | None,
    bounds: Mapping[str, float | None],
) -> None:
    """Raises `UsageError` for options that exclude each other."""
    if filtering and (per_token or total or rows or picture):
        raise UsageError(
            "--max-perplexity, --min-perplexity, --max-difference and --min-difference write"
            " lines of text, not rows",
            "leaving out --per-token, --heat, --explain, --total and the output format",
        )
    if picture and (per_token or rows):
        raise UsageError(
            f"{picture} is a picture for a person, not rows",
            "--per-token alone, which has the same figures in every output format",
        )
    if against is not None and (per_token or picture):
        raise UsageError(
            f"--against compares lines, not tokens, so {picture or '--per-token'} cannot show it",
            "leaving one of the two out",
        )
    if against is None:
        for name in ("max_difference", "min_difference"):
            if bounds[name] is not None:
                raise UsageError(
                    f"--{name.replace('_', '-')} needs a model to differ from", "--against OTHER.lm"
                )
        if difference_per is not None:
            raise UsageError("--difference-per needs a model to differ from", "--against OTHER.lm")


def _difference(
    console: Console,
    scorer: LanguageModel,
    against: Path | None,
    per: str | None,
    special_tokens: str | None,
    errors: str,
) -> CrossEntropyDifference | None:
    """The difference from the model in ``against``; its unit is said where it was not chosen."""
    if against is None:
        return None
    from lmkit.api import load
    from lmkit.evaluate.difference import CrossEntropyDifference

    found = CrossEntropyDifference(
        scorer, load(against), per=per, special_tokens=special_tokens, errors=errors
    )
    if per is None:
        have = "the same tokens" if found.per == "token" else "different tokens"
        console.remark(f"difference in bits per {found.per}: the models have {have}")
    return found


def _totalled(
    console: Console, scorer: LanguageModel, scored: Iterable[LineScores]
) -> Iterator[LineScores]:
    """``scored``, and the figures of all of it on standard error in the end."""
    from lmkit.measures import NO_TEXT

    figures = NO_TEXT
    lines = 0
    for scores in scored:
        yield scores
        lines += len(scores.lines)
        figures = figures + scorer.measure(scores.batch, scores.log_probs)
    perplexity = f", perplexity {figures.perplexity:.4f}" if scorer.normalised else ""
    sentences = f", {figures.sentences} sentences" if figures.sentences != lines else ""
    console.remark(
        f"{lines} lines{sentences}, {figures.tokens} tokens, {figures.oovs} oovs,"
        f" log10 probability {figures.log10_probability:.4f}{perplexity}"
    )


def _show(
    console: Console, scorer: LanguageModel, scored: Iterable[LineScores], explain: bool
) -> None:
    from lmkit.cli.heat import HeatMap

    picture = HeatMap(console, scorer, explain)
    for scores in scored:
        picture.write(scores)
        console.flush()


def _write(
    console: Console, columns: Sequence[str], blocks: Iterable[Iterable[Row]], fmt: Format
) -> None:
    with RowWriter(console, columns, fmt) as writer:
        for rows in blocks:
            writer.write(list(rows))
            console.flush()


def line_columns(difference: CrossEntropyDifference | None) -> list[str]:
    """`LINE_COLUMNS`, with ``difference`` (in bits) before the text where there is one."""
    return [*LINE_COLUMNS[:-1], *(["difference"] if difference else []), LINE_COLUMNS[-1]]


def line_rows(
    scores: LineScores, difference: CrossEntropyDifference | None = None
) -> Iterator[Row]:
    """A row a line: `line_columns`."""
    from lmkit.measures import LN10

    first = scores.first_line
    return zip(
        range(first, first + len(scores.lines)),
        scores.tokens.tolist(),
        scores.oovs.tolist(),
        (scores.log_probability / LN10).tolist(),
        scores.perplexity.tolist(),
        *([] if difference is None else [difference.bits(scores).tolist()]),
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
