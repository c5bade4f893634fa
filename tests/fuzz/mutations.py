"""Ways to damage a file: any file in its bytes, a text file in its lines, a model file in its rows.

All of them take what they need of chance from a `random.Random`, so that a case can be made again.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import struct
from pathlib import Path
from random import Random
from typing import Any

PAGE = 4096
TABLES = ("meta", "vocabulary", "columns", "blocks", "runs", "tensors", "training_log", "edits",
          "merges", "pieces")  # fmt: skip
KEYS = {"meta": "key", "checksums": "name"}
"""The columns that rows are told apart by, where that is not ``rowid``."""


# -- bytes ---------------------------------------------------------------------------------------


def damage_bytes(data: bytes, random: Random) -> bytes:
    """``data`` with a few bytes changed, a piece cut out, put elsewhere or swapped with another."""
    if not data:
        return b"\0"
    changed = bytearray(data)
    kind = random.choice(
        ("flip", "flip", "set", "set", "burst", "cut", "end", "swap", "copy", "zero")
    )
    if kind in ("flip", "set"):
        for _ in range(random.choice((1, 1, 2, 8))):
            place = _written_place(data, random)
            changed[place] = (
                changed[place] ^ (1 << random.randrange(8))
                if kind == "flip"
                else random.randrange(256)
            )
    elif kind == "burst":
        start, size = _written_place(data, random), random.choice((4, 16, 100))
        changed[start : start + size] = random.randbytes(len(changed[start : start + size]))
    elif kind == "cut":
        start = random.randrange(len(data))
        del changed[start : start + random.choice((1, 2, 16, PAGE))]
    elif kind == "end":
        del changed[random.randrange(len(data)) :]
    else:
        size = random.choice((1, 8, 64, PAGE, 4 * PAGE))
        one, two = (random.randrange(max(len(data) - size, 1)) for _ in range(2))
        first, second = changed[one : one + size], changed[two : two + size]
        if kind == "zero":
            first, second = bytearray(len(second)), bytearray(len(first))
        changed[two : two + len(first)] = first
        if kind == "swap":
            changed[one : one + len(second)] = second
    return bytes(changed)


def _written_place(data: bytes, random: Random) -> int:
    """A place in ``data`` that is not zero, where one is found soon."""
    for _ in range(20):
        place = random.randrange(len(data))
        if data[place]:
            break
    return place


# -- lines ---------------------------------------------------------------------------------------

ODD_FIELDS = [
    b"", b"0", b"-1", b"1e999", b"-inf", b"nan", b"9" * 400, b"-99", b"1.5", b"<s>", b"</s>",
    b"<unk>", b"\xff\xfe", "é".encode(), b"\\data\\", b"\\end\\", b"ngram 2=9",
    b"ngram 1=99999999999", b"\0", b"2-grams:", b"#", b"a\tb", b"x" * 5000,
]  # fmt: skip


def damage_lines(data: bytes, random: Random) -> bytes:
    """``data`` with lines lost, doubled, exchanged, cut, or with other fields."""
    lines = data.split(b"\n")
    for _ in range(random.choice((1, 1, 2, 5))):
        number = random.randrange(len(lines))
        kind = random.choice(("field", "field", "field", "lose", "double", "move", "cut", "join"))
        if kind == "field":
            fields = re.split(rb"([ \t=])", lines[number])
            fields[random.randrange(len(fields))] = random.choice(ODD_FIELDS)
            lines[number] = b"".join(fields)
        elif kind == "lose":
            lines[number] = b""
        elif kind == "double":
            lines.insert(number, lines[number])
        elif kind == "move":
            lines.insert(random.randrange(len(lines)), lines[number])
        elif kind == "cut":
            lines[number] = lines[number][: random.randrange(len(lines[number]) + 1)]
        else:
            lines[number : number + 2] = [b" ".join(lines[number : number + 2])]
    return b"\n".join(lines)


# -- rows ----------------------------------------------------------------------------------------

ODD_VALUES: list[Any] = [
    None, "", "x", "[]", "{}", "null", "1e999", -1, 0, 1, 2, 2**31, 2**40, 2**63 - 1, -(2**63), 0.5,
    -1.5, 1e300, float("inf"), b"", b"\0" * 64, b"\xff" * 64, "component1.", "../x", "i4", "<f8",
    "O", "[" * 3000, "9" * 5000,
]  # fmt: skip
ODD_JSON: list[Any] = [
    None, True, False, 0, 1, 2, -1, 3, 2**31, 2**40, 2**70, 0.5, -0.5, 1e308, float("nan"), "", "x",
    "\x1b[31m", "\ud800", [], {}, [[]], [1, 2], {"a": 1}, "interpolated", "floor", "constant",
    "byte", "char", "ngram", "lstm", "mixture", "noisy-channel", [10**6] * 3, "component1.",
    "/etc/passwd", "..",
]  # fmt: skip
SCHEMA = [
    'DROP TABLE "{0}"',
    'DELETE FROM "{0}"',
    "DROP INDEX vocabulary_token",
    "PRAGMA user_version = 0",
    "PRAGMA user_version = 3",
    "PRAGMA user_version = 99",
    'ALTER TABLE "{0}" RENAME TO other; CREATE VIEW "{0}" AS SELECT * FROM other',
    'ALTER TABLE "{0}" RENAME TO other; CREATE VIEW "{0}" AS WITH RECURSIVE r(x) AS '
    "(SELECT 1 UNION ALL SELECT x FROM r) SELECT x FROM r",
    'ALTER TABLE "{0}" RENAME TO other; CREATE VIRTUAL TABLE "{0}" USING fts4(key, value)',
    "CREATE VIEW ngrams_1 AS SELECT load_extension('x') AS x",
    "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM meta; END",
    'ALTER TABLE "{0}" ADD COLUMN more AS (hex(zeroblob(99999999)))',
    "REINDEX; DROP TABLE checksums",
]


def damage_rows(path: Path, random: Random) -> str:
    """Change a row, a value or a table of the model file ``path`` through SQL; what was done."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        there = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = [name for (name,) in there if name.rpartition(".")[2] in (*TABLES, "checksums")]
        full = [n for n in names if connection.execute(f'SELECT 1 FROM "{n}" LIMIT 1').fetchone()]
        table = random.choice(full)
        try:
            if random.random() < 0.12:
                done = random.choice(SCHEMA).format(table)
                for statement in done.split("; "):
                    connection.execute(statement)
            else:
                done = _damage_row(connection, table, random)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
            done = f"nothing: {error}"
        if connection.in_transaction:
            connection.execute("COMMIT")
    return done


