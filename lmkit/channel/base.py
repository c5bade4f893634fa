"""What every model of typing errors offers: p(typed | intended), and the edits behind it.

A channel is a distribution over observed strings for each intended string (Shannon 1948;
Kernighan, Church & Gale 1990; Brill & Moore 2000). Strings are words, or words joined by single
spaces: an intended space that was not typed is a *merge* ("ofthe" for "of the"), a typed space
inside a word is a *split* ("th e" for "the"). ``P`` is a number of pairs. Probabilities are
natural logarithms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

CONTEXTS = ("start", "middle", "end")
"""Where in its word an edit is: at the first letter, up to the last one, or in between."""

KEEP = 0.97
"""Part of the words that are typed as they were meant, where nothing is known about it."""


class EditRow(NamedTuple):
    """A row of the table ``edits`` of a model file: a (fractional) count that people can change."""

    kind: str
    context: str
    intended: str
    typed: str
    count: float  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Edit:
    """A step from what was meant to what was typed.

    ``position`` is where ``intended`` begins in the intended string; ``kind`` is ``keep``,
    ``insert``, ``delete``, ``substitute``, ``transpose``, ``replace`` (any longer one), ``split``,
    ``merge``, ``space`` (a space typed as meant), ``stop`` (the word ends) or ``word`` (a whole
    word typed as meant).
    """

    kind: str
    intended: str
    typed: str
    position: int
    log_prob: float


class ErrorModel(ABC):
    """A channel. Its files hold its rows, its word-level `keep` and its `options`."""

    name: ClassVar[str]

    keep: float
    """Part of the words that are typed right before any letter is looked at; the others go
    through the edits, which may still leave them as they were."""

    @abstractmethod
    def log_probs(self, typed: Sequence[str], intended: Sequence[str]) -> NDArray[np.float64]:
        """log p(typed | intended) [P] of each pair, summed over all ways to type it, the end of
        the string included. Finite for all strings without control characters."""

    @property
    @abstractmethod
    def log_space(self) -> float:
        """log p(an intended space is typed as one): its price between two words that are scored
        apart. `log_probs` of an intended string with spaces has it inside."""

    @abstractmethod
    def path(self, typed: str, intended: str) -> list[Edit]:
        """The likeliest way to type it, edit by edit from left to right; the log-probabilities
        sum to that of the way."""

    @abstractmethod
    def edits_by_typed(self, typed: str) -> Sequence[tuple[str, str, float]]:
        """What may have been meant by a short string: (intended, context, log p) of every edit
        that gives ``typed``, the likeliest first; typing it as it is is not among them."""

    @abstractmethod
    def draw(self, intended: str, generator: np.random.Generator) -> str:
        """``intended`` as somebody may type it."""

    @abstractmethod
    def rows(self) -> Iterable[EditRow]:
        """The counts that the channel is made of."""

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """What besides the rows makes the channel: JSON values, for `from_rows`."""

    @classmethod
    @abstractmethod
    def from_rows(
        cls, rows: Iterable[EditRow], *, keep: float = KEEP, **options: Any
    ) -> ErrorModel:
        """The channel of these counts. Raises `ModelFileError` for rows that make no sense."""
