"""``lmkit score``: lines, tokens and documents with their probabilities, or filtered by them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
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
from lmkit.cli.output import Format, RowWriter, output_formats
from lmkit.cli.paths import OutputPath
from lmkit.cli.progress import ProgressBars
from lmkit.cli.running import given_running, running_options, settled_running
from lmkit.cli.score_blocks import (
    SCORES,
    BlockScorer,
    Documents,
    Job,
    Scored,
    Totals,
    difference_of,
    scoring,
)
from lmkit.cli.to_file import writing_to
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.evaluate.difference import CrossEntropyDifference
    from lmkit.model import LanguageModel
    from lmkit.text.reading import TextReader

CHUNK_BYTES = 1 << 20
"""Of text that is scored at once, or sent to a worker."""
JOB_OPTIONS = ("against", "difference_per", "special_tokens", "per_token", "total")
BOUNDS = ("max_perplexity", "min_perplexity", "max_difference", "min_difference")


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
@heading(
    "Documents",
    click.option(
        "--jsonl-field",
        metavar="NAME",
        help="TEXT is JSON lines: score the text in the field NAME of each object, and write the"
        " object with its scores.",
    ),
    click.option("--prefix", metavar="P", help="Put P before the names of these scores."),
    click.option(
        "--rejected",
        type=OutputPath(),
        metavar="FILE",
        help="Write the lines without such a field to FILE, instead of ending at the first one.",
    ),
)
@click.option("--total", is_flag=True, help="Print the figures of the whole text at the end.")
@click.option(
    "--output",
    "-o",
    type=OutputPath(),
    metavar="FILE",
    help="Write to FILE, whole or not at all; .gz, .bz2, .xz and .zst are compressed.",
)
@click.option(
    "--normalize",
    type=click.Choice(["cc-net"]),
    help="Score text as CCNet does: lower case, no accents, 0 for digits, its punctuation.",
)
@click.option(
    "--no-sentence-marks",
    is_flag=True,
    help="Score a line as it stands: nothing before its first token, no </s> after its last.",
)
@special_tokens_option
@running_options(
    "line",
    "Processes (threads if MODEL is a network); they change no score and no order."
    "  [default: 1; threads: as many as cores, at most 4]",
)
@reading_options
@output_formats
@pass_console
def score(
    console: Console,
    model: Path,
    text: str | None,
    heat: bool,
    explain: bool,
    output: str | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
    state: str | None,
    **given: Any,
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

    With --jsonl-field each line is an object of JSON, and the text in that field a
    document: its sentences are those of a file. The object is written with perplexity,
    log10_probability, tokens and oovs; the rest of it stays as it was. A filter keeps
    or drops whole objects. A line without such a text is an error. --errors replace
    keeps it as it is; --rejected FILE writes it to FILE. Both count such lines.

    With --no-sentence-marks the sum over a line is the probability of a phrase that
    may stand anywhere (n-gram models).

    A network starts anew on each line, unless --state carry says that the text runs on;
    what it did is said on standard error.

    Example:

        lmkit score model.lm text.txt --tsv
        lmkit score model.lm text.txt --per-token
        lmkit score model.lm --ngram "of the" --json
        lmkit score model.lm text.txt --explain
        lmkit score model.lm text.txt --max-perplexity 500
        lmkit score model.lm text.txt --against other.lm --max-difference -0.1
        lmkit score model.lm docs.jsonl --jsonl-field text --output good.jsonl.gz
    """
    if ngrams := given.pop("ngrams"):
        from lmkit.cli.one_ngram import refuse_others, write_ngrams

        others = {**given, "heat": heat, "explain": explain, "output": output, "state": state}
        others |= {"encoding": encoding, "errors": errors != "strict"}
        names = [name for name, value in others.items() if value not in (None, False)]
        refuse_others(text, [f"--{name.replace('_', '-')}" for name in names])
        write_ngrams(console, model, ngrams, fmt)
        return
    picture = "--explain" if explain else "--heat" if heat else None
    job = _job(given, model, errors, explain, fmt)
    _refuse(job, picture, state, output)
    running = given_running(given)
    workers = 1 if picture else running.get("workers", 1)
    source = text_source(console, text)

    from lmkit.api import load
    from lmkit.evaluate.perplexity import running_reader, state_used
    from lmkit.text.encodings import encoded
    from lmkit.text.reading import TextReader

    opened = load(model)
    reading = {"errors": errors, "special_tokens": job.special_tokens}
    with ProgressBars(console) as bars:
        running = settled_running(console, bars, opened, running, encoding, **reading)
    used = state_used(opened, state, running, "line")
    if used is not None:
        console.remark(f"state: {used}")
    if used == "carry" or hasattr(opened, "workers"):
        workers = 1  # a network has threads, and a running text is one
    opened = running_reader(opened, state, running, "line")
    scorer = BlockScorer(job, opened, _difference(console, job, opened))
    with ExitStack() as held:
        sink = held.enter_context(writing_to(console, output))
        rejected = None if job.documents is None else job.documents.rejected
        apart = held.enter_context(writing_to(console, rejected)) if rejected else None
        bars = held.enter_context(ProgressBars(console, shares_terminal=sink is console))
        reader = TextReader(
            encoded(source, encoding),
            errors,
            chunk_bytes=CHUNK_BYTES,
            eager=True,
            progress=bars.bar("scoring"),
            **scorer.reading,
        )
        if picture:
            _show(console, scorer, reader, explain)
        else:
            scored = held.enter_context(scoring(scorer, _parts(scorer, reader), workers))
            totals = _write(sink, apart, scorer, scored)
            totals.say(console, scorer)
    say_replaced(console, reader.replaced)


