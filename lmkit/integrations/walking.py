"""Reading a language model one word at a time, with what was asked before kept.

A `Walk` goes through a model from place to place: a place is where a text stands, as far as the
model can tell texts apart. Decoders ask the same few questions again and again, so steps are kept:
one that is known costs one look-up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from lmkit.batch import UNK
from lmkit.model import LanguageModel

LN10 = float(np.log(10))
LOG10_ZERO = -99.0
"""log10 p(``<s>``) where no file says another: as `lmkit.ngram.arpa_writing` writes it."""
MOST_STEPS = 1 << 17
"""How many steps are kept before all are forgotten: some 40 MB."""
MOST_WORDS = 1 << 17
"""How many words keep their ids, beside as many as the vocabulary has."""

Step = tuple[float, Any, int, bool]
"""Of a word at a place: log10 p(word | place); the place after it; the length of the n-gram behind
the score, the word included; whether the word is unknown."""


class Ids(dict[str | bytes, int]):
    """The ids of words of ``model``, 0 for those that it does not know, looked up when they are
    first asked for. Bytes are UTF-8.

    A word is looked up as it is written. If the vocabulary of a word model lacks it, it is looked
    up once more as the model reads text: composed, and in lower case where the model has no other.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self._vocabulary = model.vocabulary
        self._most = MOST_WORDS + len(model.vocabulary)
        settings = model.encoder.settings
        self._normalize = settings.make_normalizer() if model.unit == "word" else None

    def __missing__(self, word: str | bytes) -> int:
        if len(self) >= self._most:
            self.clear()
        token = self[word] = self._looked_up(text_of(word))
        return token

    def _looked_up(self, word: str) -> int:
        try:
            word.encode()
        except UnicodeEncodeError:  # bytes that are not UTF-8: no vocabulary has them
            return UNK
        token: int = self._vocabulary.id_of(word)
        if token == UNK and self._normalize is not None:
            token = self._vocabulary.id_of(self._normalize(word))
        return token


class Walk(ABC):
    """A way through ``model``, from the place ``start``, where a sentence begins. ``steps`` are
    those that are kept, by place and word; ``ids`` are those of words (`Ids`)."""

    def __init__(self, model: LanguageModel, start: Any) -> None:
        self.model = model
        self.start = start
        self.steps: dict[tuple[Any, str | bytes], Step] = {}
        self.ids = Ids(model)

    @property
    @abstractmethod
    def order(self) -> int:
        """How many words a score can depend on, the scored one included."""

    @property
    @abstractmethod
    def null(self) -> Any:
        """The place without any context, not even the beginning of a sentence. Raises
        `UnsupportedError` where the model knows no such place."""

    @abstractmethod
    def _step(self, place: Any, token: int) -> Step:
        """The step from ``place`` with the word that has the id ``token``."""

    def step(self, place: Any, word: str | bytes) -> Step:
        """The step from ``place`` with ``word``. Raises `TypeError` for what is neither text nor
        bytes."""
        return self.steps.get((place, word)) or self.take(place, word)

    def take(self, place: Any, word: str | bytes) -> Step:
        """As `step`, for one that is not among the ``steps``; from now on it is."""
        step = self._step(place, self.ids[word])
        if len(self.steps) >= MOST_STEPS:
            self.forget()
        self.steps[place, word] = step
        return step

    def total(self, words: Sequence[str], bos: bool, eos: bool) -> float:
        """log10 p of ``words``, and with ``eos`` of ``</s>`` behind them, at the beginning of a
        sentence (``bos``) or without any context."""
        place = self.start if bos else self.null
        total = 0.0
        for word in words:
            score, place, _, _ = self.step(place, word)
            total += score
        return total + self.step(place, "</s>")[0] if eos else total

    def load(self) -> None:
        """Read now what is otherwise read when it is needed."""
        self.ids |= {token: number for number, token in enumerate(self.model.vocabulary.tokens)}

    def forget(self) -> None:
        """Forget all steps; places that are in use stay what they are."""
        self.steps.clear()


def text_of(text: str | bytes) -> str:
    """``text``, decoded where it is bytes: what is not UTF-8 becomes lone surrogates (PEP 383)."""
    if isinstance(text, str):
        return text
    if isinstance(text, bytes):
        return text.decode(errors="surrogateescape")
    raise TypeError(f"expected str or bytes, not {type(text).__name__}")
