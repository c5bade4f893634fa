"""Readable tables ``ngrams_1`` to ``ngrams_N`` in a model file, for sqlite3, sqlite-utils and
Datasette.

They are derived from the packed columns, which stay the truth: they can be dropped and made
again. sqlite-utils makes the tables and their indexes; the rows go in through
``executemany``, which takes some 1.5 microseconds a row, a tenth of its ``insert_all``.

An n-gram refers to its last token (``token_id``, a row of ``ngrams_1``) and to the n-gram before
that (``context_id``, a row of the table below); a row of ``ngrams_1`` to that of ``vocabulary``.
``name`` is the n-gram itself, computed when it is read: Datasette takes a column that is called so
for the label of what refers to a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lmkit.errors import UnsupportedError
from lmkit.files.claims import claimed
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import Trie
from lmkit.store.modelfile import ModelReader, ModelWriter

NAME = (
    "ALTER TABLE {table} ADD COLUMN name TEXT GENERATED ALWAYS AS"
    " (CASE context WHEN '' THEN token ELSE context || ' ' || token END) VIRTUAL"
)

Progress = Callable[[str, int, int], None]


def write_tables(path: str | Path, progress: Progress | None = None) -> dict[str, int]:
    """Add the readable tables to the model file ``path`` (made anew where they are there) and
    return their names and numbers of rows. The file is replaced as a whole, atomically.

    Raises `UnsupportedError` for a model that is not made of n-grams, `LmkitError` where another
    process is about to write the file.
    """
    import sqlite_utils

    # Two that add to one file at once would each lose what the other has added.
    with claimed(path):
        model = _open(path)
        with ModelWriter(path, copy_of=path) as writer:
            # sqlite-utils has transactions of its own, in each of its versions differently.
            writer.pause()
            database = sqlite_utils.Database(writer.connection)
            _drop(database, model.order)
            return fill_tables(writer.connection, database, model, progress)


def drop_tables(path: str | Path) -> None:
    """Remove the readable tables from the model file ``path``, and give their room back."""
    import sqlite_utils

    with claimed(path):
        model = _open(path)
        with ModelWriter(path, copy_of=path) as writer:
            writer.pause()
            _drop(sqlite_utils.Database(writer.connection), model.order)
            writer.connection.execute("VACUUM")


def _open(path: str | Path) -> NgramModel:
    from lmkit.ngram.files import open_ngram_model

    if ModelReader(path).meta.get("backend") != NgramModel.backend:
        raise UnsupportedError(f"{path} is not made of n-grams, so it has no tables of them")
    return open_ngram_model(path)


def _drop(database: Any, order: int) -> None:
    for n in range(order, 0, -1):
        database.table(f"ngrams_{n}").drop(ignore=True)


def fill_tables(
    connection: Any, database: Any, model: NgramModel, progress: Progress | None
) -> dict[str, int]:
    """Create and fill the tables of ``model`` in ``database``, an open sqlite-utils one."""
    made = {}
    contexts = [""]
    for order in range(1, model.order + 1):
        if progress is not None:
            progress("tables", order - 1, model.order)
        name = f"ngrams_{order}"
        refers = {"id": "vocabulary"}
        if order > 1:
            refers = {"context_id": f"ngrams_{order - 1}", "token_id": "ngrams_1"}
        kinds: dict[str, type] = {"id": int, "context": str, "token": str}
        kinds |= {key: int if key == "count" else float for key in _numbers(model.trie, order)}
        kinds |= dict.fromkeys(refers, int)
        names = list(kinds)
        database.table(name).create(
            kinds, pk="id", foreign_keys=[(key, other, "id") for key, other in refers.items()]
        )
        connection.execute(NAME.format(table=name))
        places = ", ".join("?" * len(names))
        here: list[str] | None = [] if order < model.order else None
        connection.execute("BEGIN")
        connection.executemany(
            f"INSERT INTO {name} VALUES ({places})", _rows(model, order, contexts, here)
        )
        connection.execute("COMMIT")
        database.table(name).create_index(["context", "token"])
        for key in refers.keys() - {"id"}:
            database.table(name).create_index([key])
        made[name] = model.trie[order].size
        contexts = here or []
    if progress is not None:
        progress("tables", model.order, model.order)
    return made


def _numbers(trie: Trie, order: int) -> list[str]:
    return [
        name
        for name in ("count", "log_prob", "log_backoff")
        if getattr(trie[order], name) is not None
    ]


def _rows(
    model: NgramModel, order: int, contexts: list[str], here: list[str] | None
) -> Iterator[tuple[Any, ...]]:
    """Rows of the table of ``order``; collects in ``here`` the n-grams themselves."""
    trie, tokens = model.trie, model.vocabulary.tokens
    level = trie[order]
    columns = [getattr(level, name) for name in _numbers(trie, order)]
    for rows, owners, sizes in trie.context_blocks(order):
        ids = (
            range(rows.start, rows.stop)
            if level.token is None
            else level.token.read(rows.start, rows.stop).tolist()
        )
        words = [tokens[i] for i in ids]
        owner = np.repeat(np.arange(owners.start, owners.stop), sizes).tolist()
        before = [contexts[i] for i in owner]
        if here is not None:
            here += [f"{c} {w}" if c else w for c, w in zip(before, words, strict=True)]
        numbers = [column.read(rows.start, rows.stop).tolist() for column in columns]
        refers = [owner, ids] if order > 1 else []
        yield from zip(range(rows.start, rows.stop), before, words, *numbers, *refers, strict=True)
