"""Perplexity and its relatives, from summed log-probabilities.

The one place that knows what each figure counts:

- ``perplexity`` (KenLM's "including OOVs"): every token, ``</s>`` and unknown words too;
- ``perplexity_excluding_oovs`` (KenLM's): unknown words leave both the sum and the count;
- ``srilm_ppl`` = 10^(-L / (words - oovs + sentences)) and ``srilm_ppl1``, the same without
  the sentences; L leaves unknown words out, words leave ``</s>`` out;
- ``bits_per_character``: a code length for the text itself, in which an unknown word pays
  for its spelling as well (`lmkit.text.spelling`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

LN10 = math.log(10.0)
LN2 = math.log(2.0)


@dataclass(frozen=True, slots=True)
class Perplexity:
    """How well a model predicts a text. ``log_*`` sums are natural logs."""

    sentences: int
    tokens: int
    oovs: int
    log_probability_of_known: float
    log_probability_of_oovs: float = 0.0
    log_probability_of_spellings: float | None = None
    characters: int | None = None

    def __add__(self, other: Perplexity) -> Perplexity:
        """The figures of two texts, one after the other."""
        return Perplexity(
            self.sentences + other.sentences,
            self.tokens + other.tokens,
            self.oovs + other.oovs,
            self.log_probability_of_known + other.log_probability_of_known,
            self.log_probability_of_oovs + other.log_probability_of_oovs,
            _sum(self.log_probability_of_spellings, other.log_probability_of_spellings),
            _sum(self.characters, other.characters),
        )

    @property
    def log_probability(self) -> float:
        return self.log_probability_of_known + self.log_probability_of_oovs

    @property
    def log10_probability(self) -> float:
        return self.log_probability / LN10

    @property
    def perplexity(self) -> float:
        return _exp(-self.log_probability, self.tokens)

    @property
    def perplexity_excluding_oovs(self) -> float:
        return _exp(-self.log_probability_of_known, self.tokens - self.oovs)

    @property
    def srilm_ppl(self) -> float:
        return _exp(-self.log_probability_of_known, self.tokens - self.oovs)

    @property
    def srilm_ppl1(self) -> float:
        return _exp(-self.log_probability_of_known, self.tokens - self.sentences - self.oovs)

    @property
    def bits_per_token(self) -> float:
        return -self.log_probability / LN2 / self.tokens if self.tokens else math.nan

    @property
    def bits_per_character(self) -> float:
        if not self.characters or self.log_probability_of_spellings is None:
            return math.nan
        return -(self.log_probability + self.log_probability_of_spellings) / LN2 / self.characters

    def as_dict(self) -> dict[str, Any]:
        """The keys of ``lmkit perplexity --json``; what is infinite or undefined is None."""
        figures = {
            "sentences": self.sentences,
            "tokens": self.tokens,
            "oovs": self.oovs,
            "log10_probability": self.log10_probability,
            "perplexity": self.perplexity,
            "perplexity_excluding_oovs": self.perplexity_excluding_oovs,
            "srilm_ppl": self.srilm_ppl,
            "srilm_ppl1": self.srilm_ppl1,
            "bits_per_token": self.bits_per_token,
            "bits_per_character": self.bits_per_character,
        }
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in figures.items()
        }


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def _exp(negative_log: float, count: int) -> float:
    if count <= 0:
        return math.nan
    try:
        return math.exp(negative_log / count)
    except OverflowError:
        return math.inf
