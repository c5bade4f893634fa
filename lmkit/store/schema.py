"""Tables of the model file, and how older files become newer ones.

``user_version`` is the number of migrations that a file has been through. A migration is
one commented script; the list only ever grows at its end.
"""

from __future__ import annotations

import contextlib
import sqlite3

APPLICATION_ID = 0x4C4D4B31
"""``LMK1``, at byte 68 of the file: what ``file(1)`` and `is_model_file` look at."""

PAGE_SIZE = 16384

TABLES = (
    "meta",
    "vocabulary",
    "columns",
    "blocks",
    "runs",
    "tensors",
    "training_log",
    "edits",
    "merges",
    "pieces",
    "checksums",
)
"""All tables of a model that are read; what else stands in a file is never looked at."""

CHECKSUMS = "CREATE TABLE checksums (name TEXT PRIMARY KEY, crc INTEGER) WITHOUT ROWID"

CHANGES = ("INSERT", "UPDATE", "DELETE")
BY_HAND = """
CREATE TRIGGER IF NOT EXISTS "{prefix}edits_{change}" AFTER {change} ON "{prefix}edits"
BEGIN UPDATE "{prefix}checksums" SET crc = NULL WHERE name = 'edits'; END
"""
"""People may change the rows of ``edits``: what is changed through SQL is changed on purpose, and
has no checksum any more. What is changed below SQL, by a broken disk, does not call a trigger."""

MIGRATIONS = [
    # 1: the foundation. `meta` holds JSON values. `vocabulary` is plain rows, for people and
    # for looking up one token; numbers of millions of rows live in `columns` and `blocks`:
    # entry i of column c is in block i // entries_per_block, with id (c << 32) + block.
    # `runs` says what made the model.
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE vocabulary (id INTEGER PRIMARY KEY, token TEXT NOT NULL, count INTEGER NOT NULL);
    CREATE TABLE columns (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dtype TEXT NOT NULL,
        length INTEGER NOT NULL
    );
    CREATE TABLE blocks (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, what TEXT NOT NULL, started TEXT NOT NULL, seconds REAL,
        sources TEXT NOT NULL, sha256 TEXT, tokens INTEGER, sentences INTEGER,
        options TEXT NOT NULL, seed INTEGER, versions TEXT NOT NULL
    );
    """,
    # 2: neural networks. `tensors` holds weights: `shape` is a JSON list, `data` the entries in
    # C order, little-endian. `training_log` is the course of a training, a row now and then:
    # what is not known at a row is NULL. Losses are in nats a token.
    """
    CREATE TABLE tensors (
        name TEXT PRIMARY KEY, dtype TEXT NOT NULL, shape TEXT NOT NULL, data BLOB NOT NULL
    );
    CREATE TABLE training_log (
        id INTEGER PRIMARY KEY, updates INTEGER NOT NULL, epoch REAL NOT NULL,
        tokens INTEGER NOT NULL, seconds REAL NOT NULL, loss REAL, gradient_norm REAL,
        learning_rate REAL, valid_loss REAL
    );
    """,
    # 3: the noisy channel. A row of `edits` says how often (expected counts are fractions) what
    # was `intended` was `typed` as something, and where in its word; `kind` names the edit.
    # The probabilities follow from the counts, so that people can change them.
    """
    CREATE TABLE edits (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, context TEXT NOT NULL,
        intended TEXT NOT NULL, typed TEXT NOT NULL, count REAL NOT NULL
    );
    """,
    # 4: checksums (CRC-32, of zlib), so that a damaged file is never read as another model. What
    # is read piece by piece has one in each row: `blocks`, `tensors`, and `vocabulary`, where that
    # of a token covers the next token in alphabetical order too, so that a look-up that finds
    # nothing is known to be right. `checksums` has those of what is read whole, by its name.
    # `lmkit.store.checksums` says what exactly is summed.
    f"""
    ALTER TABLE vocabulary ADD COLUMN crc INTEGER;
    ALTER TABLE blocks ADD COLUMN crc INTEGER;
    ALTER TABLE tensors ADD COLUMN crc INTEGER;
    {CHECKSUMS};
    """,
    # 5: learnt tokenizers. `merges` are pairs of tokens that become one, the first learnt first.
    # `pieces` are tokens with the natural logarithm of their probability, NULL where they have
    # none. What else a tokenizer is made of stands in `meta`, in the settings of text.
    """
    CREATE TABLE merges (rank INTEGER PRIMARY KEY, "left" TEXT NOT NULL, "right" TEXT NOT NULL);
    CREATE TABLE pieces (id INTEGER PRIMARY KEY, piece TEXT NOT NULL, log_prob REAL);
    """,
]

SCHEMA_VERSION = len(MIGRATIONS)


def create_tables(connection: sqlite3.Connection, prefix: str) -> None:
    """Make the tables of a model under a ``prefix`` in a file that has one of its own."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        for script in MIGRATIONS:
            model.executescript(script)
        rows = model.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    for name, sql in rows:
        connection.execute(f'CREATE TABLE "{prefix}{name}" {sql[sql.index("(") :]}')
