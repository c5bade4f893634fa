"""Reading and writing the one SQLite file that is a model, whatever its backend.

A file is written beside its target under a name of its own and renamed when it is whole
and on disk: a crash leaves the old model or none. It is opened read-only.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.errors import ModelFileError, UsageError, one_line
from lmkit.files.replacing import Temporary, cannot_write, check_place, not_regular
from lmkit.remarks import remark
from lmkit.store import checksums, guard
from lmkit.store.columns import Check, Column, StoredColumn, block_id, blocks_of
from lmkit.store.damage import HINT, damage
from lmkit.store.facts import RUN, check
from lmkit.store.schema import APPLICATION_ID, MIGRATIONS, PAGE_SIZE, SCHEMA_VERSION, TABLES
from lmkit.store.values import from_json, to_json

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
            self._changed = set(checksums.WHOLE) if copy_of is None else set[str]()
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
            if (said := self._said(error)) is not error:
                raise said from error
            raise

    def _said(self, error: BaseException) -> BaseException:
        """``error`` as a person is told of it: of the disk, of a damaged file, or itself."""
        if isinstance(error, sqlite3.OperationalError | OSError):
            return cannot_write(self.path, error)
        if type(error) is sqlite3.DatabaseError:  # of a file that is copied, not of its values
            return ModelFileError(f"{self.path} is damaged: {one_line(error)}", HINT)
        return error

    def _prepare(self, new: bool) -> None:
        run = self.connection.execute
        if new:
            run(f"PRAGMA page_size = {PAGE_SIZE}")
        # The file is thrown away unless it is finished: no journal, one sync at the end.
        run("PRAGMA journal_mode = OFF")
        run("PRAGMA synchronous = OFF")
        guard.forbid(self.connection)
        if new:
            run(f"PRAGMA application_id = {APPLICATION_ID}")
            for script in MIGRATIONS:
                self.connection.executescript(script)
        elif "checksums" not in guard.tables(self.connection):
            checksums.upgrade(self.connection)
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
            elif (said := self._said(error)) is not error:
                raise said from error
        finally:
            self.connection.close()
            self._temporary.discard()

    def _finish(self) -> None:
        try:
            checksums.seal(self.connection, self._changed)
            self.pause()
            self.connection.close()
            self._temporary.put()
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._said(error) from error

    def pause(self) -> None:
        """End the open transaction, for what brings transactions of its own."""
        if self.connection.in_transaction:
            self.connection.execute("COMMIT")

    def meta(self, values: dict[str, Any]) -> None:
        """Set ``values``, each a JSON value, under their keys."""
        self._changed.add("meta")
        self.connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            ((key, to_json(value)) for key, value in values.items()),
        )

    def vocabulary(self, tokens: Iterable[str], counts: Iterable[int]) -> None:
        """Write the vocabulary; ids are the places in ``tokens``."""
        tokens, counts = list(tokens), list(counts)
        crcs = checksums.token_crcs(tokens)
        self.connection.executemany(
            "INSERT INTO vocabulary VALUES (?, ?, ?, ?)",
            zip(range(len(tokens)), tokens, counts, crcs, strict=True),
        )
        checksums.seal_vocabulary(self.connection, tokens, counts)
        self.connection.execute("CREATE INDEX vocabulary_token ON vocabulary (token)")

    def column(self, name: str, column: Column) -> None:
        """Write ``column`` as packed blocks under ``name``."""
        self._changed.add("columns")
        key = self._next_column
        self._next_column += 1
        self.connection.execute(
            "INSERT INTO columns VALUES (?, ?, ?, ?)",
            (key, name, column.dtype.newbyteorder("<").str, len(column)),
        )
        self.connection.executemany(
            "INSERT INTO blocks VALUES (?, ?, ?)",
            (
                (place, data, checksums.block_crc(place, data))
                for place, data in (
                    (block_id(key, number), block.data.cast("B"))
                    for number, block in enumerate(blocks_of(column))
                )
            ),
        )

    def run(self, row: dict[str, Any]) -> None:
        """Append a row to ``runs``; keys are its columns, lists and dicts become JSON."""
        values = {
            key: to_json(value) if isinstance(value, list | dict) else value
            for key, value in row.items()
        }
        names = ", ".join(values)
        places = ", ".join("?" * len(values))
        self._changed.add("runs")
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


class ModelReader:
    """An open model file, read-only. ``prefix`` is that of the tables of a model inside the file
    of another; under the names without it they are seen as those of a file of its own.

    ``tables`` are those of a model that it has. What is read is held against its checksums, where
    the file has any (``checked``)."""

    def __init__(self, path: str | Path) -> None:
        self.path = path.file if isinstance(path, Inside) else Path(path)
        self.prefix = path.prefix if isinstance(path, Inside) else ""
        _check_header(self.path)
        try:
            self.connection = guard.connect(self.path)
            with damage(path):
                self._check_version()
                self.tables = guard.tables(self.connection, self.prefix)
                self._look_inside()
                self._crcs = self._stored_crcs()
                self.meta: dict[str, Any] = {
                    key: from_json(value) for key, value in self.rows("meta")
                }
                self._columns = {
                    str(name): (int(key), number_type(dtype), int(length))
                    for key, name, dtype, length in self.rows("columns")
                }
        except (sqlite3.Error, OSError) as error:
            raise ModelFileError(f"cannot open {self.path}: {error}") from error

    @property
    def checked(self) -> bool:
        """Whether the file has checksums."""
        return bool(self._crcs)

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
        if not self.tables:
            raise LookupError(f"tables {self.prefix}*")
        # What is temporary is found first; it is kept in memory, not in the file.
        self.connection.execute("PRAGMA temp_store = MEMORY")
        for own in TABLES:
            there = own in self.tables
            # A table that the inner model lacks is not that of the outer one.
            source = f'* FROM main."{self.prefix}{own}"' if there else "NULL AS missing WHERE 0"
            self.connection.execute(f'CREATE TEMP VIEW "{own}" AS SELECT {source}')

    def _stored_crcs(self) -> dict[str, int | None]:
        crcs: dict[str, int | None] = {}
        if "checksums" in self.tables:
            crcs = dict(self.connection.execute("SELECT name, crc FROM checksums"))
        if not crcs:
            remark(f"{self.path} was written without checksums: damage in it would not be noticed")
        return crcs

    def verify(self, name: str, crc: Callable[[], int]) -> None:
        """Raises `ValueError` where what was read of ``name`` has not the checksum that it had
        when it was written. Edits that were changed by hand have none, and a remark says so."""
        if not self.checked:
            return
        stored = self._crcs.get(name, -1)
        if name == "edits" and stored is None:
            remark(f"the edits of {self.path} have been changed since it was made")
        elif stored != crc():
            raise ValueError(f"its {name} is not what was written (another checksum)")

    def rows(self, name: str) -> list[Any]:
        """The rows of a table that is read whole (`lmkit.store.checksums.WHOLE`), in order.

        Raises what `damage` makes a `ModelFileError` where they are damaged."""
        rows = self.connection.execute(checksums.WHOLE[name].format(name)).fetchall()
        self.verify(name, lambda: checksums.rows_crc(rows))
        return rows

    def column_names(self, prefix: str = "") -> list[str]:
        """Names of the columns that begin with ``prefix``."""
        return [name for name in self._columns if name.startswith(prefix)]

    def has_column(self, name: str) -> bool:
        return name in self._columns

    def column(self, name: str, valid: Check | None = None) -> StoredColumn:
        """The column ``name``; raises `ModelFileError` where the file has none. ``valid`` looks
        at what is read of it."""
        if name not in self._columns:
            raise ModelFileError(f"{self.path} is damaged: it lacks the column {name!r}", HINT)
        key, dtype, length = self._columns[name]
        if not (0 < key < 1 << 31 and 0 <= length * dtype.itemsize <= self.path.stat().st_size):
            raise ModelFileError(
                f"{self.path} is damaged: it is too short for the column {name!r}", HINT
            )
        return StoredColumn(self.connection, name, key, dtype, length, self.checked, valid)

    def runs(self) -> list[dict[str, Any]]:
        """What made this model, the earliest first."""
        with damage(self.path):
            rows = [dict(zip(RUN_COLUMNS, row, strict=True)) for row in self.rows("runs")]
            for row in rows:
                for key in ("sources", "options", "versions"):
                    row[key] = from_json(row[key])
                check(row, RUN, "runs")
        return rows


RUN_COLUMNS = (
    "id", "what", "started", "seconds", "sources", "sha256", "tokens", "sentences", "options",
    "seed", "versions",
)  # fmt: skip
"""The columns of ``runs``."""

DTYPES = frozenset(
    f"{order}{kind}"
    for order in "<|"
    for kind in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8")
)


def number_type(name: str) -> np.dtype[Any]:
    """The type of numbers of that ``name``. Raises `ValueError` where there is none."""
    if name not in DTYPES:
        raise ValueError(f"numbers of an unknown type, {name!r}")
    return np.dtype(name)


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
        return ModelFileError(f"{path} is not an lmkit model but {kind.what}", kind.hint(path))
    return ModelFileError(
        f"{path} is not an lmkit model",
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
