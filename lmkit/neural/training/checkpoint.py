"""A training on disk, ``TARGET.checkpoint``: weights, optimizer, random numbers, place in the text.

It is a file like a model's, written beside the old one and renamed. A training that goes on from
it makes the same updates as one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lmkit.errors import LmkitError, ModelFileError
from lmkit.neural.arrays import Array
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.use.files import load_log, load_tensors, save_log, save_tensors
from lmkit.store.damage import damage
from lmkit.store.modelfile import ModelReader, ModelWriter

KIND = "checkpoint of a neural model"


def save_checkpoint(
    path: Path,
    facts: Mapping[str, Any],
    tensors: Mapping[str, Array],
    log: list[dict[str, Any]],
) -> None:
    """Write a checkpoint to ``path``, atomically; ``facts`` are JSON values."""
    with ModelWriter(path) as writer:
        writer.meta({"backend": KIND, **facts})
        save_tensors(writer, tensors)
        save_log(writer, log)


def load_checkpoint(
    path: Path, architecture: Architecture, corpus: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Array], list[dict[str, Any]]]:
    """The facts, tensors and log in ``path``.

    Raises `ModelFileError` where there is no checkpoint, or it is one of another network or of
    another text than ``architecture`` and ``corpus`` say.
    """
    if not path.exists():
        raise ModelFileError(
            f"there is no checkpoint {path} to go on from", "the same command without --resume"
        )
    reader = ModelReader(path)
    if reader.meta.get("backend") != KIND:
        raise ModelFileError(f"{path} is not a checkpoint", "the same command without --resume")
    with damage(path):
        found = Architecture.from_dict(reader.meta["architecture"])
        text = reader.meta["corpus"]
    if found != architecture:
        differences = ", ".join(found.differences(architecture))
        raise ModelFileError(
            f"the checkpoint {path} is of another architecture: {differences}",
            "the options that it was begun with, or the same command without --resume",
        )
    if text != dict(corpus):
        raise ModelFileError(
            f"the checkpoint {path} is of a training on another text",
            "the text that it was begun with, or the same command without --resume",
        )
    return reader.meta, load_tensors(reader), load_log(reader)


def fill_from(tensors: Mapping[str, Array], name: str, array: Array) -> None:
    """Copy the tensor ``name`` into ``array``. Raises `ValueError` where it has another shape."""
    if tensors[name].shape != array.shape:
        raise ValueError(f"the tensor {name!r} has another shape")
    array[...] = tensors[name]


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of ``generator`` as JSON values."""
    return _plain(generator.bit_generator.state)


def restore_generator(generator: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Set what `generator_state` gave. Raises `LmkitError` where it is of another kind."""
    known = generator.bit_generator.state
    if state.get("bit_generator") != known["bit_generator"]:
        raise LmkitError("the checkpoint has random numbers of another kind", "starting anew")
    generator.bit_generator.state = _like(state, known)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return [int(entry) for entry in value]
    return int(value) if isinstance(value, np.integer) else value


def _like(value: Any, example: Any) -> Any:
    if isinstance(example, dict):
        return {key: _like(value[key], entry) for key, entry in example.items()}
    return np.array(value, example.dtype) if isinstance(example, np.ndarray) else value
