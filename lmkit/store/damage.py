"""Saying in one line that a model file is damaged, wherever that comes to light."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmkit.errors import ModelFileError, UsageError

HINT = "train it again, or restore a copy"
LONGEST = 200
"""Characters of a reason that are shown."""

STUMBLES = (
    sqlite3.DatabaseError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    UsageError,
)
"""What reading meets where a file does not hold what was written: SQLite's own complaints,
broken JSON and UTF-8, missing keys, values of another type or size, settings that there are not."""


@contextlib.contextmanager
def damage(path: str | Path) -> Iterator[None]:
    """Turn whatever reading the model file ``path`` stumbles over into a `ModelFileError`."""
    try:
        yield
    except STUMBLES as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise ModelFileError(f"{path} is damaged: {_shown(reason)}", HINT) from error


def _shown(reason: str) -> str:
    """``reason``, which may quote what stands in the file, as one line without control
    characters."""
    line = " ".join(reason.split())
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def damaged(connection: sqlite3.Connection, reason: object) -> ModelFileError:
    """The error for the open model file that is not whole."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    return ModelFileError(f"{path} is damaged: {_shown(str(reason))}", HINT)


def query(
    connection: sqlite3.Connection, sql: str, parameters: tuple[Any, ...] = ()
) -> Iterator[Any]:
    """The rows of a query. Raises `ModelFileError` where SQLite finds the file damaged."""
    try:
        yield from connection.execute(sql, parameters)
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.DatabaseError as error:
        raise damaged(connection, error) from error
