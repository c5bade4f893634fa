"""Networks in files: the tables ``tensors`` and ``training_log`` of a model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lmkit.errors import ModelFileError
from lmkit.neural.arrays import Array, unwarned
from lmkit.neural.parameters import Parameters
from lmkit.store.checksums import tensor_crc
from lmkit.store.damage import damage
from lmkit.store.facts import check, integer, optional, real, record
from lmkit.store.modelfile import ModelReader, ModelWriter, number_type

LOG = (
    "updates",
    "epoch",
    "tokens",
    "seconds",
    "loss",
    "gradient_norm",
    "learning_rate",
    "valid_loss",
)
"""Columns of ``training_log``."""

LOGGED = record(
    {
        **dict.fromkeys(("updates", "tokens"), integer()),
        **dict.fromkeys(("epoch", "seconds"), real),
        **dict.fromkeys(LOG[4:], optional(real)),
    }
)
"""A row of it."""

PIECE = 1 << 20
"""Bytes of a tensor that are written at once."""

SCALES = ".scales"
"""What the name of the scales [R, 1] of an int8 tensor [R, C] ends in."""
PLACES = ".places"
"""What the name of the places of a sparse tensor's entries ends in: a bit for each place. The
tensor itself then holds only the entries that are not zero."""
SPARSE = 0.25
"""From this part of zeros on the sparse form is the smaller one, by far or by a little."""


def save_tensors(writer: ModelWriter, tensors: Mapping[str, Array]) -> None:
    """Write ``tensors`` under their names."""
    for name, values in tensors.items():
        array = np.asarray(values)
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
        dtype, shape = little.dtype.str, json.dumps(list(array.shape))
        data = little.data.cast("B") if little.nbytes else memoryview(b"")
        row = writer.connection.execute(
            "INSERT INTO tensors VALUES (?, ?, ?, zeroblob(?), ?)",
            (name, dtype, shape, little.nbytes, tensor_crc(name, dtype, shape, data)),
        ).lastrowid
        if not little.nbytes:
            continue
        assert row is not None
        # In pieces: given as a whole, SQLite would make two copies of a large tensor.
        with writer.connection.blobopen("tensors", "data", row) as blob:
            for start in range(0, len(data), PIECE):
                blob.write(data[start : start + PIECE])


def load_tensors(reader: ModelReader) -> dict[str, Array]:
    """All tensors by name. Raises `ModelFileError` where one is damaged."""
    tensors = {}
    crc = "crc" if reader.checked else "NULL"
    with damage(reader.path):
        reader.rows("tensors")
        for name, dtype, shape, data, stored in reader.connection.execute(
            f"SELECT name, dtype, shape, data, {crc} FROM tensors"
        ):
            if reader.checked and tensor_crc(name, dtype, shape, data) != stored:
                raise ValueError(f"the tensor {name!r} is not what was written (another checksum)")
            tensors[str(name)] = np.frombuffer(data, number_type(dtype)).reshape(json.loads(shape))
    return tensors


def tensor_sizes(reader: ModelReader) -> dict[str, int]:
    """How many bytes each tensor has, without reading them."""
    with damage(reader.path):
        rows = reader.connection.execute("SELECT name, length(data) FROM tensors")
        return {str(name): int(size or 0) for name, size in rows}


def save_log(writer: ModelWriter, log: Iterable[Mapping[str, Any]]) -> None:
    """Write the course of the training, rows with the keys `LOG`."""
    writer.connection.executemany(
        f"INSERT INTO training_log ({', '.join(LOG)}) VALUES ({', '.join('?' * len(LOG))})",
        [[row.get(name) for name in LOG] for row in log],
    )


def load_log(reader: ModelReader) -> list[dict[str, Any]]:
    """The course of the training."""
    with damage(reader.path):
        log = [dict(zip(LOG, row[1:], strict=True)) for row in reader.rows("training_log")]
        for row in log:
            check(row, LOGGED, "training_log")
    return log


def fill(parameters: Parameters, tensors: Mapping[str, Array], path: Path) -> None:
    """Set all weights from ``tensors``, int8 ones times their scales.

    Raises `ModelFileError` where one is missing, has another shape, or is not finite.
    """
    for name, view in parameters.views.items():
        if name not in tensors:
            raise damaged(path, f"it lacks the weights {name!r}")
        if f"{name}{PLACES}" in tensors:
            _fill_sparse(view, tensors[name], tensors[f"{name}{PLACES}"], path, name)
        elif tensors[name].shape == view.shape:
            view[...] = tensors[name]
        else:
            raise damaged(path, f"the weights {name!r} have another shape than the network")
        scales = tensors.get(f"{name}{SCALES}")
        if scales is not None and scales.shape != (len(view), 1):
            raise damaged(path, f"the scales of the weights {name!r} have another shape than they")
        if scales is not None:
            view *= scales
    with unwarned():
        square = parameters.flat @ parameters.flat
    if not np.isfinite(square):
        bad = [name for name, view in parameters.views.items() if not np.isfinite(view).all()]
        if bad:
            raise damaged(path, f"the weights {bad[0]!r} are not all numbers (NaN or infinite)")


def packed(name: str, values: Array) -> dict[str, Array]:
    """A tensor as the file keeps it: itself, or, of many zeros, its other entries and places."""
    if values.ndim < 2 or np.count_nonzero(values) > (1 - SPARSE) * values.size:
        return {name: values}
    filled = values.reshape(-1) != 0
    return {name: values.reshape(-1)[filled], f"{name}{PLACES}": np.packbits(filled)}


def _fill_sparse(view: Array, values: Array, places: Array, path: Path, name: str) -> None:
    filled = np.unpackbits(places, count=view.size).astype(bool)
    if filled.sum() != len(values):
        raise damaged(path, f"the weights {name!r} have another shape than the network")
    view[...] = 0
    view.reshape(-1)[filled] = values


def damaged(path: Path, why: str) -> ModelFileError:
    """The error for a file that cannot be what it says."""
    return ModelFileError(f"{path} is damaged: {why}", "train it again, or restore a copy")
