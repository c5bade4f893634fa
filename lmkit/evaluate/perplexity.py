"""Perplexity of a file or a stream under any model, read as the caller wants it read."""

from __future__ import annotations

from typing import Any

from lmkit.errors import UnsupportedError, UsageError
from lmkit.measures import Perplexity
from lmkit.model import LanguageModel
from lmkit.text.reading import Source


def perplexity_of(
    model: LanguageModel,
    source: Source,
    *,
    skip_empty_lines: bool | None = None,
    special_tokens: str | None = None,
    errors: str = "strict",
    state: str | None = None,
    running: dict[str, Any] | None = None,
) -> tuple[Perplexity, int]:
    """The figures of ``source`` (a file, ``-`` or a binary stream), and the number of invalid
    UTF-8 sequences that were replaced.

    ``state``: ``carry`` goes on from line to line, ``line`` starts anew on each; None carries
    where the model can (networks: the literature's convention for running text). ``running`` are
    options of its reading a running text, such as a cache.

    What is None is as the model was trained (`lmkit.text.settings.TextSettings`). Works in
    bounded memory. Raises `UnsupportedError` for a model whose scores are no probabilities and
    `TextError` for text that cannot be read.
    """
    model.require_probabilities()
    encoder: Any = model.encoder
    encoder = encoder.with_settings(
        skip_empty_lines=skip_empty_lines, special_tokens=special_tokens, errors=errors
    )
    reader = running_reader(model, state, running or {})
    total = Perplexity(0, 0, 0, 0.0, 0.0, 0.0, 0)
    for batch in encoder.encode_file(source):
        total = total + reader.measure(batch)
    return total, encoder.replaced


def running_reader(
    model: LanguageModel, state: str | None, options: dict[str, Any]
) -> LanguageModel:
    """What measures the batches of a text one after the other: ``model`` itself, or the model
    carrying its state over them.

    Raises `UnsupportedError` where the model has no state to carry.
    """
    run = getattr(model, "running", None)
    if state == "line" and options:
        raise UsageError("a cache and dynamic evaluation need a running text", "--state carry")
    if run is not None and state != "line":
        reader: LanguageModel = run(**options)
        return reader
    if state == "carry" or options:
        raise UnsupportedError(
            f"a model of the backend {model.backend!r} carries no state from line to line",
            "a recurrent network, or no --state",
        )
    return model
