"""Columns in memory, in scratch files and in packed blocks answer alike."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lmkit.errors import LmkitError, ModelFileError
from lmkit.store.columns import (
    BLOCK_BYTES,
    CACHED_BLOCKS,
    Builder,
    Column,
    MemoryColumn,
    StoredColumn,
    block_id,
    blocks_of,
    narrow,
)
from lmkit.store.modelfile import ModelReader, ModelWriter

DTYPES = ["uint8", "uint16", "int32", "int64", "float32", "float64"]
LENGTH = 300_000
"""Some dozens of blocks of the wider types."""


def numbers(dtype: str, length: int) -> NDArray[Any]:
    return np.random.default_rng(length).integers(0, 250, length).astype(dtype)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> ModelReader:
    path = tmp_path_factory.mktemp("columns") / "columns.lm"
    with ModelWriter(path) as writer:
        for dtype in DTYPES:
            writer.column(dtype, MemoryColumn(numbers(dtype, LENGTH)))
        for length in (0, 1, BLOCK_BYTES // 4, BLOCK_BYTES // 4 + 1, 2 * BLOCK_BYTES // 4):
            writer.column(f"int32 {length}", MemoryColumn(numbers("int32", length)))
    return ModelReader(path)


def scratch(values: NDArray[Any], directory: str) -> Column:
    builder = Builder(values.dtype, directory)
    for piece in np.array_split(values, 7):
        builder.append(piece)
    return builder.finish()


Step = tuple[str, Any]
places = st.integers(0, LENGTH - 1)
steps = st.one_of(
    st.tuples(st.just("read"), st.tuples(places, st.integers(0, LENGTH + 10))),
    st.tuples(st.just("read"), places.map(lambda place: (place, place + 3))),
    st.tuples(st.just("take"), st.lists(places, max_size=30)),
    st.tuples(st.just("take"), places.map(lambda place: [place])),
    st.tuples(st.just("many"), st.integers(0, 100)),
)


def answers(column: Any, step: Step) -> NDArray[Any]:
    kind, what = step
    if kind == "read":
        return np.asarray(column.read(*what) if hasattr(column, "read") else column[slice(*what)])
    rows = np.array(what, np.int64)
    if kind == "many":
        rows = np.random.default_rng(what).integers(0, LENGTH, LENGTH // 50)
    return np.asarray(column.take(rows) if hasattr(column, "array") else column[rows])


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(dtype=st.sampled_from(DTYPES), pattern=st.lists(steps, max_size=12), whole=st.booleans())
def test_stored_columns_answer_as_the_array(
    stored: ModelReader, dtype: str, pattern: list[Step], whole: bool
) -> None:
    array = numbers(dtype, LENGTH)
    column = stored.column(dtype)
    assert (len(column), column.dtype) == (LENGTH, np.dtype(dtype))
    for step in pattern:
        np.testing.assert_array_equal(answers(column, step), answers(array, step), str(step))
    if whole:
        np.testing.assert_array_equal(column.array(), array)
        for step in pattern:
            np.testing.assert_array_equal(answers(column, step), answers(array, step), str(step))


@pytest.mark.parametrize("length", [0, 1, BLOCK_BYTES // 4, BLOCK_BYTES // 4 + 1, 32768])
def test_lengths_around_a_block(stored: ModelReader, length: int) -> None:
    array = numbers("int32", length)
    for use in ("array", "read", "take"):
        column = stored.column(f"int32 {length}")
        assert len(column) == length
        if use == "array":
            found = column.array()
        elif use == "read":
            found = column.read(0, length)
        else:
            found = np.array([column.take(np.array([i]))[0] for i in range(0, length, 1000)])
        np.testing.assert_array_equal(found, array[:: 1000 if use == "take" else 1])
        assert found.dtype == np.int32 or not length


def test_a_few_look_ups_read_a_few_blocks(stored: ModelReader) -> None:
    asked: list[str] = []
    stored.connection.set_trace_callback(asked.append)
    column = stored.column("float64")
    assert column.take(np.array([5])) == numbers("float64", LENGTH)[5]
    assert column.take(np.array([7, 9])).tolist() == numbers("float64", LENGTH)[[7, 9]].tolist()
    column.read(10, 20)
    assert len(asked) == 1
    column.take(np.array([LENGTH - 1, 6]))
    assert len(asked) == 2
    # As many as a sixty-fourth of all: one read of everything, and none after it.
    column.take(np.arange(0, LENGTH, 60))
    assert len(asked) == 3
    column.take(np.arange(0, LENGTH, 50))
    column.read(0, LENGTH)
    assert len(asked) == 3
    stored.connection.set_trace_callback(None)


def test_look_ups_all_over_end_in_reading_everything(stored: ModelReader) -> None:
    asked: list[str] = []
    column = stored.column("float64")
    blocks = -(-LENGTH * 8 // BLOCK_BYTES)
    stored.connection.set_trace_callback(asked.append)
    for place in range(0, LENGTH, 97):
        column.take(np.array([place]))
    stored.connection.set_trace_callback(None)
    assert blocks // 2 < len(asked) <= blocks // 2 + 2


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    length = BLOCK_BYTES * (3 * CACHED_BLOCKS)
    with ModelWriter(tmp_path / "long.lm") as writer:
        writer.column("long", MemoryColumn(np.zeros(length, np.uint8)))
    column = ModelReader(tmp_path / "long.lm").column("long")
    for place in range(0, BLOCK_BYTES * (CACHED_BLOCKS + 20), BLOCK_BYTES):
        column.take(np.array([place]))
    assert len(column._cache) == CACHED_BLOCKS


@settings(max_examples=60, deadline=None)
@given(dtype=st.sampled_from(DTYPES), pattern=st.lists(steps, max_size=6))
def test_scratch_columns_answer_as_the_array(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, pattern: list[Step]
) -> None:
    array = numbers(dtype, LENGTH)
    column = scratch(array, str(tmp_path_factory.getbasetemp()))
    assert (len(column), column.dtype) == (LENGTH, np.dtype(dtype))
    np.testing.assert_array_equal(column.array(), array)
    for step in pattern:
        np.testing.assert_array_equal(answers(column, step), answers(array, step), str(step))


@pytest.mark.slow
def test_scratch_files_have_no_name_and_are_closed(tmp_path: Path) -> None:
    gc.collect()  # what earlier tests left open must not be closed in between
    opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    column = scratch(np.arange(10), str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    assert column.array().tolist() == list(range(10))
    if opened is not None:
        assert len(os.listdir("/proc/self/fd")) == opened + 1
        del column
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == opened


def test_a_full_disk_under_a_scratch_file(tmp_path: Path) -> None:
    builder = Builder(np.uint8, str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(LmkitError, match="cannot keep intermediate results") as error:
            builder.append(np.zeros(1 << 17, np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.hint is not None and "TMPDIR" in error.value.hint


@pytest.mark.parametrize("finish", [MemoryColumn, lambda values: scratch(values, "/tmp")])
def test_blocks_put_together_are_the_column(
    finish: Callable[[NDArray[Any]], Column], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmkit.store.columns.BLOCK_BYTES", 64)
    values = np.arange(5000, dtype=np.int32)
    blocks = list(blocks_of(finish(values)))
    assert {block.nbytes for block in blocks[:-1]} == {64}
    assert 0 < blocks[-1].nbytes <= 64
    np.testing.assert_array_equal(np.concatenate(blocks), values)


def test_builders_put_pieces_together() -> None:
    builder = Builder(np.int32)
    assert builder.finish().array().tolist() == []
    builder = Builder(np.float32)
    for piece in ([1, 2], [], [3.5]):
        builder.append(np.array(piece))
    column = builder.finish()
    assert column.dtype == np.float32
    assert column.array().tolist() == [1.0, 2.0, 3.5]


@pytest.mark.parametrize("use", ["array", "read", "take one", "take"])
def test_a_missing_block_is_damage(tmp_path: Path, use: str) -> None:
    path = tmp_path / "model.lm"
    with ModelWriter(path) as writer:
        writer.column("c", MemoryColumn(np.arange(100_000, dtype=np.int32)))
        writer.connection.execute("DELETE FROM blocks WHERE id = ?", (block_id(1, 2),))
    column: StoredColumn = ModelReader(path).column("c")
    missing = 2 * BLOCK_BYTES // 4
    with pytest.raises(ModelFileError, match=r"is damaged: a block (is missing|has the)"):
        {
            "array": column.array,
            "read": lambda: column.read(missing - 1, missing + 1),
            "take one": lambda: column.take(np.array([missing])),
            "take": lambda: column.take(np.array([0, missing])),
        }[use]()


@pytest.mark.parametrize("use", ["array", "take"])
@pytest.mark.parametrize("data", [b"", b"\0" * 5, b"\0" * 4 * 16383, b"\0" * 4 * 16385])
def test_a_block_of_another_size_is_damage(tmp_path: Path, use: str, data: bytes) -> None:
    path = tmp_path / "model.lm"
    with ModelWriter(path) as writer:
        writer.column("c", MemoryColumn(np.arange(100_000, dtype=np.int32)))
        writer.connection.execute("UPDATE blocks SET data = ? WHERE id = ?", (data, block_id(1, 2)))
    column = ModelReader(path).column("c")
    with pytest.raises(ModelFileError, match=r"model.lm is damaged: a block has the wrong size"):
        column.array() if use == "array" else column.take(np.array([3 * BLOCK_BYTES // 4 - 1]))


@pytest.mark.parametrize(
    "largest, dtype",
    [
        (0, np.uint8),
        (255, np.uint8),
        (256, np.uint16),
        (65535, np.uint16),
        (65536, np.uint32),
        (2**32 - 1, np.uint32),
        (2**32, np.int64),
    ],
)
def test_narrow(largest: int, dtype: type) -> None:
    assert narrow(largest) == dtype
    assert np.bincount(np.zeros(3, narrow(largest))).tolist() == [3]
