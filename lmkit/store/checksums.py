"""Checksums of what a model file holds: CRC-32, which finds any damage of a few bytes, and other
damage but once in four billion times. It is no signature: who changes a file on purpose can change
the checksum with it, and what is read is looked at as if nobody had checked it.

A row of the table ``checksums`` is for something that is read whole:

- ``meta``, ``columns``, ``runs``, ``training_log``, ``edits``, ``merges``, ``pieces``: the rows as
  JSON, in the order of their keys; NULL for edits that were changed by hand;
- ``tensors``: the same of their names, types and shapes;
- ``vocabulary.token``, ``vocabulary.count``: the tokens behind each other, and their counts.

The column ``crc`` is for what is read row by row, and covers the row's key, as rows may be swapped.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.store.schema import BY_HAND, CHANGES, CHECKSUMS

WHOLE = {
    "meta": "SELECT key, value FROM {} ORDER BY key",
    "columns": "SELECT id, name, dtype, length FROM {} ORDER BY id",
    "runs": "SELECT id, what, started, seconds, sources, sha256, tokens, sentences, options, seed,"
    " versions FROM {} ORDER BY id",
    "training_log": "SELECT id, updates, epoch, tokens, seconds, loss, gradient_norm,"
    " learning_rate, valid_loss FROM {} ORDER BY id",
    "tensors": "SELECT name, dtype, shape FROM {} ORDER BY name",
    "edits": "SELECT id, kind, context, intended, typed, count FROM {} ORDER BY id",
    "merges": 'SELECT rank, "left", "right" FROM {} ORDER BY rank',
    "pieces": "SELECT id, piece, log_prob FROM {} ORDER BY id",
}
"""The tables that are read whole, and how."""
ROWS = frozenset(("vocabulary", "blocks", "tensors"))
"""The tables whose rows have checksums of their own."""
TOKENS, COUNTS = "vocabulary.token", "vocabulary.count"


def rows_crc(rows: Iterable[Sequence[Any]]) -> int:
    """Of rows of a table. Raises `TypeError` where one holds what is neither text nor a number."""
    return zlib.crc32(json.dumps(list(rows)).encode())


def block_crc(key: int, data: Any) -> int:
    """Of the row of ``blocks`` with the id ``key``."""
    return zlib.crc32(data, zlib.crc32(b"%d" % key))


def tensor_crc(name: str, dtype: str, shape: str, data: Any) -> int:
    """Of a row of ``tensors``."""
    return zlib.crc32(data, zlib.crc32(f"{name}\0{dtype}\0{shape}\0".encode()))


def token_crc(number: int, token: str, following: str) -> int:
    """Of the row of ``vocabulary`` with the id ``number``; ``following`` is the next token in
    alphabetical order, the first one behind the last."""
    return zlib.crc32(f"{number}\0{token}\0{following}".encode())


def token_crcs(tokens: Sequence[str]) -> list[int]:
    """Those of all ``tokens``, by their ids."""
    order = sorted(range(len(tokens)), key=tokens.__getitem__)
    crcs = [0] * len(tokens)
    for number, after in zip(order, order[1:] + order[:1], strict=True):
        crcs[number] = token_crc(number, tokens[number], tokens[after])
    return crcs


def tokens_crc(tokens: Iterable[str]) -> int:
    """Of all tokens, by their ids."""
    return zlib.crc32("\n".join(tokens).encode())


def counts_crc(counts: Sequence[int] | NDArray[np.int64]) -> int:
    """Of all counts of the vocabulary, by the ids of the tokens."""
    return zlib.crc32(np.asarray(counts, "<i8").tobytes())


def seal(
    connection: sqlite3.Connection, names: Iterable[str] = tuple(WHOLE), prefix: str = ""
) -> None:
    """Write the checksums of those of the tables ``names`` that there are."""
    there = _tables(connection, prefix)
    for name in sorted(there.intersection(names)):
        seal_table(connection, name, prefix)
        if name == "edits":
            watch_edits(connection, prefix)


def watch_edits(connection: sqlite3.Connection, prefix: str = "") -> None:
    """Have the table ``edits``, where there are any, lose its checksum when people change it."""
    if connection.execute(f'SELECT 1 FROM "{prefix}edits"').fetchone():
        for change in CHANGES:
            connection.execute(BY_HAND.format(prefix=prefix, change=change))


def seal_table(connection: sqlite3.Connection, name: str, prefix: str = "") -> None:
    """Write the checksum of the table ``name`` as it is now."""
    crc = rows_crc(connection.execute(WHOLE[name].format(f'"{prefix}{name}"')))
    connection.execute(f'INSERT OR REPLACE INTO "{prefix}checksums" VALUES (?, ?)', (name, crc))


def seal_vocabulary(
    connection: sqlite3.Connection, tokens: Sequence[str], counts: Sequence[int], prefix: str = ""
) -> None:
    """Write the checksums of the vocabulary as a whole."""
    connection.executemany(
        f'INSERT INTO "{prefix}checksums" VALUES (?, ?)',
        [(TOKENS, tokens_crc(tokens)), (COUNTS, counts_crc(counts))],
    )


def upgrade(connection: sqlite3.Connection) -> None:
    """Give an older model file checksums of what it holds now."""
    for name in ROWS & _tables(connection, ""):
        connection.execute(f"ALTER TABLE {name} ADD COLUMN crc INTEGER")
    connection.execute(CHECKSUMS)
    fill(connection)


def fill(connection: sqlite3.Connection, prefix: str = "") -> None:
    """Write all checksums of the model whose tables begin with ``prefix``, and which has none."""
    there = _tables(connection, prefix)
    connection.create_function("block_crc", 2, block_crc)
    connection.create_function("tensor_crc", 4, tensor_crc)
    connection.execute(f'UPDATE "{prefix}blocks" SET crc = block_crc(id, data)')
    if "tensors" in there:
        connection.execute(
            f'UPDATE "{prefix}tensors" SET crc = tensor_crc(name, dtype, shape, data)'
        )
    rows = connection.execute(
        f'SELECT token, count FROM "{prefix}vocabulary" ORDER BY id'
    ).fetchall()
    tokens, counts = [token for token, _ in rows], [count for _, count in rows]
    connection.executemany(
        f'UPDATE "{prefix}vocabulary" SET crc = ? WHERE id = ?',
        ((crc, number) for number, crc in enumerate(token_crcs(tokens))),
    )
    seal_vocabulary(connection, tokens, counts, prefix)
    seal(connection, prefix=prefix)


def _tables(connection: sqlite3.Connection, prefix: str) -> set[str]:
    rows = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
    return {name.removeprefix(prefix) for (name,) in rows if name.startswith(prefix)}
