"""An n-gram model in its file, and back.

Columns are named ``<order>.<column>``, such as ``3.log_prob``; those of the spelling model
begin with ``spelling.``.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from lmkit.ngram.checking import FACTS, validator
from lmkit.ngram.trie import Level, Trie
from lmkit.store.damage import damage
from lmkit.store.facts import check
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.store.spelling import save_spelling, stored_spelling
from lmkit.store.tokenizers import save_tokenizer, stored_settings
from lmkit.store.vocabulary import StoredVocabulary
from lmkit.text.encoder import TextEncoder

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
        save_spelling(writer, getattr(model.encoder, "spelling", None))
        save_tokenizer(writer, model.encoder.settings.tokenizer)
        for order, level in enumerate(model.trie.levels, 1):
            for name, column in level.columns():
                writer.column(f"{order}.{name}", column)
        for row in model.runs:
            writer.run({key: value for key, value in row.items() if key != "id"})


def open_ngram_model(path: str | Path) -> NgramModel:
    """Open the n-gram model in ``path``: what it holds is read when it is asked for.

    Raises `ModelFileError` where the file is no whole model.
    """
    from lmkit.ngram.model import NgramModel

    reader = ModelReader(path)
    with damage(path):
        meta = reader.meta
        check(meta, FACTS, "meta")
        sizes = meta["sizes"]
        if len(sizes) != meta["order"] or sizes[0] != meta["vocabulary_size"]:
            raise ValueError("the sizes of its orders do not fit together")
        parameters = meta["smoothing"]["parameters"]
        if parameters["form"] == "constant" and "weight" not in parameters:
            raise ValueError("it lacks the weight of shorter contexts")
        levels = [_level(reader, order, sizes) for order in range(1, len(sizes) + 1)]
        facts = {key: meta[key] for key in ("smoothing", "pruned", "normalised", "unit", "text")}
        encoder = TextEncoder(
            stored_settings(reader), StoredVocabulary(reader), stored_spelling(reader)
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
        column = reader.column(name, validator(field.name, order, sizes))
        if len(column) != level.size + (field.name == "first_child"):
            raise ValueError(f"the column {name!r} has {len(column):,} entries")
        if (column.dtype.kind == "f") != field.name.startswith("log_"):
            raise ValueError(f"the column {name!r} has numbers of another type")
        setattr(level, field.name, column)
    return level