def _job(given: dict[str, Any], model: Path, errors: str, explain: bool, fmt: Format) -> Job:
    """What ``given``, the options, ask of each block of lines; they are taken out of it.

    Raises `UsageError` for what is nothing without ``--jsonl-field``, and where a score would be
    written over the text.
    """
    field, prefix, rejected = (given.pop(name) for name in ("jsonl_field", "prefix", "rejected"))
    documents = None
    if field is not None:
        if field in [f"{prefix or ''}{name}" for name in SCORES]:
            raise UsageError(
                f"the score of this name would take the place of the text in {field!r}",
                "--prefix lm_" if not prefix else "another --prefix",
            )
        documents = Documents(field, prefix or "", errors == "strict", rejected)
    elif prefix is not None or rejected is not None:
        flag = "--rejected" if prefix is None else "--prefix"
        raise UsageError(f"{flag} is nothing without documents", "--jsonl-field text")
    return Job(
        model,
        bounds={name: given.pop(name) for name in BOUNDS},
        documents=documents,
        cc_net=given.pop("normalize") == "cc-net",
        sentence_marks=not given.pop("no_sentence_marks"),
        errors=errors,
        orders=given["per_token"] or explain,
        fmt=fmt,
        **{name: given.pop(name) for name in JOB_OPTIONS},
    )


def _refuse(job: Job, picture: str | None, state: str | None, output: str | None) -> None:
    """Raises `UsageError` for options that exclude each other."""
    rows = job.fmt != "table"
    if job.bounding and (job.per_token or job.total or rows or picture):
        raise UsageError(
            "--max-perplexity, --min-perplexity, --max-difference and --min-difference write"
            " lines of text, not rows",
            "leaving out --per-token, --heat, --explain, --total and the output format",
        )
    if job.documents is not None and (job.per_token or job.total or rows or picture):
        raise UsageError(
            "--jsonl-field writes objects of JSON, one a document",
            "leaving out --per-token, --heat, --explain, --total and the output format",
        )
    if job.documents is not None and state == "carry":
        raise UsageError("a document has nothing before it", "leaving out --state carry")
    if job.documents is not None and job.documents.rejected == "-" and output is None:
        raise UsageError("the objects themselves go to standard output", "--rejected FILE")
    if picture and (job.per_token or rows or output is not None):
        raise UsageError(
            f"{picture} is a picture for a person, not rows",
            "--per-token alone, which has the same figures in every output format",
        )
    if job.against is not None and (job.per_token or picture):
        raise UsageError(
            f"--against compares lines, not tokens, so {picture or '--per-token'} cannot show it",
            "leaving one of the two out",
        )
    if job.against is not None and not job.sentence_marks:
        raise UsageError(
            "--against compares whole sentences, and --no-sentence-marks scores phrases",
            "leaving one of the two out",
        )
    if job.against is None:
        for name in ("max_difference", "min_difference"):
            if job.bounds[name] is not None:
                raise UsageError(
                    f"--{name.replace('_', '-')} needs a model to differ from", "--against OTHER.lm"
                )
        if job.difference_per is not None:
            raise UsageError("--difference-per needs a model to differ from", "--against OTHER.lm")


def _difference(console: Console, job: Job, scorer: LanguageModel) -> CrossEntropyDifference | None:
    """The difference that ``job`` asks for; its unit is said if it was not chosen."""
    if job.against is None:
        return None
    found = difference_of(job, scorer)
    if job.difference_per is None:
        have = "the same tokens" if found.per == "token" else "different tokens"
        console.remark(f"difference in bits per {found.per}: the models have {have}")
    return found


def _parts(scorer: BlockScorer, reader: TextReader) -> Iterable[Any]:
    """The text in parts that can be scored on their own: chunks as they are read, or blocks of
    whole paragraphs."""
    from lmkit.text.by_line import whole_paragraphs
    from lmkit.text.reading import iter_line_blocks

    if not scorer.paragraphs:
        return reader
    return whole_paragraphs(iter_line_blocks(reader, originals=scorer.originals))


def _show(console: Console, scorer: BlockScorer, reader: TextReader, explain: bool) -> None:
    from lmkit.cli.heat import HeatMap
    from lmkit.text.by_line import whole_paragraphs
    from lmkit.text.reading import iter_line_blocks

    blocks: Iterable[Any] = iter_line_blocks(reader)
    if scorer.paragraphs:
        blocks = whole_paragraphs(blocks)
    picture = HeatMap(console, scorer.model, explain)
    totals = Totals()
    for block in blocks:
        scores = scorer.scores(block)
        picture.write(scores)
        console.flush()
        if scorer.job.total:
            figures = scorer.model.measure(scores.batch, scores.log_probs)
            totals.add(Scored(lines=len(block), figures=figures))
    totals.say(console, scorer)


def _write(
    sink: Console, apart: Console | None, scorer: BlockScorer, results: Iterable[Scored]
) -> Totals:
    """Write the ``results`` in their order, the lines that are rejected ``apart``; returns their
    sums."""
    totals = Totals()
    with ExitStack() as held:
        rows = None
        if not scorer.job.bounding and scorer.job.documents is None:
            rows = held.enter_context(RowWriter(sink, scorer.columns, scorer.job.fmt))
        for scored in results:
            if scored.data:
                sink.write_bytes(scored.data)
            if rows is not None and scored.rows:
                rows.write(scored.rows)
            sink.flush()
            if apart is not None and scored.rejected:
                apart.write_bytes(scored.rejected)
            totals.add(scored)
    return totals
