"""Saying in one line that a model file is damaged, wherever that comes to light."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmkit.errors import ModelFileError, UsageError, one_line

HINT = "train it again, or restore a copy"

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
        reason = str(error).rstrip(".")
        if isinstance(error, KeyError):
            reason = f"it lacks {error}"
        elif isinstance(error, UsageError):
            # Its hint is for who chooses options, not for who has a file.
            reason = error.message
        raise ModelFileError(f"{path} is damaged: {one_line(reason)}", HINT) from error


def damaged(connection: sqlite3.Connection, reason: object) -> ModelFileError:
    """The error for the open model file that is not whole."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    return ModelFileError(f"{path} is damaged: {one_line(reason)}", HINT)


def query(
    connection: sqlite3.Connection, sql: str, parameters: tuple[Any, ...] = ()
) -> Iterator[Any]:
    """The rows of a query. Raises `ModelFileError` where SQLite finds the file damaged."""
    try:
        yield from connection.execute(sql, parameters)
    except sqlite3.ProgrammingError:
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise damaged(connection, error) from error
