"""Noisy channels in files: plain rows of ``edits``, the source named or carried, and the words that
a correction chooses from (`lmkit.channel.candidates.stored`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lmkit.channel.base import EditRow
from lmkit.channel.candidates.stored import StoredStock, save_stock
from lmkit.registry import resolve
from lmkit.store.components import open_components, save_components
from lmkit.store.damage import damage
from lmkit.store.modelfile import ModelReader, ModelWriter

if TYPE_CHECKING:
    from lmkit.channel.model import NoisyChannelModel


def save_channel_model(model: NoisyChannelModel, path: str | Path) -> None:
    """Write ``model`` to ``path``, atomically."""
    with ModelWriter(path) as writer:
        writer.meta(
            {
                "backend": model.backend,
                "channel": model.channel.name,
                "options": model.channel.options,
                "weights": model.weights,
                "lexicon": model.lexicon,
                "facts": model.facts,
            }
        )
        writer.connection.executemany(
            "INSERT INTO edits (kind, context, intended, typed, count) VALUES (?, ?, ?, ?, ?)",
            model.channel.rows(),
        )
        save_components(writer, [model.component], model.embed)
        if model.stock is not None:
            save_stock(writer, model.stock)
        for row in model.runs:
            writer.run({key: value for key, value in row.items() if key != "id"})


def open_channel_model(path: str | Path) -> NoisyChannelModel:
    """Open the noisy channel in ``path`` and its source. Raises `ModelFileError` where it is no
    whole one, or the source is missing or has changed since."""
    from lmkit.channel.model import NoisyChannelModel

    reader = ModelReader(path)
    (source,) = open_components(reader)
    with damage(path):
        meta = reader.meta
        rows = reader.connection.execute(
            "SELECT kind, context, intended, typed, count FROM edits ORDER BY id"
        ).fetchall()
        kept = {"keep": meta["weights"]["keep"], **meta["options"]}
        name, weights, lexicon, facts = (
            meta[key] for key in ("channel", "weights", "lexicon", "facts")
        )
    channel = resolve("channel", name).from_rows(map(EditRow._make, rows), **kept)
    stored = StoredStock(reader, source.model)
    return NoisyChannelModel(
        source,
        channel,
        weights=weights,
        lexicon=lexicon,
        facts=facts,
        runs=reader.runs(),
        stock=stored if stored.there else None,
    )
