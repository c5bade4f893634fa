"""Opening a model file that may come from anybody: nothing in it runs, and it opens nothing else.

A database can hold more than tables: views, triggers, virtual tables and computed columns are
programs. Those that a model reads are plain tables of stored values, or the file is refused; what
else is in the file is not looked at. What SQLite would allocate is bounded by the size of the file.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lmkit.store.schema import TABLES

LEAST_LENGTH = 1 << 20
"""Bytes that a row, or a statement of the schema, may have even in a small file."""


class Connection(sqlite3.Connection):
    """Lives as long as the columns and vocabularies that read through it, and no longer."""

    def __del__(self) -> None:
        self.close()


def connect(path: Path) -> Connection:
    """A connection to the database ``path`` that can only read. Raises `sqlite3.Error`."""
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False, factory=Connection)
    # No row is longer than its file, whatever a damaged page says of it.
    length = max(path.stat().st_size, LEAST_LENGTH)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, length)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    forbid(connection)
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def forbid(connection: sqlite3.Connection) -> None:
    """What stands in the schema of a file is not trusted to call anything."""
    connection.execute("PRAGMA trusted_schema = OFF")


def tables(connection: sqlite3.Connection, prefix: str = "") -> set[str]:
    """The tables of the model in ``connection`` whose names begin with ``prefix``, without it.

    Raises `ValueError` where one of them is anything but a table of stored values.
    """
    there = set()
    rows = connection.execute("SELECT name, type, sql FROM main.sqlite_master").fetchall()
    for name, kind, sql in rows:
        own = name.removeprefix(prefix) if isinstance(name, str) else ""
        if own not in TABLES or name != prefix + own:
            continue
        stored = kind == "table" and str(sql).upper().startswith("CREATE TABLE")
        hidden = connection.execute(f'PRAGMA main.table_xinfo("{name}")') if stored else ()
        if not stored or any(column[6] for column in hidden):
            raise ValueError(f"its {name} is not a table of stored values")
        there.add(own)
    return there
