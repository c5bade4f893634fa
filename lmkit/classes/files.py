"""A class model in its file, and back. Its n-grams are a part that it carries
(`lmkit.store.components`); the edges are columns that begin with ``class.``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.model import NgramModel
from lmkit.store.columns import MemoryColumn
from lmkit.store.components import Component, open_components, save_components
from lmkit.store.damage import damage
from lmkit.store.facts import NOTES, TEXT, VOCABULARY, check, integer, record
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.store.vocabulary import StoredVocabulary
from lmkit.text.encoder import TextEncoder

if TYPE_CHECKING:
    from lmkit.classes.model import ClassModel, Edges

FACTS = record({"classes": integer(), "notes": NOTES, "text": TEXT, **VOCABULARY})
"""``meta`` of a class model."""


def save_class_model(model: ClassModel, path: str | Path) -> None:
    """Write ``model`` to ``path``, atomically."""
    edges, vocabulary = model.edges, model.vocabulary
    with ModelWriter(path) as writer:
        writer.meta(
            {
                "backend": model.backend,
                "text": model.encoder.settings.as_dict(tables=False),
                "vocabulary_size": len(vocabulary),
                "vocabulary_limited": vocabulary.limited,
                **model.facts,
            }
        )
        writer.vocabulary(vocabulary.tokens, vocabulary.counts.tolist())
        writer.column("class.tags", MemoryColumn(edges.tags))
        writer.column("class.words", MemoryColumn(edges.words))
        writer.column("class.log_probs", MemoryColumn(edges.log_probs))
        save_components(writer, [Component(model.inner, None)])
        for row in model.runs:
            writer.run({key: value for key, value in row.items() if key != "id"})


def open_class_model(path: str | Path) -> ClassModel:
    """Open the class model in ``path``. Raises `ModelFileError` where it is no whole one."""
    from lmkit.classes.model import ClassModel, Edges

    reader = ModelReader(path)
    parts = open_components(reader)
    with damage(path):
        meta = reader.meta
        check(meta, FACTS, "meta")
        if len(parts) != 1 or not isinstance(parts[0].model, NgramModel):
            raise ValueError("it is not made of one model of n-grams")
        inner = parts[0].model
        columns = [
            reader.column(f"class.{name}").array() for name in ("tags", "words", "log_probs")
        ]
        edges = Edges(*columns)
        _check_edges(edges, inner.trie[1].size, meta["vocabulary_size"])
        encoder = TextEncoder(inner.encoder.settings, StoredVocabulary(reader))
        facts = {key: meta[key] for key in ("classes", "notes")}
        return ClassModel(inner, encoder, edges, facts, reader.runs())


def _check_edges(edges: Edges, tags: int, words: int) -> None:
    """Raises `ValueError` where ``edges`` do not lead from ``tags`` tokens of the n-grams to all of
    ``words`` words, with probabilities."""
    columns: list[Any] = [edges.tags, edges.words]
    whole = all(column.dtype.kind in "iu" for column in columns)
    good = whole and len(edges.tags) == len(edges.words) == len(edges.log_probs) > 0
    good = good and 0 <= edges.tags.min() <= edges.tags.max() < tags
    good = good and bool((np.diff(edges.words) >= 0).all())
    good = good and np.array_equal(np.unique(edges.words), np.arange(words))
    good = good and edges.log_probs.dtype == np.float64 and bool((edges.log_probs <= 0).all())
    if good:
        marks = edges.words.searchsorted([UNK, BOS, EOS])
        good = edges.tags[marks].tolist() == [UNK, BOS, EOS]
    if not good:
        raise ValueError("its classes and words do not fit together")
