"""Options, arguments and types that several commands share, each declared once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import click

from lmkit.cli.console import Console
from lmkit.cli.paths import InputPath, OutputPath
from lmkit.errors import UsageError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MODEL = InputPath(path_type=Path)
"""A model file. That it is one is checked when it is opened, whose errors say more."""

model_argument = click.argument("model", type=MODEL, metavar="MODEL")

text_argument = click.argument("text", required=False, type=InputPath(), metavar="[TEXT]")
"""TEXT of a command; pass it through `text_source`."""

output_option = click.option(
    "--output", "-o", type=OutputPath(path_type=Path), required=True, help="The file to write."
)


def _encoding(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The codec's own name for ``value``; None for UTF-8."""
    if value is None:
        return None
    from lmkit.text.encodings import checked_encoding

    found = checked_encoding(value)
    return None if found == "utf-8" else found


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: how the bytes of all text files become text, ``encoding`` (None is UTF-8) and
    ``errors``."""
    encoding = click.option(
        "--encoding",
        metavar="NAME",
        callback=_encoding,
        help="The encoding of the text files: a name that Python knows, such as gbk, shift_jis,"
        " koi8-r or utf-16.  [default: utf-8]",
    )
    errors = click.option(
        "--errors",
        type=click.Choice(["strict", "replace"]),
        default="strict",
        help="Bytes that are not valid in the encoding: stop there, or read them as U+FFFD and"
        " count them.",
    )
    return encoding(errors(function))


special_tokens_option = click.option(
    "--special-tokens",
    type=click.Choice(["error", "word", "unknown", "drop"]),
    help="What a literal <s> or </s> in TEXT is; drop: a mark between sentences."
    "  [default: as MODEL was trained]",
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Start of the random numbers, to draw the same again. Drawn and printed if not given.",
)


minimal_pairs_option = click.option(
    "--minimal-pairs",
    multiple=True,
    type=InputPath(),
    metavar="FILE",
    help="Add how often each model finds the good one of two sentences likelier"
    " (lmkit minimal-pairs).",
)


def empty_lines_option(default: bool | None = None, otherwise: str = "") -> Decorator:
    """``--skip-empty-lines/--keep-empty-lines`` as ``skip_empty_lines``; None if not given,
    which means what ``otherwise`` says."""
    return click.option(
        "--skip-empty-lines/--keep-empty-lines",
        default=default,
        show_default=False,
        help=f"Whether an empty line is skipped or is an empty sentence. {otherwise}".strip(),
    )


def text_source(console: Console, text: str | None) -> Path | BinaryIO:
    """What TEXT stands for: a file, or standard input for ``-`` and for none.

    Raises `UsageError` where that is a terminal, at which nobody knows to type.
    """
    if text not in (None, "-"):
        return Path(str(text))
    if console.stdin_is_terminal:
        context = click.get_current_context(silent=True)
        command = "lmkit" if context is None else context.command_path
        raise UsageError(
            "no TEXT, and standard input is a terminal",
            f"a file name, or text from another command: cat FILE | {command}",
        )
    if console.stdin is None:
        raise UsageError("no TEXT, and standard input is closed", "a file name")
    return console.stdin


def say_replaced(console: Console, replaced: int) -> None:
    """Say what ``--errors replace`` did, if anything."""
    if replaced:
        console.remark(f"{replaced} invalid sequences of bytes were read as U+FFFD")


def chosen_seed(console: Console, seed: int | None) -> int:
    """``seed``, or a fresh one; either is said, so that the run can be had again."""
    if seed is None:
        seed = secrets.randbits(32)
    console.remark(f"seed {seed}")
    return seed


class MemorySize(click.ParamType):
    """A number of bytes: ``2G``, ``500M``, ``1.5GiB``; K, M, G and T are powers of 1024,
    KB, MB, GB and TB powers of 1000, as sort(1) has it."""

    name = "size"
    _form = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?B)?|B)?", re.IGNORECASE)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        if isinstance(value, int):
            return value
        found = self._form.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not a size of memory; write 2G, 500M or 1.5GiB", param, ctx)
        number, letter, ending = found.groups()
        base = 1000 if (ending or "").upper() == "B" else 1024
        size = int(float(number) * base ** (" KMGT".index((letter or " ").upper())))
        if size < 1:
            self.fail(f"{value!r} is not enough memory; write 2G, 500M or 1.5GiB", param, ctx)
        return size


class Cutoffs(click.ParamType):
    """Count cutoffs by order, ``0,0,1``: n-grams seen at most so often are dropped.
    The last one holds for all higher orders; they do not decrease."""

    name = "cutoffs"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            cutoffs = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of cutoffs; write 0,0,1", param, ctx)
        if min(cutoffs) < 0 or list(cutoffs) != sorted(cutoffs):
            self.fail(
                f"{value!r}: cutoffs are at least 0 and do not decrease; write 0,0,1", param, ctx
            )
        return cutoffs


class Years(click.ParamType):
    """The first and the last of some years, ``1950-2000``, or one."""

    name = "years"
    _form = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = self._form.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not a range of years; write 1950-2000", param, ctx)
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            self.fail(f"{value!r}: the first year comes first; write 1950-2000", param, ctx)
        return first, last


class Numbers(click.ParamType):
    """Numbers with commas between them; ``example`` is what the error says to write."""

    example: str

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of {self.name}; write {self.example}", param, ctx)


class Weights(Numbers):
    """A weight of each model."""

    name = "weights"
    example = "0.7,0.3"
