"""Scores of whole texts, each a unit of its own: documents, or lines that may come from anywhere.

``D`` is the number of texts of a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.evaluate.difference import CrossEntropyDifference, per_unit
from lmkit.evaluate.scoring import LineScorer, LineScores, Speller, spelling_sums
from lmkit.model import sums_of_parts


@dataclass(frozen=True, slots=True)
class TextScores:
    """The scores of a block of texts.

    ``log_probability`` [D] are sums over the tokens of each text, natural logarithms; ``tokens``
    [D] and ``oovs`` [D] are their numbers. ``spelling`` [D], where asked for, is the
    log-probability of how its unknown words are spelt (`spelling_sums`), ``difference`` [D] that
    from another model in bits a unit.
    """

    log_probability: NDArray[np.float64]
    tokens: NDArray[np.int64]
    oovs: NDArray[np.int64]
    normalised: bool
    spelling: NDArray[np.float64] | None = None
    difference: NDArray[np.float64] | None = None

    @property
    def perplexity(self) -> NDArray[np.float64]:
        """[D]; nan for a text without tokens, and where the scores are no probabilities."""
        if not self.normalised:
            return np.full(len(self.tokens), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(-self.log_probability / self.tokens)


def score_texts(
    scorer: LineScorer,
    texts: Sequence[str],
    *,
    spelling: bool = False,
    speller: Speller | None = None,
    difference: CrossEntropyDifference | None = None,
) -> TextScores:
    """Each of ``texts`` as a file of its own, cut into sentences as the model was trained; with the
    ``spelling`` of its unknown words, by ``speller`` if that is given.

    Raises `TextError` as the scorer does; the line it names is one of all texts' lines.
    """
    only_lf = scorer.encoder.settings.reading["only_lf"]
    apart = scorer.paragraphs or (difference is not None and difference.paragraphs)
    lines: list[str] = []
    sizes = []
    for text in texts:
        own = lines_of(text, only_lf)
        if apart:
            own.append("")  # no paragraph goes on from one text to the next
        lines += own
        sizes.append(len(own))
    scores = scorer(lines)
    parts = np.array(sizes, np.int64)
    tokens = _total(scores.tokens, parts)
    return TextScores(
        sums_of_parts(scores.log_probs, tokens),
        tokens,
        _total(scores.oovs, parts),
        scores.normalised,
        spelling_sums(scorer.model, scores.batch, tokens, speller) if spelling else None,
        None if difference is None else _difference(difference, scores, parts, apart),
    )


def lines_of(text: str, only_lf: bool) -> list[str]:
    """``text`` cut where a file is: at LF, CRLF and CR (``only_lf``: at LF)."""
    if "\r" in text and not only_lf:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _total(values: NDArray[np.int64], parts: NDArray[np.int64]) -> NDArray[np.int64]:
    return sums_of_parts(values.astype(np.float64), parts).astype(np.int64)


def _difference(
    difference: CrossEntropyDifference, scores: LineScores, parts: NDArray[np.int64], apart: bool
) -> NDArray[np.float64]:
    bits, units = difference.costs(scores)
    if apart and difference.per == "character":
        units = units.copy()
        units[np.cumsum(parts) - 1] = 0  # the empty lines between texts are in none of them
    return per_unit(sums_of_parts(bits, parts), _total(units, parts))
