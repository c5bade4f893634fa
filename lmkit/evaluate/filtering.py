"""Choosing lines of text by what models say of them, a block at a time.

Perplexity filtering of raw text as in CCNet (Wenzek et al. 2020): lines that a model of
good text finds likely are kept, or those that it does not. And selection by the difference of
two models (Moore and Lewis 2010; `lmkit.evaluate.difference`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.evaluate.difference import CrossEntropyDifference
from lmkit.evaluate.scoring import LineScores, score_lines
from lmkit.model import LanguageModel


class Scores(Protocol):
    """Of lines or of whole texts: their summed log-probability [S] and number of tokens [S]."""

    @property
    def log_probability(self) -> NDArray[np.float64]: ...

    @property
    def tokens(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """What lines must keep to, the bounds themselves included; None bounds nothing.

    Perplexities include ``</s>`` and unknown words. Differences are those of ``against``.
    Raises `UsageError` for bounds that are no perplexities or no differences.
    """

    max_perplexity: float | None = None
    min_perplexity: float | None = None
    max_difference: float | None = None
    min_difference: float | None = None
    against: CrossEntropyDifference | None = None

    def __post_init__(self) -> None:
        for name, bound in (("max", self.max_perplexity), ("min", self.min_perplexity)):
            if bound is not None and not bound > 0:
                raise UsageError(
                    f"{name}-perplexity must be above 0, not {bound:g}", "a number like 300"
                )
        differences = (("max", self.max_difference), ("min", self.min_difference))
        for name, bound in differences:
            if bound is not None and math.isnan(bound):
                raise UsageError(f"{name}-difference must be a number", "a number like -0.1")
        if self.against is None and any(bound is not None for _, bound in differences):
            raise UsageError("a difference needs a model to differ from", "--against OTHER.lm")

    def keep(self, scores: Scores, difference: NDArray[np.float64] | None) -> NDArray[np.bool_]:
        """Which lines or texts [S] keep to all bounds; ``difference`` [S] is theirs, where there is
        a model to differ from. One whose difference is undefined does not."""
        keep = keep_mask(
            scores.log_probability, scores.tokens, self.max_perplexity, self.min_perplexity
        )
        if difference is not None and (
            self.max_difference is not None or self.min_difference is not None
        ):
            low = -math.inf if self.min_difference is None else self.min_difference
            high = math.inf if self.max_difference is None else self.max_difference
            keep &= (difference >= low) & (difference <= high)
        return keep

    def keep_lines(self, scores: LineScores) -> NDArray[np.bool_]:
        """`keep` for scored lines."""
        return self.keep(scores, None if self.against is None else self.against.bits(scores))


def filter_lines(
    model: LanguageModel,
    blocks: Iterable[Sequence[str]],
    *,
    max_perplexity: float | None = None,
    min_perplexity: float | None = None,
    max_difference: float | None = None,
    min_difference: float | None = None,
    against: CrossEntropyDifference | None = None,
    special_tokens: str | None = None,
) -> Iterator[list[str]]:
    """The lines of each block that keep to the `Bounds`. A block in, a block out. For
    ``special_tokens`` see `score_lines`.

    Raises `UsageError` for bounds that are none and `UnsupportedError` for a model whose scores
    are no probabilities.
    """
    bounds = Bounds(max_perplexity, min_perplexity, max_difference, min_difference, against)
    model.require_probabilities()
    paragraphs = against is not None and against.paragraphs
    scored = score_lines(model, blocks, special_tokens=special_tokens, paragraphs=paragraphs)
    return (list(compress(block.lines, bounds.keep_lines(block).tolist())) for block in scored)


def keep_mask(
    log_probability: NDArray[np.float64],
    tokens: NDArray[np.int64],
    max_perplexity: float | None,
    min_perplexity: float | None,
) -> NDArray[np.bool_]:
    """Which lines [S] lie within the bounds, from their summed log-probability [S] and
    their number of tokens [S]."""
    with np.errstate(invalid="ignore"):  # a line without tokens is within no bounds
        surprise = -log_probability / tokens
    keep = np.ones(len(tokens), dtype=bool)
    if max_perplexity is not None:
        keep &= surprise <= math.log(max_perplexity)
    if min_perplexity is not None:
        keep &= surprise >= math.log(min_perplexity)
    return keep
