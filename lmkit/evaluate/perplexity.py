"""Perplexity of a file or a stream under any model, read as the caller wants it read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lmkit.errors import UnsupportedError, UsageError
from lmkit.measures import Perplexity
from lmkit.model import Batch, LanguageModel
from lmkit.text.encodings import Encoded
from lmkit.text.reading import Source

SMALL = 32 << 20
"""Bytes of a text whose tokens may be held at once."""


def perplexity_of(
    model: LanguageModel,
    source: Source,
    *,
    skip_empty_lines: bool | None = None,
    special_tokens: str | None = None,
    errors: str = "strict",
    state: str | None = None,
    running: dict[str, Any] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Perplexity, int]:
    """The figures of ``source`` (a file, ``-`` or a binary stream), and the number of invalid
    sequences that were replaced.

    ``state``: ``carry`` goes on from line to line, ``line`` starts anew on each; None carries
    where the model can (networks: the literature's convention for running text). ``running`` are
    options of its reading a running text, such as a cache. ``progress`` is called with the tokens
    done and the tokens there are (None where that is unknown).

    What is None is as the model was trained (`lmkit.text.settings.TextSettings`). Works in
    bounded memory. Raises `UnsupportedError` for a model whose scores are no probabilities and
    `TextError` for text that cannot be read.
    """
    model.require_probabilities()
    encoder: Any = model.encoder
    encoder = encoder.with_settings(
        skip_empty_lines=skip_empty_lines, special_tokens=special_tokens, errors=errors
    )
    batches: Iterable[Batch] = encoder.encode_file(source)
    length = None
    if progress is not None and _is_small(source):
        batches = list(batches)
        length = sum(len(batch.ids) for batch in batches)
    total = Perplexity(0, 0, 0, 0.0, 0.0, 0.0, 0)

    def within(tokens: int) -> None:
        assert progress is not None
        progress(total.tokens + tokens, length)

    told = None if progress is None else within
    reader = running_reader(model, state, running or {}, progress=told)
    for batch in batches:
        total = total + reader.measure(batch)
        if progress is not None:
            progress(total.tokens, length)
    return total, encoder.replaced


def _is_small(source: Source) -> bool:
    """Whether all tokens of a file can be held at once, so that there is a total to tell."""
    source = source.source if isinstance(source, Encoded) else source
    return isinstance(source, Path) and source.is_file() and source.stat().st_size <= SMALL


def running_reader(
    model: LanguageModel,
    state: str | None,
    options: dict[str, Any],
    default: str = "carry",
    progress: Callable[[int], None] | None = None,
) -> LanguageModel:
    """What scores the batches of a text one after the other: ``model`` itself, or the model
    carrying its state over them, which calls ``progress`` with the tokens it has done.
    ``state`` None is ``default``, or ``carry`` where ``options`` need it.

    Raises `UnsupportedError` where the model has no state to carry.
    """
    run = getattr(model, "running", None)
    if run is None:
        if state == "carry" or options:
            raise UnsupportedError(
                f"a model of the backend {model.backend!r} carries no state from line to line",
                "a recurrent network, or no --state",
            )
        return model
    if state_used(model, state, options, default) == "line":
        if options:
            raise UsageError("a cache and dynamic evaluation need a running text", "--state carry")
        return model
    reader: LanguageModel = run(**options, progress=progress)
    return reader


def state_used(
    model: LanguageModel, state: str | None, options: dict[str, Any], default: str = "carry"
) -> str | None:
    """What becomes of the state from line to line in `running_reader`: ``carry``, ``line``, or
    None for a model that has none to carry."""
    if getattr(model, "running", None) is None:
        return None
    return state or ("carry" if options else default)


def fitted_cache(
    model: LanguageModel,
    valid: Source,
    *,
    errors: str = "strict",
    special_tokens: str | None = None,
    **options: Any,
) -> Any:
    """A continuous cache for ``model``, its weight and flatness fitted to the held-out text
    ``valid`` (`lmkit.neural.cache_fitting.FittedCache`).

    Raises `UnsupportedError` for a model that can have none.
    """
    fit = getattr(model, "fit_cache", None)
    if fit is None:
        raise UnsupportedError(
            f"a model of the backend {model.backend!r} has no states for a cache",
            "a recurrent network",
        )
    encoder: Any = model.encoder
    encoder = encoder.with_settings(errors=errors, special_tokens=special_tokens)
    parts = [batch.ids for batch in encoder.encode_file(valid)]
    return fit(np.concatenate([np.empty(0, np.int32), *parts]), **options)
