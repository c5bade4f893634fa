"""Choosing lines of text by their perplexity, a block at a time.

Perplexity filtering of raw text as in CCNet (Wenzek et al. 2020): lines that a model of
good text finds likely are kept, or those that it does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.evaluate.scoring import LineScores, score_lines
from lmkit.model import LanguageModel
from lmkit.text.reading import LineBlock


def filter_lines(
    model: LanguageModel,
    blocks: Iterable[Sequence[str]],
    *,
    max_perplexity: float | None = None,
    min_perplexity: float | None = None,
    special_tokens: str | None = None,
) -> Iterator[list[str]]:
    """The lines of each block whose perplexity (``</s>`` and unknown words included) lies
    within the bounds, which are part of the range. A block in, a block out. For
    ``special_tokens`` see `score_lines`.

    Raises `UsageError` for bounds that are no perplexities and `UnsupportedError` for a
    model whose scores are no probabilities.
    """
    scored = _scored(model, blocks, max_perplexity, min_perplexity, special_tokens)
    return (
        list(compress(block.lines, _kept(block, max_perplexity, min_perplexity)))
        for block in scored
    )


def filter_originals(
    model: LanguageModel,
    blocks: Iterable[LineBlock],
    *,
    max_perplexity: float | None = None,
    min_perplexity: float | None = None,
    special_tokens: str | None = None,
) -> Iterator[bytes]:
    """`filter_lines` for blocks that were read with their ``originals``: the lines that are
    kept of each block, byte for byte as they stand in the source."""
    for block in _scored(model, blocks, max_perplexity, min_perplexity, special_tokens):
        assert isinstance(block.lines, LineBlock) and block.lines.originals is not None
        kept = _kept(block, max_perplexity, min_perplexity)
        yield b"".join(compress(block.lines.originals, kept))


def _scored(
    model: LanguageModel,
    blocks: Iterable[Sequence[str]],
    highest: float | None,
    lowest: float | None,
    special_tokens: str | None,
) -> Iterator[LineScores]:
    for name, bound in (("max", highest), ("min", lowest)):
        if bound is not None and not bound > 0:
            raise UsageError(
                f"{name}-perplexity must be above 0, not {bound:g}", "a number like 300"
            )
    model.require_probabilities()
    return score_lines(model, blocks, special_tokens=special_tokens)


def _kept(block: LineScores, highest: float | None, lowest: float | None) -> list[bool]:
    kept: list[bool] = keep_mask(block.log_probability, block.tokens, highest, lowest).tolist()
    return kept


def keep_mask(
    log_probability: NDArray[np.float64],
    tokens: NDArray[np.int64],
    max_perplexity: float | None,
    min_perplexity: float | None,
) -> NDArray[np.bool_]:
    """Which lines [S] lie within the bounds, from their summed log-probability [S] and
    their number of tokens [S]."""
    surprise = -log_probability / tokens
    keep = np.ones(len(tokens), dtype=bool)
    if max_perplexity is not None:
        keep &= surprise <= math.log(max_perplexity)
    if min_perplexity is not None:
        keep &= surprise >= math.log(min_perplexity)
    return keep
