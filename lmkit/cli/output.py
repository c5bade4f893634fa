"""Rows for people and for programs: one decorator, one writer.

A command that lists takes ``--json``, ``--jsonl``, ``--csv`` and ``--tsv`` through
`output_formats` and hands its rows to `write_rows` or a `RowWriter`. Everything streams:
memory does not grow with the number of rows, in any format.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from itertools import islice
from json import JSONEncoder
from typing import Any, Literal

import click

from lmkit.cli.console import Console
from lmkit.cli.headings import heading
from lmkit.cli.layout import TableLayout

Format = Literal["table", "json", "jsonl", "csv", "tsv"]
Row = Sequence[Any]

FLAGS: dict[Format, str] = {
    "json": "A JSON array of objects.",
    "jsonl": "One JSON object a line.",
    "csv": "Comma-separated values with a header line.",
    "tsv": "Tab-separated values with a header line.",
}

BLOCK = 1000
"""Rows that are written in one go, and from the first of which a table takes its widths."""


def output_formats(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: adds the output flags, and passes the chosen `Format` as ``fmt``.

    Two flags at once are a usage error; none means a table.
    """

    @wraps(function)
    def choose(*args: Any, **options: Any) -> Any:
        chosen: list[Format] = [name for name in FLAGS if options.pop(f"as_{name}")]
        if len(chosen) > 1:
            flags = " and ".join(f"--{name}" for name in chosen)
            raise click.UsageError(
                f"{flags} exclude each other", click.get_current_context(silent=True)
            )
        return function(*args, fmt=chosen[0] if chosen else "table", **options)

    flags = [
        click.option(f"--{name}", f"as_{name}", is_flag=True, help=text)
        for name, text in FLAGS.items()
    ]
    return heading("Output formats", *flags)(choose)


def write_rows(
    console: Console, rows: Iterable[Row], columns: Sequence[str], fmt: Format = "table"
) -> None:
    """Write ``rows``, each with one value a column, to standard output."""
    remaining = iter(rows)
    with RowWriter(console, columns, fmt) as writer:
        while block := list(islice(remaining, BLOCK)):
            writer.write(block)


class RowWriter:
    """Writes blocks of rows in one of the formats; use it as a context manager.

    What is infinite or not a number is null in JSON. Tables round numbers for
    reading, the other formats give every digit.
    """

    def __init__(self, console: Console, columns: Sequence[str], fmt: Format = "table") -> None:
        self._write = console.write
        self._columns = list(columns)
        self._separator = "["
        if fmt == "table":
            self._layout = TableLayout(console, self._columns)
            self.write: Callable[[Sequence[Row]], None] = self._write_table
        elif fmt in ("csv", "tsv"):
            self._table = csv.writer(_Lines(console.write), delimiter="," if fmt == "csv" else "\t")
            self._table.writerow(self._columns)
            self.write = self._write_separated
        else:
            self.write = self._write_json if fmt == "json" else self._write_json_lines
        self._format = fmt

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        if self._format == "table":
            self._write(self._layout.rest())
        elif self._format == "json":
            self._write("[]\n" if self._separator == "[" else "]\n")

    def _write_table(self, rows: Sequence[Row]) -> None:
        self._write(self._layout.lines(rows))

    def _write_separated(self, rows: Sequence[Row]) -> None:
        self._table.writerows(rows)

    def _write_json_lines(self, rows: Sequence[Row]) -> None:
        self._write("".join([f"{self._object(row)}\n" for row in rows]))

    def _write_json(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._write(self._separator + self._object(row))
            self._separator = ",\n "

    def _object(self, row: Row) -> str:
        return to_json(dict(zip(self._columns, row, strict=True)))


class _Lines:
    """A file for the csv module, which ends its lines with CR LF and quotes both only then."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def write(self, line: str) -> None:
        self._write(f"{line[:-2]}\n")


def to_json(value: Any) -> str:
    """``value`` as JSON text on one line; numbers that JSON has no word for become null."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(_without_infinities(value))


def _without_infinities(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_infinities(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinities(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _without_infinities(value.tolist())
    return value


def _plain(value: Any) -> Any:
    # NumPy's scalars and arrays, without importing NumPy to ask.
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


_ENCODER = JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain)
