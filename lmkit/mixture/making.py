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
from lmkit.mixture.merging import parts_to_merge
from lmkit.mixture.model import MixtureModel
from lmkit.model import LanguageModel
from lmkit.registry import resolve
from lmkit.store.components import Component, component
from lmkit.store.history import run_record
from lmkit.store.targets import writes
from lmkit.text.encodings import encoded

Progress = Callable[[str, int, int | None], None]


@writes("models", "valid", embedded="models")
def mix(
    models: Sequence[LanguageModel | str | Path],
    *,
    valid: str | Path | BinaryIO,
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
    likeliest. Saved to ``output`` where that is given.

    ``kind``: ``linear`` (weights by EM), ``by-context`` (weights that depend on the last token)
    or ``log-linear`` (a normalised product of powers). ``cache`` mixes in a cache of recent words
    and pairs, of ``cache_size`` words of which each counts ``cache_decay`` times the one behind
    it; None: tuned. ``state``: ``carry`` reads ``valid`` as a text that runs on, ``line`` each
    line by itself. Models given by path are named in ``output``, or carried with ``embed``; those
    in memory are carried always. ``encoding`` and ``errors`` are as in `lmkit.train`;
    ``special_tokens`` says what a literal ``<s>`` in ``valid`` is (None: as in the first model).

    Raises `UnsupportedError` for models that cannot be mixed: other tokens or units, scores that
    are no probabilities; `UsageError` for one model without a cache; `TextError` where ``valid``
    is empty.
    """
    clock, started = time.monotonic(), datetime.now(UTC)
    components = [component(model) for model in models]
    if not components:
        raise UsageError("there is no model to mix", "two models, or one and a cache")
    encoder: Any = components[0].model.encoder
    encoder = encoder.with_settings(errors=errors, special_tokens=special_tokens)
    mixture = make_mixture(
        components,
        _names(components),
        encoder.encode_file(encoded(valid, encoding)),
        kind=kind,
        cache=cache,
        cache_size=cache_size,
        cache_decay=cache_decay,
        state=state,
        progress=progress,
    )
    record = run_record("mix", started, clock, None, {"kind": kind, "cache": cache}, None)
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
    new.runs = [*old.runs, run_record("merge", started, clock, None, {}, None)]
    if output is not None:
        new.save(output)
    return new


def _names(components: Sequence[Component]) -> list[str]:
    """A name for each of them, no two alike."""
    names: list[str] = []
    for number, part in enumerate(components, 1):
        name = f"model {number}" if part.place is None else str(part.place)
        names.append(name if name not in names else f"{name} (model {number})")
    return names
