"""Perplexity and its relatives, from summed log-probabilities.

The one place that knows what each figure counts:

- ``perplexity`` (KenLM's "including OOVs"): every token, ``</s>`` and unknown words too;
- ``perplexity_excluding_oovs`` (KenLM's): unknown words leave both the sum and the count;
- ``srilm_ppl`` = 10^(-L / (words - oovs + sentences)) and ``srilm_ppl1``, the same without
  the sentences; L leaves unknown words out, words leave ``</s>`` out;
- ``bits_per_character`` and ``bits_per_byte``: a code length for the text itself, in which an
  unknown word pays for its spelling as well (`lmkit.text.spelling`), over ``characters`` and
  ``bytes``: the length of that text, which is the same for all models that are compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from lmkit.extent import TextExtent

LN10 = math.log(10.0)
LN2 = math.log(2.0)


@dataclass(frozen=True, slots=True)
class Perplexity:
    """How well a model predicts a text. ``log_*`` sums are natural logs.

    ``characters`` (code points) and ``bytes`` (of UTF-8) are the length of the text that bits are
    divided by; None where it is not known.
    """

    sentences: int
    tokens: int
    oovs: int
    log_probability_of_known: float
    log_probability_of_oovs: float = 0.0
    log_probability_of_spellings: float | None = None
    characters: int | None = None
    bytes: int | None = None

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
            _sum(self.bytes, other.bytes),
        )

    def over(self, text: TextExtent) -> Perplexity:
        """The same, with bits per character and byte of ``text``."""
        return replace(self, characters=text.characters, bytes=text.bytes)

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
        return self._bits_per(self.characters)

    @property
    def bits_per_byte(self) -> float:
        return self._bits_per(self.bytes)

    def _bits_per(self, units: int | None) -> float:
        if not units or self.log_probability_of_spellings is None:
            return math.nan
        return -(self.log_probability + self.log_probability_of_spellings) / LN2 / units

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
            "characters": self.characters,
            "bytes": self.bytes,
            "bits_per_character": self.bits_per_character,
            "bits_per_byte": self.bits_per_byte,
        }
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in figures.items()
        }


NO_TEXT = Perplexity(0, 0, 0, 0.0, 0.0, 0.0, 0, 0)
"""The figures of no text at all, to add others to."""


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def _exp(negative_log: float, count: int) -> float:
    if count <= 0:
        return math.nan
    try:
        return math.exp(negative_log / count)
    except OverflowError:
        return math.inf
