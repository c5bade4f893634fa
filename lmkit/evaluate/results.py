"""What one comparison of models found: plain data, which the table, the report and the database
are made of.

``S`` is the number of sentences of the test text. Bits are base 2; a difference is a model's
bits per character minus the best model's, so that it is positive for a worse model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lmkit.evaluate.minimal_pairs import Accuracy, PairsRow

Status = Literal["ok", "failed"]
Origin = Literal["trained", "reused", "given"]


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One text of the corpus: ``path`` as it was read, ``sha256`` of its bytes, and the sizes of
    its reference text: ``tokens`` without ``</s>``, ``characters`` with one for each line."""

    name: str
    path: str
    sha256: str
    sentences: int
    tokens: int
    characters: int


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """What the models were trained and tested on.

    ``rule`` says how the splits were made (None: they were given); ``overlap`` is how many lines
    of the test text stand in the training text too, ``dropped`` whether they were left out.
    ``reference_characters`` and ``reference_bytes`` are the length of the text that the bits of
    all models are divided by, with one for each line end.
    """

    name: str
    train: SplitFacts
    valid: SplitFacts | None
    test: SplitFacts
    rule: str | None
    overlap: int
    dropped: bool
    reference_characters: int
    reference_bytes: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A model's bits per character minus the best model's, over the same sentences.

    ``low`` and ``high`` bound the 95 % interval of a paired bootstrap over sentences,
    ``p_value`` is that of a paired permutation test, ``p_bootstrap`` the bootstrap's own.
    """

    bits_per_character: float
    low: float
    high: float
    p_value: float
    p_bootstrap: float

    @property
    def significant(self) -> bool:
        """Whether the difference is more than the luck of the test sentences, at 5 %."""
        return self.p_value < 0.05


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One of several trainings that differ in what was drawn at random."""

    seed: int
    bits_per_character: float
    perplexity: float | None
    training_seconds: float | None
    file: str


@dataclass(slots=True)
class ModelResult:
    """A row of the table.

    ``spec`` is what was asked for, ``name`` its short form, distinct in a comparison. ``group``
    is a letter that models share whose perplexities can be compared (same tokens, vocabulary and
    text), ``state`` how running text was read (``carry`` or ``line``). ``log_probabilities`` [S]
    are natural logs of each sentence, unknown words' spellings included. ``training_curve`` are
    the rows of a network's training log (``tokens``, ``seconds``, ``epoch``, ``loss`` and, at
    validations, ``valid_loss``, both in nats a token). ``minimal_pairs`` are rows by group, and all
    pairs together last (`lmkit.evaluate.minimal_pairs`). Where several seeds were trained,
    ``log_probabilities``, perplexity and bits are the mean over them (of the logs), ``seeds`` has
    each, ``spread`` is the standard deviation of their bits per character, and the rest is the
    first one's. Size, file bytes and training time of a mixture are those of its parts and its
    own. A failed row has a ``reason`` and no figures.
    """

    name: str
    spec: str
    backend: str
    status: Status = "ok"
    reason: str | None = None
    origin: Origin = "trained"
    options: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    file: str | None = None
    file_bytes: int | None = None
    unit: str | None = None
    vocabulary: int | None = None
    ngrams: int | None = None
    parameters: int | None = None
    training_seconds: float | None = None
    scoring_tokens_per_second: float | None = None
    sentences: int | None = None
    tokens: int | None = None
    oovs: int | None = None
    characters: int | None = None
    perplexity: float | None = None
    perplexity_excluding_oovs: float | None = None
    group: str | None = None
    bytes: int | None = None
    bits_per_character: float | None = None
    bits_per_byte: float | None = None
    bits_low: float | None = None
    bits_high: float | None = None
    rank: int | None = None
    difference: Difference | None = None
    state: str | None = None
    seeds: list[SeedResult] = field(default_factory=list)
    spread: float | None = None
    training_curve: list[dict[str, Any]] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    minimal_pairs: list[PairsRow] = field(default_factory=list)
    log_probabilities: NDArray[np.float64] | None = None

    @property
    def size(self) -> int | None:
        """Numbers in the model: n-grams, or parameters, or in a mixture both."""
        if self.ngrams is None and self.parameters is None:
            return None
        return (self.ngrams or 0) + (self.parameters or 0)

    @property
    def pairs_accuracy(self) -> Accuracy | None:
        """The part of all minimal pairs whose good sentence is likelier, if there are any."""
        return self.minimal_pairs[-1].by["sentence"] if self.minimal_pairs else None


