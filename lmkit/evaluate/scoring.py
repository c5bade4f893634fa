"""Scores of lines and of their tokens, block by block, with any `LanguageModel`.

``S`` is the number of lines of a block and ``T`` of its tokens, ``</s>`` of each line
included. Log-probabilities are natural logarithms; arrays run in the order of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import UNK, Batch, LanguageModel, sums_of_parts
from lmkit.text.by_line import encode_by_line, needs_paragraphs, whole_paragraphs
from lmkit.text.lexicon import SpecialTokenError
from lmkit.text.reading import LineBlock


@dataclass(frozen=True, slots=True)
class LineScores:
    """A scored block of lines.

    ``first_line`` counts from 1. ``batch`` are the sentences of the lines as the model has them,
    mostly a sentence a line. ``log_probs`` [T] are the tokens', ``log_probability`` [S] their
    sums over each line, ``tokens`` [S] and ``oovs`` [S] their numbers. A line that has part in no
    sentence (an empty one, where they are skipped or paragraphs are sentences) has no tokens.
    ``normalised`` says whether the scores are probabilities. ``orders`` [T], where asked for,
    are those of the n-grams behind the scores.
    """

    first_line: int
    lines: Sequence[str]
    batch: Batch
    log_probs: NDArray[np.float64]
    log_probability: NDArray[np.float64]
    tokens: NDArray[np.int64]
    oovs: NDArray[np.int64]
    normalised: bool
    orders: NDArray[np.integer] | None = None

    @property
    def perplexity(self) -> NDArray[np.float64]:
        """[S]: of each line, ``</s>`` and unknown words included; nan where the scores
        are no probabilities, and for a line without tokens."""
        if not self.normalised:
            return np.full(len(self.lines), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(-self.log_probability / self.tokens)

    @property
    def token_lines(self) -> NDArray[np.int64]:
        """[T]: the number of the line that each token is in."""
        return np.repeat(np.arange(len(self.lines)) + self.first_line, self.tokens)


def score_lines(
    model: LanguageModel,
    blocks: Iterable[Sequence[str]],
    *,
    first_line: int = 1,
    special_tokens: str | None = None,
    orders: bool = False,
    paragraphs: bool = False,
) -> Iterator[LineScores]:
    """Score blocks of lines. Each line is a sentence, an empty one too unless the model was trained
    without them, or on sentences or paragraphs (`TextSettings.segment`): then a line has those of
    their tokens that stand in it, and blocks are cut anew, to hold whole paragraphs
    (``paragraphs``: in any case). All lines together have what `perplexity` has of the text.
    ``special_tokens`` is what a literal ``<s>`` or ``</s>`` is
    (`lmkit.text.settings.TextSettings`), None: as the model was trained. ``orders`` adds those
    of a model that `tells_orders`.

    Raises `TextError`, with the number of the line (and the file of a
    `lmkit.text.reading.LineBlock`), where that is an error.
    """
    encoder: Any = model.encoder
    skip_empty = encoder.settings.skip_empty_lines
    encoder = encoder.with_settings(skip_empty_lines=False, special_tokens=special_tokens)
    if paragraphs or needs_paragraphs(encoder.settings):
        blocks = whole_paragraphs(blocks)
    for lines in blocks:
        batch, tokens = encoded_lines(encoder, lines, first_line, skip_empty)
        log_probs, matched = _scored(model, batch, orders)
        yield LineScores(
            first_line,
            lines,
            batch,
            log_probs,
            sums_of_parts(log_probs, tokens),
            tokens,
            sums_of_parts((batch.ids == UNK).astype(np.float64), tokens).astype(np.int64),
            model.normalised,
            matched,
        )
        first_line += len(lines)


def tells_orders(model: LanguageModel) -> bool:
    """Whether ``model`` has the order of an n-gram to tell behind each score."""
    return hasattr(model, "score_with_orders")


def _scored(
    model: Any, batch: Batch, orders: bool
) -> tuple[NDArray[np.float64], NDArray[np.integer] | None]:
    if orders:
        log_probs, matched = model.score_with_orders(batch)
        return log_probs, matched
    return model.score(batch)[0], None


def encoded_lines(
    encoder: Any, lines: Sequence[str], first_line: int, skip_empty: bool = False
) -> tuple[Batch, NDArray[np.int64]]:
    """The sentences of ``lines``, of which the first has the number ``first_line``, and how many
    of their tokens [S] each line has; with ``skip_empty`` an empty one has none.

    Raises `TextError` as `score_lines` does.
    """
    try:
        return encode_by_line(encoder, lines, skip_empty)
    except SpecialTokenError as error:
        source = ""
        if isinstance(lines, LineBlock):
            source, first_line = f"{lines.source}, ", lines.first_line
        for number, line in enumerate(lines, first_line):
            try:
                encoder.encode([line])
            except SpecialTokenError as found:
                raise SpecialTokenError(found.token, f"{source}line {number}") from None
        raise error


def token_texts(model: LanguageModel, batch: Batch) -> list[str]:
    """The token behind each id of ``batch`` [T]; unknown words as they were spelt."""
    distinct, places = np.unique(batch.ids, return_inverse=True)
    tokens = model.vocabulary.tokens
    known = [tokens[token] for token in distinct.tolist()]
    texts = [known[place] for place in places.tolist()]
    if batch.unknown is not None:
        spellings = batch.unknown.spellings
        for position, kind in zip(
            batch.unknown.positions.tolist(), batch.unknown.types.tolist(), strict=True
        ):
            texts[position] = spellings[kind]
    return texts
