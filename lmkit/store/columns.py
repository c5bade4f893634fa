"""Long arrays of one number type, wherever they live: in memory, in a scratch file, or in
packed blocks of a model file.

All of them answer the same three questions, so that code above need not know:
``read(start, stop)`` for a stretch, ``take(rows)`` for single places, ``array()`` for all.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sqlite3
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lmkit.errors import LmkitError
from lmkit.store.checksums import block_crc
from lmkit.store.damage import damaged, query

BLOCK_BYTES = 1 << 16
"""Size of a packed block. Smaller blocks make one look-up cheaper, larger ones a bulk load;
at 64 KiB with 16 KiB pages both are near their best (docs/performance.md)."""

CACHED_BLOCKS = 256

Check = Callable[[NDArray[Any], int], str | None]
"""What is wrong with the entries of a column from a place on, if anything is."""


class Column(Protocol):
    """A one-dimensional array of ``dtype``."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The entries from ``start`` up to ``stop``."""

    def take(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        """The entries at ``rows``, in that order."""

    def array(self) -> NDArray[Any]:
        """All entries. Not to be written to."""


class MemoryColumn:
    """A column that is a NumPy array."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    def __len__(self) -> int:
        return len(self._array)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self._array[start:stop]

    def take(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        return self._array[rows]

    def array(self) -> NDArray[Any]:
        return self._array


class _ScratchFile:
    """An unnamed temporary file, which vanishes with the last object that uses it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        with self._trouble():
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0)
        weakref.finalize(self, self._file.close)

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LmkitError(
                f"cannot keep intermediate results in {self._directory}: {error.strerror}",
                "another directory for temporary files (TMPDIR), or more --memory",
            ) from error

    def write(self, data: memoryview) -> None:
        with self._trouble():
            while len(data):
                data = data[self._file.write(data) :]

    def read_into(self, data: memoryview, place: int) -> None:
        with self._trouble():
            while len(data):
                got = os.preadv(self._file.fileno(), [data], place)
                if got == 0:
                    raise OSError(errno.EIO, "a scratch file ended too early")
                data, place = data[got:], place + got

    def mapped(self, size: int) -> mmap.mmap:
        """The first ``size`` bytes, read-only: what is read of them the system may forget."""
        with self._trouble():
            if os.fstat(self._file.fileno()).st_size < size:
                raise OSError(errno.EIO, "a scratch file ended too early")
            return mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ)