@dataclass(frozen=True, slots=True)
class TokenSurprise:
    """A token as it stands in the text and what it cost, its spelling included, in bits."""

    text: str
    bits: float
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class SentenceSurprise:
    """One test sentence under every model: ``by_model`` maps the name of a `ModelResult` to the
    sentence's tokens, ``</s>`` last. Models of characters have a token a character."""

    index: int
    text: str
    by_model: dict[str, list[TokenSurprise]]


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Bits per character = ``limit`` + ``scale`` * n^-``exponent``, n in characters of training
    text. ``identified`` is False where the points do not tell the limit, which then is 0.
    ``error`` is the root mean square of the residuals of log bits."""

    limit: float
    scale: float
    exponent: float
    identified: bool
    error: float

    def at(self, characters: float) -> float:
        """Bits per character after training on so many characters."""
        return self.limit + self.scale * float(characters) ** -self.exponent


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A model trained on a part of the text: ``share`` of its sentences, from 0 to 1."""

    share: float
    sentences: int
    characters: int
    bits_per_character: float
    training_seconds: float | None


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """One model on growing parts of the text; ``law`` is None below three points."""

    name: str
    points: list[CurvePoint]
    law: PowerLaw | None


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """A model of a sweep: the ``value`` that its option has, as it is written, and the ``number``
    in it; ``model`` is the name of its `ModelResult`."""

    value: str
    number: float | None
    bits_per_character: float
    model: str
    training_seconds: float | None
    size: int | None

    @property
    def label(self) -> str:
        """The value without the name that the line has already: 8,000 of ``bpe:8000``."""
        name, _, number = self.value.rpartition(":")
        if self.number is None:
            return self.value
        return f"{int(number):,}" if name and number.isdigit() else number


@dataclass(frozen=True, slots=True)
class SweepLine:
    """One model with the option ``key`` at one value after the other, in the order asked for."""

    name: str
    key: str
    points: list[SweepPoint]

    @property
    def best(self) -> SweepPoint:
        return min(self.points, key=lambda point: point.bits_per_character)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where ``winner`` overtakes ``loser``: at so many characters of training text,
    interpolated on log scales between two parts."""

    winner: str
    loser: str
    characters: float


@dataclass(slots=True)
class Comparison:
    """Everything that one ``lmkit compare`` found.

    ``rows`` come in the order of their rank, failed ones last. ``versions`` are those of Python,
    lmkit and the packages; ``command`` is the command line that makes it again, or the call.
    ``started`` is ISO 8601. ``notes`` hold for the whole comparison.
    """

    corpus: CorpusFacts
    rows: list[ModelResult]
    surprises: list[SentenceSurprise] = field(default_factory=list)
    curves: list[LearningCurve] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    sweep: list[SweepLine] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    command: str = ""
    seed: int = 0
    resamples: int = 0
    started: str = ""
    seconds: float = 0.0
    machine: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def sweep_labels(self) -> list[str]:
        """Of all values of the sweep, each once; numbers in their order."""
        points = [point for line in self.sweep for point in line.points]
        if all(point.number is not None for point in points):
            points.sort(key=lambda point: point.number or 0)
        return list(dict.fromkeys(point.label for point in points))

    @property
    def ranked(self) -> list[ModelResult]:
        """The rows that have figures, best first."""
        return [row for row in self.rows if row.status == "ok"]

    @property
    def failed(self) -> list[ModelResult]:
        """The rows that have a reason instead."""
        return [row for row in self.rows if row.status == "failed"]
