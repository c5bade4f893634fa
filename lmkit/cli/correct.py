"""``lmkit correct``: text in, corrected text out, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.corrections import (
    decision_options,
    open_corrector,
    personal_dictionary,
    split_model,
    word_options,
)
from lmkit.cli.headings import heading
from lmkit.cli.options import reading_options, say_replaced, text_source
from lmkit.cli.output import Format, output_formats
from lmkit.cli.paths import Group, InputPath, OutputPath, named
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError
from lmkit.files.claims import claimed

if TYPE_CHECKING:
    from lmkit.cli.correct_output import Shape
    from lmkit.text.reading import Source

FILE = InputPath(path_type=Path)
JOBS = {"evaluate": "--evaluate", "evaluate_pairs": "--evaluate-pairs", "tune": "--tune"}
SHAPES = {
    "flag_only": "--flag-only",
    "explain": "--explain",
    "diff": "--diff",
    "interactive": "--interactive",
}


def _files(params: Mapping[str, Any]) -> Iterator[Group]:
    """What is written: not MODEL, but TEXT may be; and MODEL by --tune alone."""
    model, texts = split_model(params["files"])
    source = named("MODEL", model)
    words = [*named("--lexicon", params["lexicon"]), *named("--dictionary", params["dictionary"])]
    yield named("--output", params["output"]), source
    if params["in_place"] and texts:
        yield named("--in-place", texts[0]), [*source, *words]
    if params["tune"] is not None:
        yield named("MODEL", model), [*named("--tune", params["tune"]), *words]
    if params["interactive"]:
        own = params["dictionary"] or personal_dictionary()
        yield named("--dictionary", own), [*source, *named("TEXT", tuple(texts))]


@command(files=_files)
@click.argument("files", nargs=-1, type=InputPath(in_place=True), metavar="[MODEL] [TEXT]")
@heading(
    "What comes out",
    click.option(
        "--output",
        "-o",
        type=OutputPath(path_type=Path),
        metavar="FILE",
        help="Write to FILE, whole or not at all; - is standard output.",
    ),
    click.option("--in-place", is_flag=True, help="Write back to TEXT, whole or not at all."),
    click.option(
        "--flag-only", is_flag=True, help="Mark what would be changed, [so->as here], no more."
    ),
    click.option(
        "--diff", is_flag=True, help="Only what is changed, as a diff that patch(1) understands."
    ),
    click.option(
        "--explain",
        is_flag=True,
        help="For each change its candidates, their scores, and the edits behind them.",
    ),
    click.option(
        "--interactive",
        is_flag=True,
        help="Ask at each change: accept, skip, choose another, add to the dictionary.",
    ),
)
@click.option("--split-words", is_flag=True, help="For text without spaces: find the words in it.")
@word_options
@decision_options
@heading(
    "Instead of correcting TEXT",
    click.option(
        "--evaluate",
        nargs=2,
        type=FILE,
        metavar="CORRUPT CORRECT",
        help="Correct CORRUPT and count what is right, by CORRECT, line for line.",
    ),
    click.option(
        "--evaluate-pairs",
        type=FILE,
        metavar="PAIRS",
        help="Suggest and correct single words: typed<TAB>intended[<TAB>count] a line.",
    ),
    click.option(
        "--tune",
        nargs=2,
        type=FILE,
        metavar="CORRUPT CORRECT",
        help="Fit the weights of MODEL to such text, and store them in it.",
    ),
)
@reading_options
@output_formats
@pass_console
def correct(
    console: Console,
    files: tuple[str, ...],
    output: Path | None,
    in_place: bool,
    encoding: str | None,
    errors: str,
    fmt: Format,
    **given: Any,
) -> None:
    """Correct the spelling of text.

    Lines come out as they went in, except for the words that are changed: as many, with
    the same spaces, line ends and capitals. MODEL is a noisy channel (lmkit train
    --backend noisy-channel); any other lmkit model is taken as the source of one,
    with the errors that are common in English. Without MODEL (the first file is one
    if its name ends in .lm or it is an lmkit model) there is the English model of this
    machine, made when it is first needed from the package wordfreq, or from data sets
    that lmkit data get has fetched.

    What comes out is UTF-8, whatever --encoding says of TEXT; TEXT written back with
    --in-place keeps its encoding.

    --json and --jsonl give an object a line, with its changes: offset and length in
    characters, original, replacement, posterior, and the runners_up. --tsv and --csv
    give a row a change.

    The figures of --evaluate count aligned words: fix_rate is the part of those that
    were wrong, broken_rate of those that were right. --json is one object there.
    --evaluate-pairs says how high intended words stand among the suggestions (top1,
    top5), and of how many words alone, or inside a sentence, lmkit correct makes them
    (corrected, corrected_in_sentence): it may leave a word as it was typed.

    Example:

        lmkit correct model.lm text.txt
        lmkit correct model.lm text.txt --jsonl
        lmkit correct model.lm --evaluate text.txt text.txt --json
    """
    model, texts = split_model(files)
    jobs = [flag for name, flag in JOBS.items() if given[name] is not None]
    shape = _shape(given, fmt)
    _check_calls(jobs, shape, texts, output, in_place)
    output = None if str(output) == "-" else output
    held = click.get_current_context().with_resource
    options = {name: given[name] for name in ("threshold", "beam", "channel_weight")}
    words = {"lexicon": given["lexicon"], "dictionary": given["dictionary"]}
    words |= {"encoding": encoding, "errors": errors}
    options["split_words"] = given["split_words"]
    if jobs:
        from lmkit.api import load
        from lmkit.cli import correct_jobs

        opened = None
        if given["tune"] is not None:
            if model is not None:
                held(claimed(model))
            opened = None if model is None else load(model)
            correct_jobs.check_tunable(model, opened)
        corrector = open_corrector(console, opened or model, personal=False, **words, **options)
        if opened is not None and model is not None:
            correct_jobs.tune(
                console, corrector, opened, model, given["tune"], encoding, errors, fmt
            )
        elif given["evaluate"] is not None:
            cuts = given["split_words"]
            correct_jobs.evaluate(
                console, corrector, given["evaluate"], cuts, encoding, errors, fmt
            )
        else:
            correct_jobs.evaluate_pairs(
                console, corrector, given["evaluate_pairs"], encoding, errors, fmt
            )
        return
    source = text_source(console, texts[0] if texts else None)
    if (in_place or shape == "interactive") and not isinstance(source, Path):
        flag = "--in-place" if in_place else "--interactive"
        raise UsageError(f"{flag} needs TEXT, a file", "lmkit correct MODEL FILE " + flag)
    if in_place and isinstance(source, Path) and source.exists():
        if not source.is_file():
            raise UsageError(f"--in-place needs a regular file, not {source}", "--output FILE")
        held(claimed(source))
    options |= {"explain": shape == "explain", "begun": shape == "interactive"}
    corrector = open_corrector(console, model, **words, **options)

    from lmkit.cli.correct_output import write_corrections
    from lmkit.text.encodings import Encoded
    from lmkit.text.reading import TextReader, iter_line_blocks

    asking = None
    if shape == "interactive":
        from lmkit.cli.correct_interactive import Asking

        asking = Asking(console, given["dictionary"], encoding)
    # Where TEXT is a link, what it leads to is written.
    target = source.resolve() if in_place and isinstance(source, Path) else output
    text: Source = source
    back = False
    if encoding is not None:
        # Only what goes back to TEXT keeps its encoding.
        back = isinstance(source, Path) and target is not None and _is_same(source, target)
        text = Encoded(source, encoding, kept=back)
    with ProgressBars(console, shares_terminal=target is None or asking is not None) as bars:
        reader = TextReader(
            text, errors, chunk_bytes=1 << 20, eager=True, progress=bars.bar("correcting")
        )
        blocks = iter_line_blocks(reader, originals=True)
        write_corrections(
            console,
            corrector,
            blocks,
            target,
            shape,
            fmt,
            asking,
            flag_only=given["flag_only"],
            encoding=(lambda: reader.encoding) if back else None,
        )
    say_replaced(console, reader.replaced)


def _is_same(source: Path, target: Path) -> bool:
    return target.exists() and source.exists() and target.samefile(source)


def _shape(given: dict[str, Any], fmt: Format) -> Shape:
    """What is written: the one of the flags that was given, rows, or text."""
    chosen = [name for name in SHAPES if given[name]]
    # Rows can hold explanations too.
    if fmt != "table" and chosen in ([], ["explain"], ["flag_only"]):
        return "explain" if chosen == ["explain"] else "rows"
    flags = [SHAPES[name] for name in chosen] + ([f"--{fmt}"] if fmt != "table" else [])
    if len(flags) > 1:
        raise UsageError(f"{' and '.join(flags)} exclude each other", "one of them")
    return chosen[0] if chosen else "text"  # type: ignore[return-value]


def _check_calls(
    jobs: list[str], shape: str, texts: list[str], output: Path | None, in_place: bool
) -> None:
    """Raises `UsageError` for what cannot be asked together."""
    if len(jobs) > 1:
        raise UsageError(f"{' and '.join(jobs)} exclude each other", "one after the other")
    if len(texts) > (0 if jobs else 1):
        what = f"{jobs[0]} takes no TEXT" if jobs else f"{texts[1]} is one file too many"
        raise UsageError(what, "lmkit correct MODEL TEXT; MODEL is an lmkit model")
    if jobs and (output is not None or in_place or shape not in ("text", "rows")):
        raise UsageError(
            f"{jobs[0]} writes figures, not text", "leaving out what says how text is written"
        )
    if output is not None and in_place:
        raise UsageError("--output and --in-place exclude each other", "one of the two")
    if in_place and shape not in ("text", "interactive"):
        raise UsageError("--in-place writes corrected text only", "--output FILE")
