"""Reading and writing the one SQLite file that is a model, whatever its backend.

A file is written beside its target under a name of its own and renamed when it is whole
and on disk: a crash leaves the old model or none. It is opened read-only.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.errors import ModelFileError, UsageError
from lmkit.files.replacing import Temporary, cannot_write, check_place, not_regular
from lmkit.store.columns import Column, StoredColumn, block_id, blocks_of
from lmkit.store.damage import HINT, damage
from lmkit.store.schema import APPLICATION_ID, MIGRATIONS, PAGE_SIZE, SCHEMA_VERSION

if TYPE_CHECKING:
    from lmkit.signatures import FileKind

_MAGIC = b"SQLite format 3\0"


def is_model_file(path: str | Path) -> bool:
    """Whether ``path`` is a file that lmkit wrote, by its first 72 bytes."""
    try:
        with open(path, "rb") as file:
            header = file.read(72)
    except OSError:
        return False
    return header[:16] == _MAGIC and header[68:72] == struct.pack(">I", APPLICATION_ID)


class ModelWriter:
    """A model file that is being written; use it as a context manager.

    Leaving the block without an exception puts the file in its place; with one, nothing
    is left behind.
    """

    def __init__(self, path: str | Path, copy_of: str | Path | None = None) -> None:
        self.path = Path(path)
        _refuse_target(self.path)
        try:
            self._temporary = Temporary(self.path)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            place = self._temporary.path
            if copy_of is not None:
                shutil.copyfile(copy_of, place)
            # Nobody else knows the file. The lock on it is `Temporary`'s, not SQLite's.
            address = f"{place.absolute().as_uri()}?nolock=1"
            self.connection = sqlite3.connect(address, uri=True, isolation_level=None)
            try:
                self._prepare(new=copy_of is None)
            except BaseException:
                self.connection.close()
                raise
        except BaseException as error:
            self._temporary.discard()
            if isinstance(error, sqlite3.OperationalError | OSError):
                raise cannot_write(self.path, error) from error
            raise

    def _prepare(self, new: bool) -> None:
        run = self.connection.execute
        if new:
            run(f"PRAGMA page_size = {PAGE_SIZE}")
        # The file is thrown away unless it is finished: no journal, one sync at the end.
        run("PRAGMA journal_mode = OFF")
        run("PRAGMA synchronous = OFF")
        if new:
            run(f"PRAGMA application_id = {APPLICATION_ID}")
            for script in MIGRATIONS:
                self.connection.executescript(script)
            run(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._next_column = 1 + (run("SELECT max(id) FROM columns").fetchone()[0] or 0)
        run("BEGIN")

    def __enter__(self) -> ModelWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
            elif isinstance(error, sqlite3.OperationalError | OSError):
                raise cannot_write(self.path, error) from error
        finally:
            self.connection.close()
            self._temporary.discard()

    def _finish(self) -> None:
        try:
            self.pause()
            self.connection.close()
            self._temporary.put()
        except (sqlite3.OperationalError, OSError) as error:
            raise cannot_write(self.path, error) from error

    def pause(self) -> None:
        """End the open transaction, for what brings transactions of its own."""
        if self.connection.in_transaction:
            self.connection.execute("COMMIT")

    def meta(self, values: dict[str, Any]) -> None:
        """Set ``values``, each a JSON value, under their keys."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            ((key, json.dumps(value, ensure_ascii=False)) for key, value in values.items()),
        )

    def vocabulary(self, tokens: Iterable[str], counts: Iterable[int]) -> None:
        """Write the vocabulary; ids are the places in ``tokens``."""
        self.connection.executemany(
            "INSERT INTO vocabulary VALUES (?, ?, ?)",
            (
                (number, token, count)
                for number, (token, count) in enumerate(zip(tokens, counts, strict=True))
            ),
        )
        self.connection.execute("CREATE INDEX vocabulary_token ON vocabulary (token)")

    def column(self, name: str, column: Column) -> None:
        """Write ``column`` as packed blocks under ``name``."""
        key = self._next_column
        self._next_column += 1
        self.connection.execute(
            "INSERT INTO columns VALUES (?, ?, ?, ?)",
            (key, name, column.dtype.newbyteorder("<").str, len(column)),
        )
        self.connection.executemany(
            "INSERT INTO blocks VALUES (?, ?)",
            (
                (block_id(key, number), block.data.cast("B"))
                for number, block in enumerate(blocks_of(column))
            ),
        )

    def run(self, row: dict[str, Any]) -> None:
        """Append a row to ``runs``; keys are its columns, lists and dicts become JSON."""
        values = {
            key: json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
            for key, value in row.items()
        }
        names = ", ".join(values)
        places = ", ".join("?" * len(values))
        self.connection.execute(
            f"INSERT INTO runs ({names}) VALUES ({places})", list(values.values())
        )


class Inside(str):
    """The place of a model that the ``file`` of another carries, under the ``prefix`` of its
    tables; a `ModelReader` opens it as it opens a path."""

    file: Path
    prefix: str

    def __new__(cls, file: Path, prefix: str) -> Inside:
        place = super().__new__(cls, f"{file} ({prefix.rstrip('.')})")
        place.file, place.prefix = file, prefix
        return place

    def __getnewargs__(self) -> Any:
        return self.file, self.prefix


