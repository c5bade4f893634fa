"""``lmkit info``: what a model is and what made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import model_argument
from lmkit.cli.output import Format, output_formats, to_json, write_rows


@command()
@model_argument
@output_formats
@pass_console
def info(console: Console, model: Path, fmt: Format) -> None:
    """Say what a model is, how it reads text, and what made it.

    --json is one object with all there is to know; the history has what each run was
    given, its text's checksum and how long it took.

    Example:

        lmkit info model.lm
        lmkit info model.lm --json
    """
    from lmkit.api import load

    opened = load(model)
    facts: dict[str, Any] = {
        "model": str(model),
        "bytes": model.stat().st_size,
        **opened.describe(),
        "history": getattr(opened, "runs", []),
    }
    if fmt in ("json", "jsonl"):
        console.write_line(to_json(facts))
        return
    rows = list(_flat(facts))
    if fmt != "table":
        write_rows(console, rows, ["name", "value"], fmt)
        return
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.write_line(f"{name.ljust(width)}  {value}")


def _flat(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values as text; what is in an object gets its names behind the object's."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        shown = name.replace("_", " ")
        if isinstance(value, dict):
            rows += [(f"{shown}: {inner}", text) for inner, text in _flat(value)]
        elif name == "history":
            rows += [(f"{shown} {k}", _run(run)) for k, run in enumerate(value, 1)]
        elif name == "ngrams":
            rows += [(f"{k}-grams", f"{count:,}") for k, count in enumerate(value, 1)]
        elif name == "notes":
            rows += [("note", note) for note in value]
        elif name == "discounts":
            rows += [
                (f"{shown} {k}", ", ".join(f"{d:.6g}" for d in discounts))
                for k, discounts in enumerate(value, 1)
            ]
        else:
            rows.append((shown, _text(value)))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _run(run: dict[str, Any]) -> str:
    sources = f" {', '.join(run['sources'])}" if run["sources"] else ""
    tokens = f", {run['tokens']:,} tokens" if run["tokens"] else ""
    version = run["versions"].get("lmkit", "?")
    return f"{run['what']}{sources}{tokens}, {run['started']}, {run['seconds']} s, lmkit {version}"
