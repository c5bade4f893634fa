"""``lmkit perplexity``: how well models predict a text."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.layout import NOTHING, integer, number, text
from lmkit.cli.options import (
    empty_lines_option,
    reading_options,
    say_replaced,
    special_tokens_option,
    text_source,
)
from lmkit.cli.output import Format, output_formats, write_rows
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.cli.running import given_running, running_options, settled_running
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.measures import Perplexity

FIGURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "sentences": ("sentences", integer),
    "tokens": ("tokens, with </s>", integer),
    "oovs": ("unknown words (oovs)", integer),
    "log10_probability": ("log10 probability", number),
    "perplexity": ("perplexity", number),
    "perplexity_excluding_oovs": ("perplexity excluding oovs", number),
    "srilm_ppl": ("SRILM ppl", number),
    "srilm_ppl1": ("SRILM ppl1", number),
    "bits_per_token": ("bits per token", number),
    "characters": ("characters of the text", integer),
    "bytes": ("bytes of the text", integer),
    "bits_per_character": ("bits per character", number),
    "bits_per_byte": ("bits per byte", number),
}
"""The figures in the order of the keys, each with its name and form for people."""


@command()
@click.argument("files", nargs=-1, required=True, type=InputPath(), metavar="MODEL... [TEXT]")
@empty_lines_option(otherwise="As MODEL was trained, if neither is given.")
@special_tokens_option
@running_options("carry")
@reading_options
@output_formats
@pass_console
def perplexity(
    console: Console,
    files: tuple[str, ...],
    skip_empty_lines: bool | None,
    special_tokens: str | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
    state: str | None,
    **running: Any,
) -> None:
    """Measure how well models predict text.

    A file that is an lmkit model is a MODEL, the other one is TEXT. The figures:

      perplexity                 every token counts, </s> and unknown words too
      perplexity excluding oovs  without the unknown words
      SRILM ppl, ppl1            as SRILM gives them: without unknown words, and
                                 ppl1 without </s> in the number of tokens
      bits per token             log2 of the perplexity
      bits per character, byte   a code length for the text itself, in which unknown
                                 words pay for their spelling: compare it between
                                 models with different vocabularies or tokens

    Bits are divided by the length of TEXT as it stands in the file (each line end
    counts as one), the same for all models. Some models do
    not read all of it, such as capital letters or two spaces in a row. Standard error
    names them: their bits leave that out.

    A network goes on from line to line (--state carry), which the figures say then.
    With --tune-cache or --cache it also remembers the words of the text so far.

    --json is an array with one object a model, always.

    Example:

        lmkit perplexity model.lm text.txt
        lmkit perplexity model.lm text.txt --json
    """
    models, text = split_files(files)
    given = given_running(running)
    source = text_source(console, text)

    from lmkit.api import load
    from lmkit.evaluate.perplexity import measured, state_used
    from lmkit.text.encodings import encoded

    found: list[tuple[str, Perplexity, str | None]] = []
    unread: dict[tuple[str, ...], list[str]] = {}
    one = None
    bounds: list[str] = []
    with ProgressBars(console) as bars, Rereadable(source, len(models)) as text_again:
        for path in models:
            model = load(path)
            options = settled_running(
                console, bars, model, given, encoding, errors=errors, special_tokens=special_tokens
            )
            one = measured(
                model,
                encoded(text_again(), encoding),
                skip_empty_lines=skip_empty_lines,
                special_tokens=special_tokens,
                errors=errors,
                state=state,
                running=options,
                progress=bars.bar(Path(path).name, "tokens"),
                text=None if one is None else one.text,
            )
            found.append((path, one.figures, state_used(model, state, options)))
            unread.setdefault(one.unread, []).append(path)
            if model.lower_bound:
                bounds.append(path)
    for path in bounds:
        console.remark(
            f"{path} sums over the likelier ways to mean the text only: its probabilities are "
            "lower bounds, its perplexity an upper one."
        )
    _say_unread(console, unread)
    say_replaced(console, 0 if one is None else one.replaced)
    if fmt == "table":
        write_figures(console, found)
        return
    write_rows(console, [_row(*one, found) for one in found], _columns(found), fmt)


def _say_unread(console: Console, unread: dict[tuple[str, ...], list[str]]) -> None:
    """Say which models, by what they do not read of the text, have bits of less than that."""
    for parts, paths in unread.items():
        if not parts:
            continue
        do, their = ("does", "its") if len(paths) == 1 else ("do", "their")
        console.remark(
            f"{', '.join(paths)} {do} not read all of the text ({', '.join(parts)}):"
            f" {their} bits per character and byte leave that out"
        )
    if len(unread) > 1:
        console.remark("lmkit compare has all models read one and the same text")


Found = Sequence[tuple[str, "Perplexity", str | None]]
"""Models with their figures, and what became of their state from line to line, if they have one."""


def _columns(found: Found) -> list[str]:
    """The keys; ``state`` only where a model has one."""
    with_state = any(state is not None for _, _, state in found)
    return ["model", *FIGURES, *(["state"] if with_state else [])]


def _row(path: str, figures: Perplexity, state: str | None, found: Found) -> list[Any]:
    row = [path, *figures.as_dict().values(), state]
    return row[: len(_columns(found))]


def split_files(files: Sequence[str]) -> tuple[list[str], str | None]:
    """The models among ``files``, and TEXT.

    Raises `UsageError` where there is no model or more than one other file.
    """
    from lmkit.store.modelfile import is_model_file, kind_of_file

    # Looking into a pipe would take its first bytes away.
    models = [path for path in files if Path(path).is_file() and is_model_file(path)]
    others = [path for path in files if path not in models]
    if not models:
        missing = [path for path in others if path != "-" and not Path(path).exists()]
        if missing:
            raise UsageError(f"there is no file {missing[0]}", "the name of a model file")
        # Looking into a pipe would take its first bytes away.
        for path in filter(os.path.isfile, others):
            if (kind := kind_of_file(path)) is not None:
                raise UsageError(f"{path} is not an lmkit model but {kind.what}", kind.hint(path))
        raise UsageError(
            f"no lmkit model among {', '.join(others)}", "lmkit train TEXT --output MODEL.lm"
        )
    if len(others) > 1:
        raise UsageError(
            f"only one file can be TEXT, and these are not lmkit models: {', '.join(others)}",
            "cat FILES | lmkit perplexity MODEL -, or lmkit info FILE to see what is wrong with it",
        )
    return models, others[0] if others else None


class Rereadable:
    """Lets several readers have one source, one after the other; a context manager that
    gives a callable for the source.

    A file is opened anew by each. What can be read only once (standard input, a pipe) is
    copied to a temporary file if there is more than one reader.
    """

    def __init__(self, source: Path | BinaryIO, readers: int) -> None:
        self._source = source
        self._copy: BinaryIO | None = None
        once = not isinstance(source, Path) or (source.exists() and not source.is_file())
        if once and readers > 1 and not (isinstance(source, Path) and source.is_dir()):
            self._copy = cast(BinaryIO, tempfile.TemporaryFile())

    def __enter__(self) -> Callable[[], Path | BinaryIO]:
        if self._copy is not None:
            if isinstance(self._source, Path):
                with self._source.open("rb") as stream:
                    shutil.copyfileobj(stream, self._copy)
            else:
                shutil.copyfileobj(self._source, self._copy)
        return self._again

    def _again(self) -> Path | BinaryIO:
        if self._copy is None:
            return self._source
        self._copy.seek(0)
        return self._copy

    def __exit__(self, *_: object) -> None:
        if self._copy is not None:
            self._copy.close()


def write_figures(console: Console, found: Found) -> None:
    """A column a model. Where the names are too long for that, columns are numbered, and the
    numbers explained above them; where there are too many, the rest comes below."""
    names = ["model", *(name for name, _ in FIGURES.values())]
    if not any(figures.sentences for _, figures, _ in found):
        # Models without sentence marks have no </s>.
        names = ["tokens" if name == FIGURES["tokens"][0] else name for name in names]
    columns = [
        [text(path), *(form(getattr(figures, key)) for key, (_, form) in FIGURES.items())]
        for path, figures, _ in found
    ]
    if len(_columns(found)) > len(names):
        names.append("state from line to line")
        for column, (_, _, state) in zip(columns, found, strict=True):
            column.append(NOTHING if state is None else state)
    room = max(console.width, 80) - max(map(len, names))
    if len(found) > 1 and sum(max(map(len, column)) + 2 for column in columns) > room:
        for number, column in enumerate(columns, 1):
            console.write_line(f"{number}  {column[0]}")
            column[0] = str(number)
        console.write_line()
    while columns:
        widths = [max(map(len, column)) + 2 for column in columns]
        count = max(1, sum(total <= room for total in accumulate(widths)))
        _write_columns(console, names, columns[:count])
        columns = columns[count:]
        if columns:
            console.write_line()


def _write_columns(
    console: Console, names: Sequence[str], columns: Sequence[Sequence[str]]
) -> None:
    first = max(map(len, names))
    widths = [max(map(len, column)) for column in columns]
    for line, name in enumerate(names):
        cells = [column[line].rjust(width) for column, width in zip(columns, widths, strict=True)]
        console.write_line("  ".join([name.ljust(first), *cells]))
