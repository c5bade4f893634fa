"""`mix` and `merge`: the way in that the command line and Python share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, BinaryIO

from lmkit.errors import UsageError
from lmkit.mixture.fitting import make_mixture
from lmkit.mixture.member import joint_encoder, members_of
from lmkit.mixture.merging import parts_to_merge
from lmkit.mixture.model import MixtureModel
from lmkit.model import LanguageModel
from lmkit.registry import resolve
from lmkit.store.components import Component, component
from lmkit.store.history import run_record
from lmkit.store.modelfile import Inside, is_model_file
from lmkit.store.targets import writes
from lmkit.text.encodings import encoded

Progress = Callable[[str, int, int | None], None]


@writes("models", "valid", embedded="models")
def mix(
    models: Sequence[LanguageModel | str | Path],
    *,
    valid: str | Path | BinaryIO | None = None,
    weights: Sequence[float] | None = None,
    output: str | Path | None = None,
    kind: str = "linear",
    cache: bool = False,
    cache_size: int | None = None,
    cache_decay: float | None = None,
    state: str = "carry",
    embed: bool = False,
    encoding: str | None = None,
    errors: str = "strict",
    special_tokens: str | None = None,
    progress: Progress | None = None,
) -> MixtureModel:
    """``models``, whatever their backends, as one: the mixture under which the text ``valid`` is
    likeliest, or the one with these ``weights`` (powers, if log-linear), an entry a model. Saved to
    ``output`` where that is given.

    A model that is a path may be an ARPA file. The vocabulary is that of all of them: a word that
    one lacks has a share of the probability of its ``<unk>`` there (`lmkit.mixture.member`).

    ``kind``: ``linear`` (weights by EM), ``by-context`` (weights that depend on the last token)
    or ``log-linear`` (a normalised product of powers). ``cache`` mixes in a cache of recent words
    and pairs, of ``cache_size`` words of which each counts ``cache_decay`` times the one behind
    it; None: tuned. ``state``: ``carry`` reads ``valid`` as a text that runs on, ``line`` each
    line by itself. Models given by path are named in ``output``, or carried with ``embed``; those
    in memory are carried always. ``encoding`` and ``errors`` are as in `lmkit.train`;
    ``special_tokens`` says what a literal ``<s>`` in ``valid`` is (None: as in the first model).

    Raises `UnsupportedError` for models that cannot be mixed: other units, scores that are no
    probabilities; `UsageError` for one model without a cache, and for neither text nor weights;
    `TextError` where ``valid`` is empty.
    """
    clock, started = time.monotonic(), datetime.now(UTC)
    components = components_of(models, progress)
    if not components:
        raise UsageError("there is no model to mix", "two models, or one and a cache")
    names = _names(models)
    members = members_of([part.model for part in components], names)
    reader: Any = joint_encoder(members)
    reader = reader.with_settings(errors=errors, special_tokens=special_tokens)
    mixture = make_mixture(
        components,
        members,
        None if valid is None else reader.encode_file(encoded(valid, encoding)),
        weights=weights,
        kind=kind,
        cache=cache,
        cache_size=cache_size,
        cache_decay=cache_decay,
        state=state,
        progress=progress,
    )
    told = {"kind": kind, "cache": cache, "weights": weights and list(weights)}
    record = run_record("mix", started, clock, None, told, None)
    mixture.runs = [{**record, "sources": [member.name for member in mixture.members]}]
    if output is not None:
        mixture.save(output, embed=embed)
    return mixture


@writes("mixture", "valid")
def merge(
    mixture: LanguageModel | str | Path,
    *,
    output: str | Path | None = None,
    valid: str | Path | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    special_tokens: str | None = None,
    progress: Progress | None = None,
) -> LanguageModel:
    """One n-gram model for a ``mixture`` of n-gram models with fixed weights. What it lists has the
    mixture's probabilities, what it does not is an approximation; a note of the new model says
    how far off it is on the text ``valid`` (in its ``encoding``), where that is given.

    Raises `UnsupportedError` for any other model.
    """
    old = component(mixture).model
    clock, started = time.monotonic(), datetime.now(UTC)
    parts = parts_to_merge(old)
    new: Any = resolve("backend", "ngram").merge(*parts, old.encoder, progress=progress)
    if valid is not None:
        reader: Any = old.encoder
        reader = reader.with_settings(errors=errors, special_tokens=special_tokens)
        before, after = (
            reduce(add, map(model.measure, reader.encode_file(encoded(valid, encoding)))).perplexity
            for model in (old, new)
        )
        new.facts["smoothing"]["notes"].append(
            f"perplexity of {valid}: {after:.4f}, that of the mixture {before:.4f}"
            f" ({after / before - 1:+.2%})"
        )
    else:
        new.facts["smoothing"]["notes"].append(
            "what it does not list is only close to the mixture; --valid FILE says how close"
        )
    new.runs = [*old.runs, run_record("merge", started, clock, None, {}, None)]
    if output is not None:
        new.save(output)
    return new


def components_of(
    models: Sequence[LanguageModel | str | Path], progress: Progress | None = None
) -> list[Component]:
    """``models`` as parts; an ARPA file among them is imported, for text that is cut as for the
    first one that is none."""
    arpa = [_is_arpa(model) for model in models]
    parts = [
        None if of_arpa else component(model) for model, of_arpa in zip(models, arpa, strict=True)
    ]
    first = next((part.model.encoder.settings for part in parts if part is not None), None)
    read: Any = resolve("backend", "ngram").read_arpa
    return [
        Component(read(model, first, progress=progress), None) if part is None else part
        for model, part in zip(models, parts, strict=True)
    ]


def _is_arpa(model: Any) -> bool:
    """Whether ``model`` names a file that is no model file and has an ARPA file's first line."""
    if isinstance(model, LanguageModel | Inside) or is_model_file(model):
        return False
    path = Path(model)
    return path.is_file() and resolve("backend", "ngram").is_arpa(path)


def _names(models: Sequence[LanguageModel | str | Path]) -> list[str]:
    """A name for each of them, no two alike."""
    names: list[str] = []
    for number, model in enumerate(models, 1):
        name = f"model {number}" if isinstance(model, LanguageModel) else str(model)
        names.append(name if name not in names else f"{name} (model {number})")
    return names
