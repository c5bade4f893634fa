"""A mixture in its file, and back. The numbers are in ``meta`` and in columns that begin with
``mixture.``; the models are named or carried as `lmkit.store.components` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.mixture.blend import KINDS, Blend
from lmkit.mixture.cache import CLASSES as CACHE_CLASSES
from lmkit.mixture.cache import SOURCES, Cache
from lmkit.mixture.member import Member, with_vocabulary
from lmkit.model import BOS, EOS, UNK, LanguageModel
from lmkit.store.columns import MemoryColumn
from lmkit.store.components import open_components, save_components
from lmkit.store.damage import damage
from lmkit.store.facts import (
    NOTES,
    VOCABULARY,
    anything,
    check,
    integer,
    mapping,
    number,
    one_of,
    optional,
    record,
    sequence,
    text,
)
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.store.vocabulary import StoredVocabulary

if TYPE_CHECKING:
    from lmkit.mixture.model import MixtureModel

CLASSES = "mixture.token_classes"
INTO = "mixture.into."

FACTS = record(
    {
        "kind": one_of(*KINDS),
        "names": sequence(text, 1),
        "shape": sequence(integer(1), 2, 2),
        "powers": optional(sequence(number(0), 1)),
        "cache": optional(record({"size": integer(1), "decay": number(0, 1)})),
        "weights": mapping(optional(number())),
        "fit": mapping(anything),
        "notes": NOTES,
    },
    also=VOCABULARY,
)
"""``meta`` of a mixture."""


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
        if model.members[0].into is not None:
            vocabulary = model.vocabulary
            writer.meta(
                {
                    "vocabulary_size": len(vocabulary),
                    "vocabulary_limited": vocabulary.limited,
                }
            )
            writer.vocabulary(vocabulary.tokens, vocabulary.counts.tolist())
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
        check(meta, FACTS, "meta")
        first = components[0].model
        encoder = first.encoder
        if reader.has_column(f"{INTO}1"):
            check(meta, record(VOCABULARY), "meta")
            encoder = with_vocabulary(encoder, StoredVocabulary(reader))
        size = len(encoder.vocabulary)
        members = [
            Member(part.model, name, _into(reader, number, size, part.model))
            for number, (part, name) in enumerate(zip(components, meta["names"], strict=True), 1)
        ]
        blend = Blend(
            meta["kind"],
            reader.column("mixture.weights").array().reshape(meta["shape"]),
            None if meta["cache"] is None else Cache(**meta["cache"]),
            None if meta["powers"] is None else np.array(meta["powers"], np.float64),
            reader.column(CLASSES).array() if reader.has_column(CLASSES) else None,
        )
        _check_blend(blend, len(members), size)
        facts = {key: meta[key] for key in ("weights", "fit", "notes")}
    return MixtureModel(components, members, blend, facts, reader.runs(), encoder)


def _into(reader: ModelReader, number: int, size: int, model: LanguageModel) -> Any:
    """The model's id of each token of the mixture, where they differ."""
    if not reader.has_column(f"{INTO}{number}"):
        if len(model.vocabulary) != size:
            raise ValueError("its models have different vocabularies")
        return None
    ids = reader.column(f"{INTO}{number}").array()
    _check_places(ids, size, len(model.vocabulary))
    if ids[:3].tolist() != [UNK, BOS, EOS]:
        raise ValueError("its tokens are not those of its models")
    return ids


def _check_places(values: Any, length: int, end: int) -> None:
    """Raises `ValueError` where ``values`` are not ``length`` whole numbers from 0 to ``end``."""
    right = len(values) == length and values.dtype.kind in "iu"
    if not right or not 0 <= values.min(initial=0) <= values.max(initial=0) < end:
        raise ValueError("its tokens are not those of its models")


def _check_blend(blend: Blend, members: int, size: int) -> None:
    """Raises `ValueError` where the weights are none of ``members`` models over a vocabulary of
    ``size`` tokens: one for each source in each class, not below 0, that sum to one."""
    product, cached = blend.kind == "log-linear", blend.cache is not None
    contexts = 1
    if blend.token_classes is not None:
        _check_places(blend.token_classes, size, size)
        contexts = int(blend.token_classes.max()) + 1
    weights = blend.weights
    sources = (1 if product else members) + (len(SOURCES) if cached else 0)
    good = (
        weights.ndim == 2
        and weights.shape[1] == sources
        and len(weights) >= contexts * (CACHE_CLASSES if cached else 1)
        and weights.dtype.kind == "f"
        and bool((weights >= 0).all())
        and bool((np.abs(weights.sum(axis=1) - 1) < 1e-6).all())
        and (blend.powers is not None) == product
        and (blend.powers is None or len(blend.powers) == members)
    )
    if not good:
        raise ValueError("the weights of the mixture do not fit its models, or do not sum to one")
