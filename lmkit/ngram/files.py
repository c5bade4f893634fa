"""An n-gram model in its file, and back.

Columns are named ``<order>.<column>``, such as ``3.log_prob``; those of the spelling model
begin with ``spelling.``.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.ngram.trie import Level, Trie
from lmkit.store.columns import MemoryColumn
from lmkit.store.damage import damage
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.store.vocabulary import StoredVocabulary
from lmkit.text.encoder import TextEncoder
from lmkit.text.settings import TextSettings
from lmkit.text.spelling import SpellingModel

if TYPE_CHECKING:
    from lmkit.ngram.model import NgramModel


def save_ngram_model(model: NgramModel, path: str | Path) -> None:
    """Write ``model`` to ``path``, atomically."""
    with ModelWriter(path) as writer:
        vocabulary = model.vocabulary
        writer.meta(
            {
                "backend": model.backend,
                "order": model.order,
                "sizes": model.trie.sizes,
                "vocabulary_size": len(vocabulary),
                "vocabulary_limited": vocabulary.limited,
                **model.facts,
            }
        )
        writer.vocabulary(vocabulary.tokens, vocabulary.counts.tolist())
        _save_spelling(writer, getattr(model.encoder, "spelling", None))
        for order, level in enumerate(model.trie.levels, 1):
            for name, column in level.columns():
                writer.column(f"{order}.{name}", column)
        for row in model.runs:
            writer.run({key: value for key, value in row.items() if key != "id"})


def _save_spelling(writer: ModelWriter, spelling: SpellingModel | None) -> None:
    if spelling is None:
        return
    plain: dict[str, Any] = {}
    for name, values in spelling.as_arrays().items():
        if isinstance(values, np.ndarray) and values.ndim == 1:
            writer.column(f"spelling.{name}", MemoryColumn(values))
        else:
            plain[name] = values
    writer.meta({"spelling": plain})


def open_ngram_model(path: str | Path) -> NgramModel:
    """Open the n-gram model in ``path``: what it holds is read when it is asked for.

    Raises `ModelFileError` where the file is no whole model.
    """
    from lmkit.ngram.model import NgramModel

    reader = ModelReader(path)
    with damage(path):
        meta = reader.meta
        levels = [_level(reader, order, meta["sizes"]) for order in range(1, meta["order"] + 1)]
        facts = {key: meta[key] for key in ("smoothing", "pruned", "normalised", "unit", "text")}
        encoder = TextEncoder(
            TextSettings.from_dict(meta["text"]), StoredVocabulary(reader), _spelling(reader)
        )
        return NgramModel(Trie(levels), encoder, facts, reader.runs())


def _level(reader: ModelReader, order: int, sizes: list[int]) -> Level:
    level = Level(sizes[order - 1])
    needed = {"log_prob"}
    if order > 1:
        needed |= {"token", "suffix"}
    if order < len(sizes):
        needed |= {"first_child", "log_backoff"}
    for field in fields(Level)[1:]:
        name = f"{order}.{field.name}"
        if field.name not in needed and not reader.has_column(name):
            continue
        column = reader.column(name)
        if len(column) != level.size + (field.name == "first_child"):
            raise ValueError(f"the column {name!r} has {len(column):,} entries")
        setattr(level, field.name, column)
    return level


def _spelling(reader: ModelReader) -> SpellingModel | None:
    if "spelling" not in reader.meta:
        return None
    return _LazySpelling(reader)  # type: ignore[return-value]


class _LazySpelling:
    """The spelling model of a file, read when the first unknown word comes."""

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
