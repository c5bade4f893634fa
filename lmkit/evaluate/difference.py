"""How much better one model knows a line than another: the difference of their cross-entropies.

Moore and Lewis, "Intelligent selection of language model training data" (ACL 2010): of a large
mixed text the lines s with the lowest H_in(s) - H_out(s) are those of the domain of the first
model. The same figure parts good text from bad, given a model of each.

``S`` is the number of lines of a block, ``T`` of its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.scoring import LineScores, encoded_lines, spelling_sums
from lmkit.measures import LN2
from lmkit.model import LanguageModel, sums_of_parts
from lmkit.text.by_line import needs_paragraphs

UNITS = ("token", "character")


class CrossEntropyDifference:
    """H(line) under a model less H(line) under ``other``, in bits; below zero where the model
    knows the line better.

    ``per`` token: what a token costs (``</s>`` included, an unknown word without its spelling),
    as in Moore and Lewis; only between models that cut text into the same tokens with the same
    vocabulary. ``per`` character: what the line costs with its unknown words spelt out, over its
    code points and one for its end; between any two models. None: per token where that can be.

    Raises `UsageError` for another ``per``, and `UnsupportedError` where a model gives no
    probabilities, where the tokens are not the same, where a model cannot spell unknown words,
    and where one model changes letters that the other tells apart.
    """

    def __init__(
        self,
        model: LanguageModel,
        other: LanguageModel,
        *,
        per: str | None = None,
        special_tokens: str | None = None,
        errors: str | None = None,
    ) -> None:
        if per not in (None, *UNITS):
            raise UsageError(f"a difference is not per {per!r}", f"one of {', '.join(UNITS)}")
        for one in (model, other):
            one.require_probabilities()
        shared = same_tokens(model, other)
        if per == "token" and not shared:
            raise UnsupportedError(
                "the two models do not have the same tokens, so costs per token do not compare",
                "--difference-per character, or lmkit train TEXT --vocabulary FILE, with one list"
                " for both",
            )
        self.per = per or ("token" if shared else "character")
        if self.per == "character":
            require_comparable(model, other)
        self._model, self._other = model, other
        encoder: Any = other.encoder
        self._skip_empty = encoder.settings.skip_empty_lines
        self._encoder = encoder.with_settings(
            skip_empty_lines=False, special_tokens=special_tokens, errors=errors
        )
        ours = model.encoder.settings
        self._same_ids = (
            shared
            and _tokens(model) == _tokens(other)
            and all(
                getattr(ours, name) == getattr(other.encoder.settings, name)
                for name in ("segment", "skip_empty_lines", "special_tokens")
            )
        )

    @property
    def paragraphs(self) -> bool:
        """Whether the other model needs whole paragraphs to score a line."""
        return needs_paragraphs(self._encoder.settings)

    def bits(self, scores: LineScores) -> NDArray[np.float64]:
        """The difference of each line [S] that the model has scored; nan where neither model
        thinks the line possible, or per token where the model has none in it."""
        return per_unit(*self.costs(scores))

    def costs(self, scores: LineScores) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Bits that each line [S] costs more under the model, and the units [S] it is long."""
        batch, tokens = scores.batch, scores.tokens
        if not self._same_ids:
            batch, tokens = encoded_lines(
                self._encoder, scores.lines, scores.first_line, self._skip_empty
            )
        ours = scores.log_probability
        theirs = sums_of_parts(self._other.score(batch)[0], tokens)
        units = scores.tokens
        if self.per == "character":
            ours = ours + spelling_sums(self._model, scores.batch, scores.tokens)
            theirs = theirs + spelling_sums(self._other, batch, tokens)
            units = _code_points(scores.lines)
        with np.errstate(invalid="ignore"):
            return (theirs - ours) / LN2, units


def per_unit(bits: NDArray[np.float64], units: NDArray[np.int64]) -> NDArray[np.float64]:
    """``bits`` over ``units``; nan where there are none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(units > 0, bits / units, np.nan)


def same_tokens(model: LanguageModel, other: LanguageModel) -> bool:
    """Whether both models cut a text into the same tokens and know the same ones."""
    one, two = model.encoder.settings, other.encoder.settings
    same = ("tokenizer", "pre_tokenizer", "lowercase", "normalize", "rules", "sentence_marks")
    if any(getattr(one, name) != getattr(two, name) for name in same):
        return False
    if len(model.vocabulary) != len(other.vocabulary):
        return False
    tokens, others = _tokens(model), _tokens(other)
    return tokens == others or set(tokens) == set(others)


def _tokens(model: LanguageModel) -> list[str]:
    tokens: list[str] = model.vocabulary.tokens
    return tokens


def require_comparable(model: LanguageModel, other: LanguageModel) -> None:
    """Raises `UnsupportedError` where the models do not give probabilities of the same text: where
    only one changes letters that the other tells apart, or one cannot spell unknown words."""
    require_same_letters(model, other)
    for which in (model, other):
        if not spells(which):
            raise UnsupportedError(
                f"a model of the backend {which.backend!r} without a model of how words are"
                " spelt cannot pay for its unknown words",
                "models trained by lmkit, or two models with the same vocabulary",
            )


def spells(model: LanguageModel) -> bool:
    """Whether ``model`` knows how its unknown words are spelt."""
    return model.encoder.spelling_log_probs(["a"]) is not None


def require_same_letters(model: LanguageModel, other: LanguageModel) -> None:
    """Raises `UnsupportedError` where only one of two models changes letters that the other tells
    apart."""
    one, two = model.encoder.settings, other.encoder.settings
    # NFC changes how a character is written; NFKC and lower case change which one it is.
    for name, differ in (
        ("lowercase", one.lowercase != two.lowercase),
        ("normalize", (one.normalize == "nfkc") != (two.normalize == "nfkc")),
        ("no-sentence-marks", one.sentence_marks != two.sentence_marks),
    ):
        if differ:
            raise UnsupportedError(
                f"the two models do not code the same text: only one was trained with"
                f" --{name}{' nfkc' if name == 'normalize' else ''}",
                "two models that read text alike",
            )


def _code_points(lines: Sequence[str]) -> NDArray[np.int64]:
    """Code points of each line, and one for its end: [S]."""
    return np.fromiter(map(len, lines), np.int64, len(lines)) + 1
