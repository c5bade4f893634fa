"""Which of several models a text is likeliest to come from: languages, topics, authors.

By Bayes' rule p(model | text) is p(text | model) p(model) over the sum for all models. The models
may cut text into different tokens, but p(text | model) is the probability of the very text: a word
that a model does not know pays for its spelling (`lmkit.text.spelling`). ``M`` is the number of
models, ``D`` of texts.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError, UsageError
from lmkit.evaluate.difference import require_same_letters, spells
from lmkit.evaluate.documents import score_texts
from lmkit.evaluate.scoring import LineScorer
from lmkit.model import LanguageModel


@dataclass(frozen=True, slots=True)
class Classified:
    """What models say of texts. ``log_probability`` [D, M] is that of each text under each model,
    ``posterior`` [D, M] the probability of each model given the text, ``characters`` [D] the
    length of the texts in code points, one more for the end of each."""

    labels: tuple[str, ...]
    log_probability: NDArray[np.float64]
    posterior: NDArray[np.float64]
    characters: NDArray[np.int64]

    @property
    def best(self) -> NDArray[np.int64]:
        """[D]: the likeliest model of each text, the first of those that are equal."""
        return self.posterior.argmax(axis=1)

    @property
    def log10_per_character(self) -> NDArray[np.float64]:
        """[D, M]"""
        return self.log_probability / math.log(10) / self.characters[:, None]


class Classifier:
    """Tells from which of ``models`` (labels to models) a text is. ``priors`` are probabilities of
    some labels; the others share the rest alike. ``special_tokens`` is what a literal ``<s>`` is,
    None: as each model was trained. Models that cannot spell their unknown words, such as those of
    ARPA files, are ``unspelt``: an `EvenSpelling` does it for them.

    Raises `UsageError` for fewer than two models and for priors that are none, `UnsupportedError`
    for models that do not code the same text.
    """

    def __init__(
        self,
        models: Mapping[str, LanguageModel],
        priors: Mapping[str, float] | None = None,
        special_tokens: str | None = None,
        normalize: Callable[[str], str] | None = None,
    ) -> None:
        if len(models) < 2:
            raise UsageError("there is nothing to choose between", "two models or more")
        self.labels = tuple(models)
        self.priors = full_priors(self.labels, priors or {})
        opened = list(models.values())
        for label, model in models.items():
            with _naming(label):
                model.require_probabilities()
            with _naming(f"{self.labels[0]} and {label}"):
                require_same_letters(opened[0], model)
        self._scorers = [
            LineScorer(model, special_tokens=special_tokens, normalize=normalize)
            for model in opened
        ]
        self.unspelt = tuple(label for label, model in models.items() if not spells(model))
        self._speller = EvenSpelling(opened) if self.unspelt else None

    def __call__(self, texts: Sequence[str]) -> Classified:
        """What the models say of each of ``texts``, which are lines or have several.

        Raises `TextError` for a literal ``<s>`` or ``</s>`` where that is an error.
        """
        ended = [f"{text}\n" for text in texts]
        columns = []
        for label, scorer in zip(self.labels, self._scorers, strict=True):
            speller = self._speller if label in self.unspelt else None
            scores = score_texts(scorer, ended, spelling=True, speller=speller)
            assert scores.spelling is not None
            columns.append(scores.log_probability + scores.spelling)
        log_probability = np.stack(columns, axis=1)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        posterior = _posterior(log_probability, self.priors)
        return Classified(self.labels, log_probability, posterior, lengths)


@contextmanager
def _naming(models: str) -> Iterator[None]:
    """Of several models, an error says which it is about."""
    try:
        yield
    except UnsupportedError as error:
        raise UnsupportedError(f"{models}: {error.message}", error.hint) from None


class EvenSpelling:
    """How an unknown word is spelt if nothing is known of it: after each character any of the
    characters in the tokens of ``models`` is as likely as another one, and as the end. What is not
    among them is any code point, all alike."""

    def __init__(self, models: Iterable[LanguageModel]) -> None:
        self._characters = {letter for one in models for letter in "".join(one.vocabulary.tokens)}
        self._step = -math.log(len(self._characters) + 2)

    def __call__(self, spellings: Sequence[str]) -> NDArray[np.float64]:
        """log p of each of ``spellings``."""
        known = self._characters
        strange = [sum(letter not in known for letter in spelling) for spelling in spellings]
        steps = np.array([len(spelling) + 1 for spelling in spellings])
        return steps * self._step - np.array(strange) * math.log(sys.maxunicode + 1)


def full_priors(labels: Sequence[str], given: Mapping[str, float]) -> NDArray[np.float64]:
    """p(model) [M] of each of ``labels``: as ``given``, the rest shared alike by the others.

    Raises `UsageError` for a label that is none, and for numbers that are no probabilities.
    """
    for label, prior in given.items():
        if label not in labels:
            raise UsageError(
                f"--prior {label}: there is no model of this name", f"one of {', '.join(labels)}"
            )
        if not 0 <= prior <= 1:
            raise UsageError(f"--prior {label}={prior:g} is no probability", f"--prior {label}=0.5")
    total, others = sum(given.values()), len(labels) - len(given)
    if total > 1 + 1e-9 or (not others and not math.isclose(total, 1, abs_tol=1e-6)):
        raise UsageError(
            f"the priors sum to {total:g}, not to {'at most ' if others else ''}1",
            "priors of some models only, as the others share the rest",
        )
    rest = max(1 - total, 0) / others if others else 0.0
    return np.array([given.get(label, rest) for label in labels])


def _posterior(
    log_probability: NDArray[np.float64], priors: NDArray[np.float64]
) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        joint = log_probability + np.log(priors)
    best = joint.max(axis=1, keepdims=True)
    # A text that no model thinks possible says nothing of where it is from.
    joint = np.where(np.isneginf(best), np.log(np.maximum(priors, 1e-300)), joint)
    weights = np.exp(joint - joint.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@dataclass
class Confusion:
    """How often texts of one label are taken for another: ``counts`` of (true, found)."""

    labels: tuple[str, ...]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, true: Iterable[str], found: Iterable[str]) -> None:
        """Count some more texts."""
        self.counts.update(zip(true, found, strict=True))

    @property
    def texts(self) -> int:
        return sum(self.counts.values())

    @property
    def accuracy(self) -> float:
        """The part of the texts that is found to be what it is; nan where there are none."""
        right = sum(n for (true, found), n in self.counts.items() if true == found)
        return right / self.texts if self.texts else math.nan

    @property
    def rows(self) -> list[list[object]]:
        """A row for each label that the texts have: it, how many texts, the part of them that is
        right, and how many are taken for each of ``labels``."""
        names = [*self.labels, *sorted({true for true, _ in self.counts} - {*self.labels})]
        rows: list[list[object]] = []
        for true in names:
            found = [self.counts[true, label] for label in self.labels]
            if sum(found):
                rows.append([true, sum(found), self.counts[true, true] / sum(found), *found])
        return rows
