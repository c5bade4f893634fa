"""Learnt tokenizers in a model file: their long lists are rows of tables, for people too, and what
else makes them stands in ``meta``, in the settings of text."""

from __future__ import annotations

from typing import Any

from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import kind_named

KIND, TOKENIZER = "kind", "tokenizer"
"""``meta`` of a file that holds a tokenizer alone says so by this."""

TYPES: dict[str, tuple[frozenset[type], ...]] = {
    "merges": (frozenset({str}), frozenset({str})),
    "pieces": (frozenset({str}), frozenset({float, type(None)})),
}
"""The tables of tokenizers, and what their columns hold beside the number of the row."""


def save_tokenizer(writer: ModelWriter, tokenizer: Tokenizer) -> None:
    """Write those tables of ``tokenizer`` that it has; `TextSettings.as_dict` without tables is
    the rest of it."""
    values = tokenizer.as_dict()
    for name in tokenizer.tables:
        writer.connection.executemany(
            f"INSERT INTO {name} VALUES (?, ?, ?)",
            ((number, *row) for number, row in enumerate(values[name])),
        )


def is_tokenizer(reader: ModelReader) -> bool:
    """Whether the file holds a tokenizer and no model."""
    return bool(reader.meta.get(KIND) == TOKENIZER)


def stored_settings(reader: ModelReader) -> TextSettings:
    """The settings of text of the file, with their tokenizer.

    Raises what `lmkit.store.damage.damage` makes a `ModelFileError` where it is damaged.
    """
    values: dict[str, Any] = dict(reader.meta["text"])
    tokenizer = values["tokenizer"]
    if isinstance(tokenizer, dict):
        kind = kind_named(tokenizer["name"])
        rows = {name: _stored_rows(reader, name) for name in kind.tables}
        values["tokenizer"] = {**tokenizer, **rows}
    return TextSettings.from_dict(values)


def _stored_rows(reader: ModelReader, name: str) -> list[list[Any]]:
    rows = reader.rows(name)
    if [row[0] for row in rows] != list(range(len(rows))):
        raise ValueError(f"its {name} are not all there")
    for place, types in enumerate(TYPES[name], 1):
        if not types.issuperset(type(row[place]) for row in rows):
            raise ValueError(f"its {name} hold values of another type")
    return [list(row[1:]) for row in rows]
