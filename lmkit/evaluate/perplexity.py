"""Perplexity of a file or a stream under any model, read as the caller wants it read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmkit.errors import UnsupportedError, UsageError
from lmkit.extent import TextExtent
from lmkit.measures import NO_TEXT, Perplexity
from lmkit.model import Batch, LanguageModel
from lmkit.text.encodings import Encoded
from lmkit.text.reading import Source

SMALL = 32 << 20
"""Bytes of a text whose tokens may be held at once."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model made of a text.

    ``replaced`` are the invalid UTF-8 sequences that were replaced, ``text`` is the length of the
    text as it stands there, by which the figures' bits are divided, and ``unread`` names what of
    it the model does not read.
    """

    figures: Perplexity
    replaced: int
    text: TextExtent
    unread: tuple[str, ...]


def measured(
    model: LanguageModel,
    source: Source,
    *,
    skip_empty_lines: bool | None = None,
    special_tokens: str | None = None,
    errors: str = "strict",
    state: str | None = None,
    running: dict[str, Any] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    text: TextExtent | None = None,
) -> Measured:
    """The figures of ``source`` (a file, ``-`` or a binary stream).

    ``state``: ``carry`` goes on from line to line, ``line`` starts anew on each; None carries
    where the model can (networks: the literature's convention for running text). ``running`` are
    options of its reading a running text, such as a cache. ``progress`` is called with the tokens
    done and the tokens there are (None where that is unknown). ``text`` is the length of the
    text, where another model has read it already; else it is counted on the way.

    What is None is as the model was trained (`lmkit.text.settings.TextSettings`). Works in
    bounded memory. Raises `UnsupportedError` for a model whose scores are no probabilities and
    `TextError` for text that cannot be read.
    """
    model.require_probabilities()
    encoder: Any = model.encoder
    encoder = encoder.with_settings(
        skip_empty_lines=skip_empty_lines, special_tokens=special_tokens, errors=errors
    )
    counted = TextExtent() if text is None else None
    batches: Iterable[Batch] = encoder.encode_file(source, counted)
    length = None
    if progress is not None and _is_small(source):
        batches = list(batches)
        length = sum(len(batch.ids) for batch in batches)
    total = NO_TEXT

    def within(tokens: int) -> None:
        assert progress is not None
        progress(total.tokens + tokens, length)

    told = None if progress is None else within
    reader = running_reader(model, state, running or {}, progress=told)
    for batch in batches:
        total = total + reader.measure(batch)
        if progress is not None:
            progress(total.tokens, length)
    extent = counted or text or TextExtent()
    return Measured(total.over(extent), encoder.replaced, extent, _unread(encoder, total, extent))


def perplexity_of(model: LanguageModel, source: Source, **options: Any) -> tuple[Perplexity, int]:
    """The figures of `measured`, and the number of invalid UTF-8 sequences that were replaced."""
    found = measured(model, source, **options)
    return found.figures, found.replaced


def _unread(encoder: Any, own: Perplexity, text: TextExtent) -> tuple[str, ...]:
    """What of ``text`` is lost on the way to tokens, of which there are ``own``."""
    settings = encoder.settings
    form = str(settings.normalize).upper()
    found = []
    if settings.lowercase and text.capitals:
        found.append("capital letters")
    if form in text.not_in_form:
        found.append(f"letters in other forms than {form}")
    if settings.segment != "line" and text.lines:
        found.append("ends of lines")
    elif settings.skip_empty_lines and text.blank_lines:
        found.append(f"{text.blank_lines} empty line{'s' * (text.blank_lines > 1)}")
    if settings.special_tokens == "drop" and text.sentence_marks:
        found.append("<s> and </s>")
    if settings.pre_tokenizer is not None or not encoder.tokenizer.keeps_spaces:
        length = own.characters or 0
        if settings.skip_empty_lines:
            length += text.blank_lines
        # Where there are single spaces only, the words joined by single spaces are the text if
        # they are as many as stand between spaces, and no other white space shows in the length.
        same = length == text.characters or bool(found)
        if settings.pre_tokenizer is None:
            words = own.tokens - own.sentences
            same = same and words == text.gaps + text.lines - text.blank_lines
        if text.irregular_spaces or not same:
            found.append("white space")
    return tuple(found)


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

    Raises `UnsupportedError` where the model has no state to carry, `UsageError` for another
    ``state``.
    """
    if state not in (None, "carry", "line"):
        raise UsageError(f"state cannot be {state!r}", "carry or line")
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
            raise UsageError(
                "a cache, dynamic evaluation and windows need a running text", "--state carry"
            )
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
    ``valid`` (`lmkit.neural.use.cache_fitting.FittedCache`).

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
