"""One model on the test text of a comparison.

``S`` is the number of sentences. Every model must code the reference text, no more and no less:
what it reads is put together again from its tokens and compared with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.evaluate.comparison.corpus import Corpus
from lmkit.evaluate.perplexity import running_reader
from lmkit.evaluate.results import TokenSurprise
from lmkit.evaluate.scoring import readable_texts, token_texts
from lmkit.measures import LN2, NO_TEXT, Perplexity
from lmkit.model import UNK, Batch, LanguageModel, rebase
from lmkit.text.lexicon import text_token
from lmkit.text.settings import TextSettings

SAME_TEXT = ("lowercase", "normalize", "tokenizer", "pre_tokenizer")
SHORT_SECONDS = 0.5
"""Scoring that took less is timed a second time, when everything is loaded."""


@dataclass(frozen=True, slots=True)
class TextScores:
    """What a model made of the test text.

    ``log_probabilities`` [S] are natural logs, spellings of unknown words included; ``seconds`` is
    the time of scoring alone; ``surprises`` are those of the sentences asked for; ``tokens_key``
    stands for how the text became tokens.
    """

    figures: Perplexity
    log_probabilities: NDArray[np.float64]
    seconds: float
    state: str
    surprises: dict[int, list[TokenSurprise]]
    tokens: NDArray[np.int64]

    @property
    def tokens_per_second(self) -> float:
        return self.figures.tokens / max(self.seconds, 1e-9)


def score_text(
    model: LanguageModel,
    corpus: Corpus,
    wanted: Sequence[int] = (),
    progress: Callable[[str, int, int | None], None] | None = None,
) -> TextScores:
    """Score the test text with ``model``, a network carrying its state from line to line.

    ``wanted`` are the indices of sentences whose tokens' surprise is kept; ``progress`` is called
    with ``"scoring"``, the tokens done and those there are. Raises
    `UnsupportedError` for a model whose scores are no probabilities, that knows no sentences, that
    reads other text than the others, or that cannot pay for unknown words.
    """
    model.require_probabilities()
    model.require_sentence_marks("the ends of lines are part of what is compared")
    batches = batches_of(model, corpus)
    carries, scored, seconds = _timed(model, batches, progress)
    if seconds < SHORT_SECONDS:
        _, scored, seconds = _timed(model, batches, None)
    total = NO_TEXT
    sums: list[NDArray[np.float64]] = []
    surprises: dict[int, list[TokenSurprise]] = {}
    first = 0
    for batch, log_probs in zip(batches, scored, strict=True):
        total = total + model.measure(batch, log_probs)
        costs = log_probs + _spelling(model, batch)
        sums.append(batch.sentence_sums(costs))
        for index in wanted:
            if first <= index < first + len(batch):
                surprises[index] = _surprise(model, batch, costs, index - first)
        first += len(batch)
    return TextScores(
        total,
        np.concatenate(sums),
        seconds,
        "carry" if carries else "line",
        surprises,
        np.concatenate([np.diff(batch.offsets) for batch in batches]),
    )


def batches_of(model: LanguageModel, corpus: Corpus) -> list[Batch]:
    """The test text in batches of ``model``'s tokens, read as it reads text everywhere.

    Raises `UnsupportedError` where what it reads is not the reference text. A model whose sentences
    are others, but whose tokens are the comparison's, reads the reference text line by line.
    """
    own, other = corpus.settings, model.encoder.settings
    paths = [corpus.raw["test"]]
    if (other.tokenizer, other.pre_tokenizer) == (own.tokenizer, own.pre_tokenizer):
        paths.append(corpus.reference["test"])
    for path in paths:
        batches = _read(model, path, corpus)
        if is_reference(model, batches, corpus.test_lines):
            return batches
    differ = [
        f"{name.replace('_', '-')} {getattr(other, name)}, not {getattr(own, name)}"
        for name in (*SAME_TEXT, "segment", "skip_empty_lines", "rules")
        if getattr(other, name) != getattr(own, name)
    ]
    raise UnsupportedError(
        "it reads the test text as other text than the comparison does"
        + (f" ({'; '.join(differ)})" if differ else ""),
        _mended(own, other),
    )


def _mended(own: TextSettings, other: TextSettings) -> str:
    """What to do about a model that reads text as ``other`` says in a comparison of ``own``."""
    tokenizer = other.tokenizer
    if tokenizer == own.tokenizer or not (tokenizer.keeps_spaces or tokenizer.name == "whitespace"):
        return "a model with the comparison's normalisation, or a comparison with the model's"
    options = f"--tokenizer {tokenizer} --pre-tokenizer {own.tokenizer}"
    if own.lowercase:
        options += " --lowercase"
    if own.normalize != tokenizer.default_normalize:
        options += f" --normalize {own.normalize}"
    return f"lmkit train TEXT {options} --output MODEL.lm"


def _read(model: LanguageModel, path: Path, corpus: Corpus) -> list[Batch]:
    encoder: Any = model.encoder
    changes: Any = {"special_tokens": corpus.settings.special_tokens, "errors": corpus.errors}
    if path == corpus.reference["test"]:
        # A sentence a line already.
        changes |= {"segment": "line", "skip_empty_lines": False}
    return list(encoder.with_settings(**changes).encode_file(path))


def is_reference(model: LanguageModel, batches: Sequence[Batch], lines: Sequence[str]) -> bool:
    """Whether the tokens of ``batches`` put together again are ``lines``."""
    if sum(map(len, batches)) != len(lines):
        return False
    first = 0
    for batch in batches:
        expected = lines[first : first + len(batch)]
        first += len(batch)
        if batch.characters is None or len(expected) != len(batch):
            return False
        widths = np.fromiter(map(len, expected), np.int64, len(expected)) + 1
        if not np.array_equal(widths, batch.characters) or text_of(model, batch) != expected:
            return False
    return True


def text_of(model: LanguageModel, batch: Batch) -> list[str]:
    """The reference text of ``batch``, from its tokens."""
    policy = model.encoder.settings.special_tokens
    tokens = [text_token(token, policy) for token in token_texts(model, batch)]
    stops = (batch.offsets[1:] - 1).tolist()
    starts = batch.offsets[:-1].tolist()
    tokenizer = getattr(model.encoder, "tokenizer", None)
    join = " ".join if model.unit == "word" or tokenizer is None else tokenizer.join
    return [join(tokens[start:stop]) for start, stop in zip(starts, stops, strict=True)]


def choose_sentences(lines: Sequence[str], number: int) -> list[int]:
    """Indices of ``number`` sentences of middling length, spread over the text."""
    words = np.fromiter((len(line.split()) for line in lines), np.int64, len(lines))
    middling = np.flatnonzero((words >= 6) & (words <= 20))
    if len(middling) < number:
        middling = np.flatnonzero(words > 0)
    number = min(number, len(middling))
    places = (2 * np.arange(number) + 1) * len(middling) // max(2 * number, 1)
    return middling[places].tolist()


def _timed(
    model: LanguageModel,
    batches: Sequence[Batch],
    progress: Callable[[str, int, int | None], None] | None,
) -> tuple[bool, list[NDArray[np.float64]], float]:
    """Whether state is carried, log p [T] of each batch, and the seconds that took."""
    total, done = sum(len(batch.ids) for batch in batches), 0

    def within(tokens: int) -> None:
        if progress is not None:
            progress("scoring", done + tokens, total)

    reader = running_reader(model, None, {}, progress=within)
    scored = []
    begun = time.perf_counter()
    for batch in batches:
        scored.append(reader.score(batch)[0])
        done += len(batch.ids)
        within(0)
    return reader is not model, scored, time.perf_counter() - begun


def _spelling(model: LanguageModel, batch: Batch) -> NDArray[np.float64]:
    """log p(spelling) [T] at unknown words, 0 elsewhere."""
    result = np.zeros(len(batch.ids))
    costs = model.spelling_costs(batch)
    if costs is None:
        unknown = int((batch.ids == UNK).sum())
        raise UnsupportedError(
            f"it has no spelling model to pay for {unknown:,} unknown words with",
            "lmkit perplexity, for its perplexity alone",
        )
    if batch.unknown is not None:
        result[batch.unknown.positions] = costs
    return result


def _surprise(
    model: LanguageModel, batch: Batch, costs: NDArray[np.float64], index: int
) -> list[TokenSurprise]:
    start, stop = int(batch.offsets[index]), int(batch.offsets[index + 1])
    one = rebase(batch, index, index + 1)
    texts = readable_texts(model, one)
    return [
        TokenSurprise(text, float(-cost / LN2), bool(token == UNK))
        for text, cost, token in zip(texts, costs[start:stop], one.ids, strict=True)
    ]
