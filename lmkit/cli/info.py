"""``lmkit info``: what a model is and what made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.layout import NOTHING, megabytes, text
from lmkit.cli.model_options import TEXT_OPTIONS
from lmkit.cli.options import model_argument, reading_options
from lmkit.cli.output import Format, output_formats, to_json, write_rows
from lmkit.cli.paths import InputPath
from lmkit.errors import UsageError


@command()
@model_argument
@click.option("--neighbours", metavar="WORD", help="Words nearest to WORD in a network.")
@click.option("--gates", metavar="TEXT", help="What the gates of a network do as it reads TEXT.")
@click.option("--curve", is_flag=True, help="The losses of a network over its training.")
@click.option(
    "--text",
    "sample",
    type=InputPath(),
    metavar="FILE",
    help="Say what the tokenizer makes of FILE: compression, tokens a word, script by script.",
)
@reading_options
@output_formats
@pass_console
def info(
    console: Console,
    model: Path,
    neighbours: str | None,
    gates: str | None,
    curve: bool,
    sample: str | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
) -> None:
    """Say what a model or a tokenizer is, and what made it.

    The last lines are its history: each training, pruning or import, with its text's
    checksum and its options. --json is one object with all there is to know. MODEL may
    be a file of lmkit train-tokenizer.

    Example:

        lmkit info model.lm
        lmkit info model.lm --json
    """
    from lmkit.api import load
    from lmkit.cli.tokenizer_info import of_model, opened_tokenizer, tokenizer_section

    stored = opened_tokenizer(model)
    if stored is not None:
        if neighbours is not None or gates is not None or curve:
            raise UsageError(f"{model} is a tokenizer, not a network", "leaving out these options")
        section = tokenizer_section(console, stored, sample, encoding, errors)
        _write(
            console,
            {
                "file": str(model),
                "bytes": model.stat().st_size,
                "tokenizer": section,
                "history": stored.runs,
            },
            fmt,
        )
        return
    opened = load(model)
    if neighbours is not None or gates is not None or curve:
        from lmkit.cli import network_info

        if neighbours is not None:
            network_info.show_neighbours(console, opened, neighbours)
        if gates is not None:
            network_info.show_gates(console, opened, gates)
        if curve:
            network_info.show_curve(console, opened)
        return
    facts: dict[str, Any] = {
        "model": str(model),
        "bytes": model.stat().st_size,
        **opened.describe(),
    }
    if sample is not None or opened.encoder.settings.tokenizer.vocabulary is not None:
        own = of_model(opened)
        facts["tokenizer"] = tokenizer_section(console, own, sample, encoding, errors)
    _write(console, {**facts, "history": getattr(opened, "runs", [])}, fmt)


def _write(console: Console, facts: dict[str, Any], fmt: Format) -> None:
    if fmt in ("json", "jsonl"):
        console.write_line(to_json(facts))
        return
    if fmt != "table":
        write_rows(console, list(_flat(facts)), ["name", "value"], fmt)
        return
    rows = list(_for_people(facts))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.write_line(f"{name.ljust(width)}  {value}".rstrip())


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value in ``value``, with the names that lead to it: ``text.tokenizer``."""
    if isinstance(value, dict):
        inner: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        inner = enumerate(value, 1)
    else:
        yield name, value
        return
    for key, entry in inner:
        yield from _flat(entry, f"{name}.{key}" if name else str(key))


def _for_people(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values to read; what is in an object or a list is on lines of its own."""
    from lmkit.cli.tokenizer_info import section_rows

    for name, value in facts.items():
        shown = name.replace("_", " ")
        if name == "bytes":
            yield "size", megabytes(value)
        elif name == "models":
            yield from (("  made of", f"{part['model']} ({part['backend']})") for part in value)
        elif name == "ngrams":
            yield from _sizes(value)
        elif name == "notes":
            yield from (("note", note) for note in value)
        elif name == "history":
            for run in value:
                yield from _run(run)
        elif name == "tokenizer":
            yield from section_rows(value)
        elif name in ("text", "parameters", "fit"):
            for inner, entry in value.items():
                if inner not in facts:
                    yield from _entry(inner.replace("_", " "), entry)
        elif value is not None:
            yield from _entry(shown, value)


def _sizes(counts: Sequence[int]) -> Iterator[tuple[str, str]]:
    """An order a line, but for those side by side that have no n-grams."""
    order = 1
    for none, run in groupby(counts, lambda count: count == 0):
        sizes = list(run)
        last = order + len(sizes) - 1
        if none and last > order:
            yield f"{order}- to {last}-grams", "0"
        else:
            yield from ((f"{n}-grams", f"{count:,}") for n, count in enumerate(sizes, order))
        order = last + 1


def _entry(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list) and value and isinstance(value[0], list):
        order = 1
        for values, run in groupby(value):
            last = order + len(list(run)) - 1
            orders = str(order) if last == order else f"{order} to {last}"
            yield f"{name} {orders}", ", ".join(map(_text, values))
            order = last + 1
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: NOTHING}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return text(value)


RUNS = {
    "train": "trained",
    "append": "appended",
    "import": "imported",
    "mix": "mixed",
    "merge": "merged",
    "prune": "pruned",
    "resmooth": "smoothed anew",
}


def _run(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What happened, and when; then on what, and with which options."""
    version = run["versions"].get("lmkit", "?")
    when = run["started"].replace("T", " ")[:16]
    yield RUNS.get(run["what"], run["what"]), f"{when} UTC, {run['seconds']} s, lmkit {version}"
    yield from (("  from", source) for source in run["sources"])
    if run["tokens"]:
        yield "  text", f"{run['tokens']:,} tokens in {run['sentences']:,} sentences"
    if run["sha256"]:
        yield "  sha256", run["sha256"]
    chosen = {key: value for key, value in run["options"].items() if key not in TEXT_OPTIONS}
    if chosen:
        yield "  options", _text(chosen)
