"""A mixture in its file, and back. The numbers are in ``meta`` and in columns that begin with
``mixture.``; the models are named or carried as `lmkit.store.components` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.mixture.blend import Blend
from lmkit.mixture.cache import Cache
from lmkit.mixture.member import Member
from lmkit.store.columns import MemoryColumn
from lmkit.store.components import open_components, save_components
from lmkit.store.damage import damage
from lmkit.store.modelfile import ModelReader, ModelWriter

if TYPE_CHECKING:
    from lmkit.mixture.model import MixtureModel

CLASSES = "mixture.token_classes"
INTO = "mixture.into."


def save_mixture(model: MixtureModel, path: str | Path, embed: bool) -> None:
    """Write ``model`` to ``path``, atomically; ``embed`` carries its models."""
    blend = model.blend
    cache = blend.cache
    with ModelWriter(path) as writer:
        writer.meta(
            {
                "backend": model.backend,
                "kind": blend.kind,
                "names": [member.name for member in model.members],
                "shape": list(blend.weights.shape),
                "powers": None if blend.powers is None else blend.powers.tolist(),
                "cache": None if cache is None else {"size": cache.size, "decay": cache.decay},
                **model.facts,
            }
        )
        writer.column("mixture.weights", MemoryColumn(blend.weights.reshape(-1)))
        if blend.token_classes is not None:
            writer.column(CLASSES, MemoryColumn(blend.token_classes))
        for number, member in enumerate(model.members, 1):
            if member.into is not None:
                writer.column(f"{INTO}{number}", MemoryColumn(member.into))
        save_components(writer, model.components, embed)
        for row in model.runs:
            writer.run({key: value for key, value in row.items() if key != "id"})


def open_mixture(path: str | Path) -> MixtureModel:
    """Open the mixture in ``path``. Raises `ModelFileError` where it is no whole one, or where
    one of its models is missing or has changed since."""
    from lmkit.mixture.model import MixtureModel

    reader = ModelReader(path)
    components = open_components(reader)
    with damage(path):
        meta = reader.meta
        members = [
            Member(part.model, name, _array(reader, f"{INTO}{number}"))
            for number, (part, name) in enumerate(zip(components, meta["names"], strict=True), 1)
        ]
        weights = reader.column("mixture.weights").array().reshape(meta["shape"])
        blend = Blend(
            meta["kind"],
            weights,
            None if meta["cache"] is None else Cache(**meta["cache"]),
            None if meta["powers"] is None else np.array(meta["powers"]),
            _array(reader, CLASSES),
        )
        facts = {key: meta[key] for key in ("weights", "fit", "notes")}
    return MixtureModel(components, members, blend, facts, reader.runs())


def _array(reader: ModelReader, name: str) -> Any:
    return reader.column(name).array() if reader.has_column(name) else None
