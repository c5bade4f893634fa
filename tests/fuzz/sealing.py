"""Right checksums for wrong content, as somebody would make them who changes a file on purpose."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from lmkit.store import checksums


def change(path: Path, *statements: str) -> None:
    """Change the model file ``path`` through SQL, and give it the checksums for that."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    seal(path)


def seal(path: Path) -> None:
    """Give all that stands in the model file ``path`` the checksums that it should have, as
    somebody would who damages it on purpose. What cannot be summed keeps what it has."""
    stumbles = (sqlite3.Error, TypeError, ValueError, AttributeError, OverflowError)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        prefixes = {name.removesuffix("meta") for (name,) in rows if name.endswith("meta")}
        connection.create_function("block_crc", 2, checksums.block_crc)
        connection.create_function("tensor_crc", 4, checksums.tensor_crc)
        for prefix in sorted(prefixes):
            for sql in (
                f'UPDATE "{prefix}blocks" SET crc = block_crc(id, data)',
                f'UPDATE "{prefix}tensors" SET crc = tensor_crc(name, dtype, shape, data)',
            ):
                with contextlib.suppress(*stumbles):
                    connection.execute(sql)
            for name in checksums.WHOLE:
                with contextlib.suppress(*stumbles):
                    checksums.seal_table(connection, name, prefix)
            with contextlib.suppress(*stumbles):
                _seal_vocabulary(connection, prefix)
        connection.commit()


def _seal_vocabulary(connection: sqlite3.Connection, prefix: str) -> None:
    rows = connection.execute(f'SELECT id, token, count FROM "{prefix}vocabulary" ORDER BY id')
    found = [(number, token, count) for number, token, count in rows]
    if not found:
        return
    ordered = sorted(found, key=lambda row: row[1])
    connection.executemany(
        f'UPDATE "{prefix}vocabulary" SET crc = ? WHERE id = ?',
        (
            (checksums.token_crc(one[0], one[1], after[1]), one[0])
            for one, after in zip(ordered, ordered[1:] + ordered[:1], strict=True)
        ),
    )
    connection.execute(f"""DELETE FROM "{prefix}checksums" WHERE name LIKE 'vocabulary%'""")
    tokens, counts = [row[1] for row in found], [row[2] for row in found]
    checksums.seal_vocabulary(connection, tokens, counts, prefix)