def _damage_row(connection: sqlite3.Connection, table: str, random: Random) -> str:
    key = KEYS.get(table.rpartition(".")[2], "rowid")
    keys = [k for (k,) in connection.execute(f'SELECT {key} FROM "{table}"')]
    one, two = random.choice(keys), random.choice(keys)
    kind = random.choice(("value", "value", "value", "value", "value", "lose", "double", "swap"))
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    column = random.choice(columns)
    if kind == "lose":
        connection.execute(f'DELETE FROM "{table}" WHERE {key} = ?', (one,))
    elif kind == "double":
        row = list(
            connection.execute(f'SELECT * FROM "{table}" WHERE {key} = ?', (one,)).fetchone()
        )
        row[0] = random.choice((row[0] + 1, max(keys) + 1)) if type(row[0]) is int else f"{row[0]}2"
        marks = ", ".join("?" * len(row))
        connection.execute(f'INSERT OR REPLACE INTO "{table}" VALUES ({marks})', row)
    elif kind == "swap":
        read = f'SELECT "{column}" FROM "{table}" WHERE {key} = ?'
        write = f'UPDATE OR IGNORE "{table}" SET "{column}" = ? WHERE {key} = ?'
        (first,), (second,) = (connection.execute(read, (k,)).fetchone() for k in (one, two))
        connection.execute(write, (second, one))
        connection.execute(write, (first, two))
    else:
        read = f'SELECT "{column}" FROM "{table}" WHERE {key} = ?'
        old = connection.execute(read, (one,)).fetchone()[0]
        new = odd_value(old, random)
        connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {key} = ?', (new, one))
        return f"{table}.{column} of {one!r}: {str(old)[:40]!r} to {str(new)[:200]!r}"
    return f"{kind} {table} {one!r} {two!r} {column}"


def odd_value(old: Any, random: Random) -> Any:
    """Something else in place of ``old``, often of the same kind."""
    if isinstance(old, bytes) and old and random.random() < 0.85:
        return _odd_numbers(old, random)
    if isinstance(old, int | float) and random.random() < 0.6:
        return random.choice((old + 1, old - 1, old * 2, old // 2, -old, old * 1000))
    if isinstance(old, str):
        with contextlib.suppress(ValueError, RecursionError):
            decoded = json.loads(old)
            if random.random() < 0.85:
                return json.dumps(_odd_json(decoded, random))
        if old and random.random() < 0.5:
            place = random.randrange(len(old))
            return old[:place] + chr(random.choice((32, 65, 0, 233, 0x1F600))) + old[place + 1 :]
    return random.choice(ODD_VALUES)


def _odd_json(value: Any, random: Random) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        new = {**value, key: _odd_json(value[key], random)}
        if random.random() < 0.1:
            del new[key]
        return new
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        kind = random.choice(("one", "one", "lose", "more"))
        new = [_odd_json(value[place], random)] if kind == "one" else []
        return (
            value[:place] + new + value[place + (kind != "more") :] + value[:1] * (kind == "more")
        )
    if type(value) is int and random.random() < 0.6:
        return random.choice((value + 1, value - 1, value * 10, -value, value * 10**6))
    if type(value) is float and random.random() < 0.4:
        return random.choice((-value, value * 1e9, value + 1))
    return random.choice(ODD_JSON)


def _odd_numbers(old: bytes, random: Random) -> bytes:
    """A block of numbers with some of them very large, negative, none, or exchanged."""
    size = random.choice((1, 2, 4, 4, 4, 8))
    many = len(old) // size
    if random.random() < 0.1 or not many:
        return damage_bytes(old, random)
    new = bytearray(old)
    odd = [b"\xff" * size, b"\x7f" * size, bytes(size), b"\x80".rjust(size, b"\0")]
    if size in (4, 8):
        form = "<f" if size == 4 else "<d"
        numbers = (float("nan"), float("inf"), -float("inf"), 5.0, -0.0, 1e30)
        odd += [struct.pack(form, number) for number in numbers]
        odd += [struct.pack("<i" if size == 4 else "<q", n) for n in (-1, 1, 2, 1000, 2**31 - 1)]
    for _ in range(random.choice((1, 1, 3, many))):
        place = random.randrange(many) * size
        new[place : place + size] = random.choice(odd)
    return bytes(new)
