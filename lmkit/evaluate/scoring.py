"""Scores of lines and of their tokens, block by block, with any `LanguageModel`.

``S`` is the number of lines of a block and ``T`` of its tokens, ``</s>`` of each line
included. Log-probabilities are natural logarithms; arrays run in the order of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.model import BOS, EOS, UNK, Batch, LanguageModel, sums_of_parts
from lmkit.text.by_line import encode_by_line, needs_paragraphs, whole_paragraphs
from lmkit.text.lexicon import SpecialTokenError
from lmkit.text.reading import LineBlock

Speller = Callable[[Sequence[str]], NDArray[np.float64]]
"""log p of each of some spellings, given that they are unknown words."""


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


class LineScorer:
    """Scores a block of lines after the other with ``model``.

    Each line is a sentence, an empty one too unless the model was trained without them, or on
    sentences or paragraphs (`TextSettings.segment`): then a line has those of their tokens that
    stand in it, and a block has to hold whole paragraphs (`paragraphs`). ``special_tokens`` is
    what a literal ``<s>`` or ``</s>`` is (`lmkit.text.settings.TextSettings`), None: as the model
    was trained. ``orders`` adds those of a model that `tells_orders`. ``normalize`` changes each
    line before it is read. Without ``sentence_marks`` a line is a phrase as it stands: nothing is
    known of what is before it, and no ``</s>`` comes after it.

    Raises `UnsupportedError` for a model that has no probabilities of phrases.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        special_tokens: str | None = None,
        orders: bool = False,
        normalize: Callable[[str], str] | None = None,
        sentence_marks: bool = True,
    ) -> None:
        encoder: Any = model.encoder
        self.model = model
        self.encoder = encoder.with_settings(skip_empty_lines=False, special_tokens=special_tokens)
        self.normalize = normalize
        self._skip_empty = encoder.settings.skip_empty_lines
        self._orders = orders
        self._marks = sentence_marks
        if not sentence_marks and not hasattr(model, "score_phrases"):
            raise UnsupportedError(
                f"a model of the backend {model.backend!r} has no probabilities without <s>",
                "an n-gram model, or leaving out --no-sentence-marks",
            )

    @property
    def paragraphs(self) -> bool:
        """Whether blocks have to hold whole paragraphs."""
        return needs_paragraphs(self.encoder.settings)

    def __call__(self, lines: Sequence[str], first_line: int = 1) -> LineScores:
        """The scores of ``lines``, of which the first has the number ``first_line``.

        Raises `TextError`, with the number of the line (and the file of a
        `lmkit.text.reading.LineBlock`), where a literal ``<s>`` is an error.
        """
        read = lines
        if self.normalize is not None:
            read = [self.normalize(line) for line in lines]
            if isinstance(lines, LineBlock):
                read = LineBlock(read, lines.source, lines.first_line, None)
        batch, tokens = encoded_lines(self.encoder, read, first_line, self._skip_empty)
        if self._marks:
            log_probs, matched = _scored(self.model, batch, self._orders)
        else:
            ends = batch.ids == EOS
            tokens = tokens - sums_of_parts(ends.astype(np.float64), tokens).astype(np.int64)
            log_probs, matched = _phrases(self.model, batch, ends)
            batch = _without_ends(batch, ends)
        return LineScores(
            first_line,
            lines,
            batch,
            log_probs,
            sums_of_parts(log_probs, tokens),
            tokens,
            sums_of_parts((batch.ids == UNK).astype(np.float64), tokens).astype(np.int64),
            self.model.normalised,
            matched if self._orders else None,
        )


def score_lines(
    model: LanguageModel,
    blocks: Iterable[Sequence[str]],
    *,
    first_line: int = 1,
    paragraphs: bool = False,
    **options: Any,
) -> Iterator[LineScores]:
    """Score blocks of lines by a `LineScorer` with ``options``; where sentences are not lines
    (``paragraphs``: in any case) blocks are cut anew, to hold whole paragraphs. All lines together
    have what `perplexity` has of the text. Raises what a `LineScorer` raises.
    """
    scorer = LineScorer(model, **options)
    if paragraphs or scorer.paragraphs:
        blocks = whole_paragraphs(blocks)
    for lines in blocks:
        yield scorer(lines, first_line)
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


def _phrases(
    model: Any, batch: Batch, ends: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    log_probs, matched = model.score_phrases(batch)
    return log_probs[~ends], matched[~ends]


def _without_ends(batch: Batch, ends: NDArray[np.bool_]) -> Batch:
    """``batch`` without the ``</s>`` of its sentences, which are its ``ends`` [T]."""
    unknown = batch.unknown
    if unknown is not None:
        before = np.cumsum(ends)[unknown.positions]
        unknown = replace(unknown, positions=unknown.positions - before)
    offsets = batch.offsets - np.concatenate(([0], np.cumsum(ends)))[batch.offsets]
    return Batch(batch.ids[~ends], offsets, unknown, batch.characters)


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


def spelling_sums(
    model: LanguageModel,
    batch: Batch,
    tokens: NDArray[np.int64],
    speller: Speller | None = None,
) -> NDArray[np.float64]:
    """log p of the spellings of the unknown words of each line [S], which have ``tokens`` [S], by
    ``speller`` or, without one, by the model; nan for a line with some, where it cannot spell."""
    sums: NDArray[np.float64] = np.zeros(len(tokens))
    unknown = (batch.ids == UNK).nonzero()[0]
    if len(unknown):
        costs = model.spelling_costs(batch)
        if speller is not None and batch.unknown is not None:
            costs = speller(batch.unknown.spellings)[batch.unknown.types]
        lines = np.searchsorted(np.cumsum(tokens), unknown, side="right")
        np.add.at(sums, lines, np.nan if costs is None else costs)
    return sums


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


def spells_pieces(model: LanguageModel) -> bool:
    """Whether the tokens of ``model`` are pieces of the very text, but spelt otherwise."""
    return model.unit == "subword" and model.encoder.settings.tokenizer.keeps_spaces


def readable_texts(model: LanguageModel, batch: Batch) -> list[str]:
    """What each token of ``batch`` [T] is in the text: as `token_texts`, but " the" for the subword
    ``Ġthe``. The bytes of a part of a character are lone surrogates."""
    tokens = token_texts(model, batch)
    if not spells_pieces(model):
        return tokens
    join = model.encoder.settings.tokenizer.join
    special = {model.vocabulary.tokens[token] for token in (UNK, BOS, EOS)}
    texts = {token: token if token in special else join([token]) for token in set(tokens)}
    return [texts[token] for token in tokens]
