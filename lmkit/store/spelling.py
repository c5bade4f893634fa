"""The spelling model of unknown words in a model file: columns that begin with ``spelling.``."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.store.columns import MemoryColumn
from lmkit.store.damage import damage
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.text.spelling import SpellingModel


def save_spelling(writer: ModelWriter, spelling: SpellingModel | None) -> None:
    """Write ``spelling``, where there is one."""
    if spelling is None:
        return
    plain: dict[str, Any] = {}
    for name, values in spelling.as_arrays().items():
        if isinstance(values, np.ndarray) and values.ndim == 1:
            writer.column(f"spelling.{name}", MemoryColumn(values))
        else:
            plain[name] = values
    writer.meta({"spelling": plain})


def stored_spelling(reader: ModelReader) -> SpellingModel | None:
    """The spelling model of the file, read when the first unknown word comes; None without one."""
    if "spelling" not in reader.meta:
        return None
    return _StoredSpelling(reader)  # type: ignore[return-value]


class _StoredSpelling:
    """Answers as `SpellingModel` does."""

    def __init__(self, reader: ModelReader) -> None:
        self._reader = reader
        self._model: SpellingModel | None = None

    def _load(self) -> SpellingModel:
        if self._model is None:
            with damage(self._reader.path):
                arrays: dict[str, Any] = dict(self._reader.meta["spelling"])
                for name in self._reader.column_names("spelling."):
                    arrays[name.removeprefix("spelling.")] = self._reader.column(name).array()
                self._model = SpellingModel.from_arrays(arrays)
        return self._model

    def log_probs(self, spellings: Any) -> Any:
        return self._load().log_probs(spellings)

    def as_arrays(self) -> Any:
        return self._load().as_arrays()
