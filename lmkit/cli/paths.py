"""Files on a command line: which are read and which are written, and that none is lost.

Every parameter that names a file has one of the types of this module. Before a command begins,
`check_files` looks at what it has been given, whatever the command is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from lmkit.cli.console import Console
from lmkit.files.overwriting import Named

Group = tuple[list[Named], list[Named]]
"""Files that are written, and those that they must not be."""
Files = Callable[[Mapping[str, Any]], Iterable[Group]]
"""What the types do not say of a command's files, from the values of its parameters."""


class InputPath(click.Path):
    """A file that is read. ``in_place``: it may be written over by what is made of it, always or
    if the flag of that name is given."""

    def __init__(self, *, in_place: bool | str = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.in_place = in_place


class OutputPath(click.Path):
    """A file that is written."""


class OutputFolder(click.Path):
    """A directory of files that are written; which ones, the command itself says."""


def check_files(context: click.Context, files: Files | None) -> None:
    """Raises `UsageError` where a command would write over what it reads, or twice to a file."""
    params = context.params
    kinds = [(one, one.type, params.get(one.name or "")) for one in context.command.params]
    written = [
        file
        for parameter, kind, given in kinds
        if isinstance(kind, OutputPath)
        for file in named(_role(parameter), given)
    ]
    groups = list(files(params)) if files is not None else []
    if not written and not groups:
        return
    # It takes what opens models, which most commands need later or not at all.
    from lmkit.files.overwriting import refuse_one_place, refuse_overwriting
    from lmkit.store.targets import with_parts

    refuse_one_place(written)
    read = []
    console = context.find_object(Console)
    inputs = [(one, kind, given) for one, kind, given in kinds if isinstance(kind, InputPath)]
    if console is not None and not any(
        isinstance(parameter, click.Argument) and kind.in_place is True
        for parameter, kind, _ in inputs
    ):
        read.append(Named("standard input", console.stdin))
    for parameter, kind, given in inputs:
        for file in named(_role(parameter), given):
            # What is rewritten may go, what it is made of may not.
            first = 1 if kind.in_place is True or params.get(str(kind.in_place)) else 0
            read += with_parts(file.role, file.place)[first:]
    refuse_overwriting(written, read)
    for others, sources in groups:
        refuse_overwriting(
            others, [part for one in sources for part in with_parts(one.role, one.place)]
        )


def named(role: str, given: Any) -> list[Named]:
    """The value of a parameter, which may be none, one file or several."""
    if given is None:
        return []
    return [Named(role, one) for one in (given if isinstance(given, tuple) else (given,))]


def _role(parameter: click.Parameter) -> str:
    """What people call a parameter: ``--output``, ``TEXT``."""
    if isinstance(parameter, click.Argument):
        return re.sub(r"[\[\].]", "", parameter.metavar or parameter.human_readable_name)
    return max(parameter.opts, key=len)
