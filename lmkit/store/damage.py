"""Saying in one line that a model file is damaged, wherever that comes to light."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from lmkit.errors import ModelFileError


def damaged(connection: sqlite3.Connection, reason: object) -> ModelFileError:
    """The error for the open model file that is not whole."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    return ModelFileError(f"{path} is damaged: {reason}", "train it again, or restore a copy")


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
