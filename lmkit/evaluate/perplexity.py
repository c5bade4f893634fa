"""Perplexity of a file or a stream under any model, read as the caller wants it read."""

from __future__ import annotations

from typing import Any

from lmkit.errors import UnsupportedError
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
) -> tuple[Perplexity, int]:
    """The figures of ``source`` (a file, ``-`` or a binary stream), and the number of invalid
    UTF-8 sequences that were replaced.

    What is None is as the model was trained (`lmkit.text.settings.TextSettings`). Works in
    bounded memory. Raises `UnsupportedError` for a model whose scores are no probabilities and
    `TextError` for text that cannot be read.
    """
    if not model.normalised:
        raise UnsupportedError(
            "this model gives scores, not probabilities, so it has no perplexity",
            "lmkit score for the scores themselves, or train with another smoothing",
        )
    encoder: Any = model.encoder
    encoder = encoder.with_settings(
        skip_empty_lines=skip_empty_lines, special_tokens=special_tokens, errors=errors
    )
    total = Perplexity(0, 0, 0, 0.0, 0.0, 0.0, 0)
    for batch in encoder.encode_file(source):
        total = total + model.measure(batch)
    return total, encoder.replaced
