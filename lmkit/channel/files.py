"""Noisy channels in files: plain rows of ``edits``, the source named or carried, and the words that
a correction chooses from (`lmkit.channel.candidates.stored`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmkit.channel.base import EditRow
from lmkit.channel.candidates.stored import StoredStock, save_stock
from lmkit.registry import resolve
from lmkit.store.components import open_components, save_components
from lmkit.store.damage import damage
from lmkit.store.facts import (
    anything,
    boolean,
    check,
    mapping,
    number,
    optional,
    record,
    sequence,
    text,
)
from lmkit.store.modelfile import ModelReader, ModelWriter

if TYPE_CHECKING:
    from lmkit.channel.model import NoisyChannelModel

LARGEST = 1e6
"""Of weights and pseudo-counts."""


def rated(value: Any, where: str) -> None:
    """A number of `lmkit.channel.edits.table.Smoothing`, or whether it does something."""
    (boolean if isinstance(value, bool) else number(0, LARGEST))(value, where)


WEIGHTS = record(
    {"keep": number(0, 1)},
    also={
        **dict.fromkeys(("source", "channel"), number(0, LARGEST)),
        **dict.fromkeys(("name", "caution"), number(-LARGEST, LARGEST)),
        "unknown": optional(number(-LARGEST, LARGEST)),
    },
)

FACTS = record(
    {
        "components": sequence(anything, 1, 1),
        "channel": text,
        "options": record({}, also={"smoothing": mapping(rated)}),
        "weights": WEIGHTS,
        "lexicon": mapping(anything),
        "facts": mapping(anything),
    }
)
"""``meta`` of a channel."""


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
        check(meta, FACTS, "meta")
        rows = [EditRow._make(row[1:]) for row in reader.rows("edits")]
        kept = {"keep": meta["weights"]["keep"], **meta["options"]}
        channel = resolve("channel", meta["channel"]).from_rows(rows, **kept)
    stored = StoredStock(reader, source.model)
    return NoisyChannelModel(
        source,
        channel,
        weights=meta["weights"],
        lexicon=meta["lexicon"],
        facts=meta["facts"],
        runs=reader.runs(),
        stock=stored if stored.there else None,
    )