class _Connection(sqlite3.Connection):
    """Lives as long as the columns and vocabularies that read through it, and no longer."""

    def __del__(self) -> None:
        self.close()


class ModelReader:
    """An open model file, read-only. ``prefix`` is that of the tables of a model inside the file
    of another; under the names without it they are seen as those of a file of its own."""

    def __init__(self, path: str | Path) -> None:
        self.path = path.file if isinstance(path, Inside) else Path(path)
        self.prefix = path.prefix if isinstance(path, Inside) else ""
        _check_header(self.path)
        address = f"{self.path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            self.connection = sqlite3.connect(
                address, uri=True, check_same_thread=False, factory=_Connection
            )
            with damage(path):
                self._check_version()
                self._look_inside()
                self.meta: dict[str, Any] = {
                    key: json.loads(value)
                    for key, value in self.connection.execute("SELECT key, value FROM meta")
                }
                self._columns = {
                    str(name): (int(key), np.dtype(dtype), int(length))
                    for key, name, dtype, length in self.connection.execute(
                        "SELECT id, name, dtype, length FROM columns"
                    )
                }
        except sqlite3.Error as error:
            raise ModelFileError(f"cannot open {self.path}: {error}") from error

    def _check_version(self) -> None:
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise ModelFileError(
                f"{self.path} was written by a newer lmkit "
                f"(its schema is {version}, this one reads up to {SCHEMA_VERSION})",
                "pip install --upgrade lmkit",
            )

    def _look_inside(self) -> None:
        if not self.prefix:
            return
        tables = self.connection.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table'"
            " AND substr(name, 1, length(?1)) = ?1",
            (self.prefix,),
        ).fetchall()
        if not tables:
            raise LookupError(f"tables {self.prefix}*")
        # What is temporary is found first; it is kept in memory, not in the file.
        self.connection.execute("PRAGMA temp_store = MEMORY")
        for (name,) in tables:
            own = name.removeprefix(self.prefix)
            self.connection.execute(f'CREATE TEMP VIEW "{own}" AS SELECT * FROM main."{name}"')

    def column_names(self, prefix: str = "") -> list[str]:
        """Names of the columns that begin with ``prefix``."""
        return [name for name in self._columns if name.startswith(prefix)]

    def has_column(self, name: str) -> bool:
        return name in self._columns

    def column(self, name: str) -> StoredColumn:
        """The column ``name``; raises `ModelFileError` where the file has none."""
        if name not in self._columns:
            raise ModelFileError(f"{self.path} is damaged: it lacks the column {name!r}", HINT)
        key, dtype, length = self._columns[name]
        return StoredColumn(self.connection, key, dtype, length)

    def runs(self) -> list[dict[str, Any]]:
        """What made this model, the earliest first."""
        with damage(self.path):
            cursor = self.connection.execute("SELECT * FROM runs ORDER BY id")
            names = [description[0] for description in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
            for row in rows:
                for key in ("sources", "options", "versions"):
                    row[key] = json.loads(row[key])
        return rows


def _check_header(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            header = file.read(100)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise ModelFileError(
            f"there is no file {path}", f"lmkit train TEXT --output {path}"
        ) from error
    except OSError as error:
        raise ModelFileError(f"cannot open {path}: {error.strerror}") from error
    if not (header[:16] == _MAGIC and header[68:72] == struct.pack(">I", APPLICATION_ID)):
        raise _no_model(path)
    page_size = struct.unpack(">H", header[16:18])[0]
    page_size = 65536 if page_size == 1 else page_size
    whole = page_size * struct.unpack(">I", header[28:32])[0]
    if size < whole:
        raise ModelFileError(
            f"{path} is truncated: {size:,} bytes of {whole:,}", "copy or train it again"
        )


def kind_of_file(path: str | Path) -> FileKind | None:
    """What the file ``path`` is that is no model, where its first bytes tell."""
    from lmkit.signatures import ARPA, has_arpa_mark, kind_of_start
    from lmkit.text.reading import beginning_of

    start = beginning_of(path)
    return kind_of_start(start) or (ARPA if has_arpa_mark(start) else None)


def _no_model(path: Path) -> ModelFileError:
    """The error for a file that is something else: what it is, where that can be told."""
    if (kind := kind_of_file(path)) is not None:
        return ModelFileError(f"{path} is no lmkit model but {kind.what}", kind.hint(path))
    return ModelFileError(
        f"{path} is no lmkit model",
        "lmkit import FILE --output MODEL.lm, for a file of counts, or lmkit train FILE --output"
        " MODEL.lm, for text",
    )


def check_target(path: str | Path) -> None:
    """Raises `LmkitError` where no model could be written to ``path``: for work that takes long,
    so that it is known before and not in the end."""
    if str(path) == "-":
        raise UsageError(
            "a model cannot be written to standard output: it is put in place as a whole",
            "the name of a file, such as --output model.lm",
        )
    path = Path(path)
    _refuse_target(path)
    try:
        Temporary(path).discard()
    except OSError as error:
        raise cannot_write(path, error) from error


def _refuse_target(path: Path) -> None:
    check_place(path)
    if path.exists() and not path.is_file():
        raise not_regular(path)
