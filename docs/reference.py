"""Writes ``docs/commands.md``: what every command says with ``--help``.

python docs/reference.py            # writes the page
python docs/reference.py --check    # fails where the page is not what it would write
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "commands.md"
WIDTH = 90

HEAD = """# The commands

What each command says with `--help`, without the common options, which all of them take. This
page is written by `make docs`, not by hand.

"""
COMMON = re.compile(r"^Common options:\n(?:  .*\n)+\n", re.MULTILINE)


def reference() -> str:
    """The page as it should be."""
    sys.path.insert(0, str(ROOT))
    from lmkit.cli.main import SECTIONS, cli

    settings = {**cli.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    top = click.Context(cli, info_name="lmkit", **settings)
    parts = [HEAD]
    for heading, rows in SECTIONS.items():
        links = [f"[{name}](#lmkit-{name})" for name in rows]
        parts.append(f"- {heading}: {', '.join(links)}\n")
    parts.append(f"\n{_fenced(cli, top)}")
    for heading, rows in SECTIONS.items():
        parts.append(f"\n## {heading}\n")
        for name in rows:
            command = cli.get_command(top, name)
            assert command is not None
            parts.append(_of(command, name, top, 3))
    return "".join(parts)


def _of(command: click.Command, name: str, parent: click.Context, level: int) -> str:
    context = click.Context(command, parent=parent, info_name=name)
    shown = COMMON.sub("", _fenced(command, context))
    parts = [f"\n{'#' * level} {context.command_path}\n\n{shown}"]
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            parts.append(_of(found, inner, context, level + 1))
    return "".join(parts)


def _fenced(command: click.Command, context: click.Context) -> str:
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def main() -> int:
    """Write the page, or with ``--check`` say whether it is stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    arguments = parser.parse_args()
    text = reference()
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text
    if stale:
        print(f"Error: {PAGE.name} is stale. Try: make docs.", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
