"""Options in ``--help`` under headings, in columns that line up from one heading to the next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

COLUMN = 27
"""Options with longer names have their help on the next line."""
COMMON = "Common options"
UNBROKEN = "\ue000"
"""Stands for a hyphen while lines are filled: names of options and methods stay whole."""


def heading(
    title: str, *options: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: ``options`` (decorators themselves), listed under ``title``."""

    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        before = len(getattr(function, "__click_params__", []))
        for option in reversed(options):
            function = option(function)
        for parameter in getattr(function, "__click_params__", [])[before:]:
            parameter.heading = title
        return function

    return apply


def write_options(
    command: click.Command, context: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options of ``command``, those without a heading first."""
    sections: dict[str, list[tuple[str, str]]] = {"Options": []}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            is_help = set(parameter.opts) == set(context.help_option_names)
            title = COMMON if is_help else getattr(parameter, "heading", "Options")
            sections.setdefault(title, []).append((record[0], _readable(record[1])))
    sections[COMMON] = sections.pop(COMMON, [])
    rows = [row for section in sections.values() for row in section]
    longest = max((len(name) for name, _ in rows if len(name) <= COLUMN), default=0)
    for title, section in sections.items():
        if section:
            with formatter.section(title):
                padded = [(name.ljust(longest), text) for name, text in section]
                formatter.write_dl(padded, col_max=COLUMN)


def _readable(text: str) -> str:
    """``text`` without the lower ends of ranges, which go without saying, and with hyphens at
    which no line ends."""
    text = re.sub(r"(; |\s*\[)x>=?\d+\]$", lambda found: "]" if found[1] == "; " else "", text)
    return text.replace("-", UNBROKEN)