class ScratchColumn:
    """A column in an unnamed temporary file."""

    def __init__(self, file: _ScratchFile, dtype: DTypeLike, length: int) -> None:
        self._file = file
        self._dtype = np.dtype(dtype)
        self._length = length

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> NDArray[Any]:
        stop = min(stop, self._length)
        values = np.empty(max(stop - start, 0), self._dtype)
        self._file.read_into(values.data.cast("B"), start * self._dtype.itemsize)
        return values

    def take(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        return self.array()[rows]

    def array(self) -> NDArray[Any]:
        if not self._length:
            return np.empty(0, self._dtype)
        size = self._length * self._dtype.itemsize
        return np.frombuffer(self._file.mapped(size), self._dtype)


class Builder:
    """Collects a column piece by piece, in memory or, given a ``directory``, in a scratch file."""

    def __init__(self, dtype: DTypeLike, directory: str | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._pieces: list[NDArray[Any]] = []
        self._length = 0
        self._file = None if directory is None else _ScratchFile(directory)

    def append(self, values: NDArray[Any]) -> None:
        values = np.ascontiguousarray(values, self._dtype)
        self._length += len(values)
        if self._file is None:
            self._pieces.append(values)
        else:
            self._file.write(values.data.cast("B"))

    def finish(self) -> Column:
        if self._file is not None:
            return ScratchColumn(self._file, self._dtype, self._length)
        if len(self._pieces) == 1:
            return MemoryColumn(self._pieces[0])
        whole = np.concatenate([np.empty(0, self._dtype), *self._pieces])
        self._pieces.clear()
        return MemoryColumn(whole)


class StoredColumn:
    """A column in the packed blocks of an open model file, read as far as it is needed.

    A few look-ups fetch single blocks and keep the latest; once they have fetched half of
    the column, or a large look-up comes, all of it is read. Each block is held against its checksum
    where the file is ``checked``, and then ``valid`` looks at what it holds.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        key: int,
        dtype: DTypeLike,
        length: int,
        checked: bool,
        valid: Check | None = None,
    ) -> None:
        self._connection = connection
        self._name = name
        self._key = key
        self._crc = "crc" if checked else "NULL"
        self._valid = valid
        self._dtype = np.dtype(dtype)
        self._length = length
        self._per_block = BLOCK_BYTES // self._dtype.itemsize
        self._array: NDArray[Any] | None = None
        self._cache: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._fetched = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    def __len__(self) -> int:
        return self._length

    @property
    def _blocks(self) -> int:
        return -(-self._length // self._per_block)

    def _block(self, number: int) -> NDArray[Any]:
        block = self._cache.get(number)
        if block is not None:
            self._cache.move_to_end(number)
            return block
        block = self._fetch(number, number)
        self._fetched += 1
        self._cache[number] = block
        if len(self._cache) > CACHED_BLOCKS:
            self._cache.popitem(last=False)
        return block

    def read(self, start: int, stop: int) -> NDArray[Any]:
        stop = min(stop, self._length)
        if self._array is not None:
            return self._array[start:stop]
        if stop <= start:
            return np.empty(0, self._dtype)
        first, last = start // self._per_block, (stop - 1) // self._per_block
        base = first * self._per_block
        values = self._block(first) if first == last else self._fetch(first, last)
        return values[start - base : stop - base]

    def _fetch(self, first: int, last: int) -> NDArray[Any]:
        """Blocks ``first`` to ``last``, both included, behind each other."""
        size = min((last + 1) * self._per_block, self._length) - first * self._per_block
        values = np.empty(size, self._dtype)
        bounds = block_id(self._key, first), block_id(self._key, last)
        sql = f"SELECT id, data, {self._crc} FROM blocks WHERE id BETWEEN ? AND ? ORDER BY id"
        place = 0
        for key, data, crc in query(self._connection, sql, bounds):
            # Every block but the last is full: where one is missing or cut, the sizes tell.
            whole = min(self._per_block, size - place) * self._dtype.itemsize
            if not isinstance(data, bytes) or len(data) != whole:
                raise self._damaged("a block has the wrong size")
            if self._crc == "crc" and crc != block_crc(key, data):
                raise self._damaged("a block is not what was written (another checksum)")
            piece = np.frombuffer(data, self._dtype)
            values[place : place + len(piece)] = piece
            place += len(piece)
        if place != size:
            raise self._damaged("a block is missing")
        if self._valid is not None and (why := self._valid(values, first * self._per_block)):
            raise self._damaged(why)
        return values

    def _damaged(self, why: str) -> LmkitError:
        return damaged(self._connection, f"{why}, in the column {self._name!r}")

    def take(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        if self._array is None:
            if len(rows) * 64 > self._length or self._fetched * 2 > self._blocks:
                self.array()
            else:
                return self._take_by_block(rows)
        assert self._array is not None
        return self._array[rows]

    def _take_by_block(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        numbers = rows // self._per_block
        if len(rows) == 1:
            number = int(numbers[0])
            return self._block(number)[rows - number * self._per_block]
        values = np.empty(len(rows), self._dtype)
        for number in sorted(set(numbers.tolist())):
            here = numbers == number
            values[here] = self._block(number)[rows[here] - number * self._per_block]
        return values

    def array(self) -> NDArray[Any]:
        if self._array is None:
            self._array = self._fetch(0, self._blocks - 1) if self._length else self.read(0, 0)
            self._cache.clear()
        return self._array


def block_id(key: int, number: int) -> int:
    """Row id of block ``number`` of column ``key``: a column's blocks lie side by side."""
    return (key << 32) | number


def blocks_of(column: Column) -> Iterator[NDArray[Any]]:
    """``column`` cut into the pieces that become its packed blocks."""
    per_block = BLOCK_BYTES // column.dtype.itemsize
    stretch = per_block * 64
    for start in range(0, len(column), stretch):
        values = np.ascontiguousarray(column.read(start, min(start + stretch, len(column))))
        for low in range(0, len(values), per_block):
            yield values[low : low + per_block]


def narrow(largest: int) -> np.dtype[Any]:
    """The smallest unsigned type of at most 32 bits that holds ``largest``, else int64: NumPy
    does not count (``bincount``) in unsigned 64-bit numbers."""
    return np.dtype(np.int64) if largest >= 2**32 else np.min_scalar_type(int(largest))
