"""Spelling models of unknown words in a model file: columns that begin with their ``name`` and a
full stop, and what is no column in ``meta`` under that name."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.store.columns import MemoryColumn
from lmkit.store.damage import damage
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.text.spelling import SpellingModel

NAME = "spelling"
"""That of a model's own."""


def save_spelling(writer: ModelWriter, spelling: SpellingModel | None, name: str = NAME) -> None:
    """Write ``spelling``, where there is one."""
    if spelling is None:
        return
    plain: dict[str, Any] = {}
    for part, values in spelling.as_arrays().items():
        if isinstance(values, np.ndarray) and values.ndim == 1:
            writer.column(f"{name}.{part}", MemoryColumn(values))
        else:
            plain[part] = values
    writer.meta({name: plain})


def stored_spelling(reader: ModelReader, name: str = NAME) -> SpellingModel | None:
    """The spelling model of the file, read when the first unknown word comes; None without one."""
    if name not in reader.meta:
        return None
    return _StoredSpelling(reader, name)  # type: ignore[return-value]


class _StoredSpelling:
    """Answers as `SpellingModel` does."""

    def __init__(self, reader: ModelReader, name: str) -> None:
        self._reader = reader
        self._name = name
        self._model: SpellingModel | None = None

    def _load(self) -> SpellingModel:
        if self._model is None:
            with damage(self._reader.path):
                arrays: dict[str, Any] = dict(self._reader.meta[self._name])
                prefix = f"{self._name}."
                for column in self._reader.column_names(prefix):
                    arrays[column.removeprefix(prefix)] = self._reader.column(column).array()
                self._model = SpellingModel.from_arrays(arrays)
        return self._model

    def log_probs(self, spellings: Any) -> Any:
        return self._load().log_probs(spellings)

    def as_arrays(self) -> Any:
        return self._load().as_arrays()
