"""Options of ``lmkit train`` for the noisy channel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lmkit.cli.headings import heading
from lmkit.cli.paths import InputPath
from lmkit.errors import UsageError
from lmkit.registry import names

BACKEND = "noisy-channel"
NAMES = ("source", "pairs", "noisy", "channel", "embed", "lexicon")
"""Names of these options among those of the command."""
ALLOWED = {*NAMES, "backend", "encoding", "errors"}


def channel_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: what a noisy channel is made of. Not given is None."""
    return heading(
        f"Noisy channel (--backend {BACKEND})",
        click.option(
            "--source",
            type=InputPath(path_type=Path, in_place="embed"),
            metavar="MODEL",
            help="The model of what is meant.",
        ),
        click.option(
            "--pairs",
            type=InputPath(path_type=Path),
            metavar="FILE",
            help="Errors to learn from: typed<TAB>intended[<TAB>count] a line."
            "  [default: those of English]",
        ),
        click.option(
            "--noisy",
            type=InputPath(path_type=Path),
            metavar="TEXT",
            help="Learn the errors from text that has some, by what --source expects.",
        ),
        click.option(
            "--channel",
            type=click.Choice(names("channel")),
            help="How errors are modelled.  [default: brill-moore]",
        ),
        click.option(
            "--embed",
            is_flag=True,
            default=None,
            help="Put --source into OUTPUT instead of its name and checksum.",
        ),
        click.option(
            "--lexicon",
            type=InputPath(path_type=Path),
            metavar="FILE",
            help="Put the words of FILE into OUTPUT, for corrections: word[<TAB>count] a line.",
        ),
    )(function)


def channel_of(options: dict[str, Any], texts: tuple[str, ...]) -> dict[str, Any] | None:
    """What a noisy channel is to be made of; None where another backend is asked for.

    Raises `UsageError` for options that do not go together.
    """
    if options.get("backend", "ngram") != BACKEND:
        given = [f"--{name}" for name in NAMES if name in options]
        if given:
            raise UsageError(f"{', '.join(given)} is for noisy channels", f"--backend {BACKEND}")
        return None
    if "source" not in options:
        raise UsageError(
            "a noisy channel needs a model of what is meant", "--source MODEL, any lmkit model"
        )
    if texts:
        raise UsageError(
            f"a noisy channel is not trained on TEXT ({texts[0]})",
            "--noisy TEXT for text with errors; lmkit train TEXT makes the model for --source",
        )
    others = [name for name in options if name not in ALLOWED]
    if others:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(others))
        raise UsageError(f"{flags} means nothing to a noisy channel", f"leaving out {flags}")
    return {key: value for key, value in options.items() if key != "backend"}
