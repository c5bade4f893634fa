"""What a smoothing method is: how much of a context's probability each listed n-gram keeps.

Every method here says one thing, its `shares`: for each n-gram (h, w) the part of the mass of
its context h that it keeps for itself, and what is left over for each context. How the rest
is given out is the method's `form`:

- ``interpolated``:  p(w|h) = share + rest(h) * p(w|h'), for every w;
- ``backoff``:       p(w|h) = share for a listed w, and for any other
  rest(h) / (1 - sum of p(v|h') over the listed v) * p(w|h');
- ``floor``:         p(w|h) = share for a listed w, and an equal part of the rest for any other;
- ``constant``:      p(w|h) = share for a listed w, else a fixed weight times p(w|h').

h' is h without its first token; below the unigrams stands the uniform distribution over the
vocabulary without ``<s>``. `lmkit.ngram.estimation` does the rest, for all methods alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.store.facts import NO_MORE, Rule

Form = Literal["interpolated", "backoff", "floor", "constant"]

NOTHING_LEFT = 1e-10
"""A lower order with less mass than this on the tokens that a context does not list has, up to
rounding, none there."""


@dataclass(slots=True)
class Block:
    """Some whole contexts of one order, with their ``R`` n-grams side by side.

    ``counts`` [R]: of each n-gram, as the method wants them (`Smoothing.continuation`).
    ``sizes`` [C]: number of n-grams in each context. ``totals`` [C]: sum of their counts.
    ``events``: number of tokens that can follow a context: the vocabulary without ``<s>``.
    """

    order: int
    counts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    events: int
    totals: NDArray[np.int64]

    @classmethod
    def of(
        cls, order: int, counts: NDArray[np.integer], sizes: NDArray[np.int64], events: int
    ) -> Block:
        block = cls(order, counts.astype(np.int64), sizes, events, np.zeros(0, np.int64))
        block.totals = block.sum(block.counts).astype(np.int64)
        return block

    def sum(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """``values`` [R] summed over each context: [C]."""
        sums = np.bincount(self.places, values, minlength=len(self.sizes))
        return np.asarray(sums, np.float64)

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """``values`` [C] repeated for each n-gram: [R]."""
        return np.repeat(values, self.sizes)

    @property
    def places(self) -> NDArray[np.int64]:
        """Which of the contexts each n-gram belongs to: [R]."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


class Evidence(Protocol):
    """What a method may look at before it is asked for shares."""

    @property
    def order(self) -> int: ...

    @property
    def events(self) -> int: ...

    @property
    def trie(self) -> Any:
        """The n-grams themselves (`lmkit.ngram.trie.Trie`)."""

    def counts_of_counts(self, order: int, highest: int) -> list[int]:
        """How many n-grams of ``order`` have count 0, 1, ... ``highest`` (entry 0 is 0)."""

    def counts(self, order: int) -> NDArray[Any]:
        """The counts [R] of ``order``, as the method wants them (`Smoothing.continuation`)."""

    def context_sums(self, order: int, values: NDArray[Any]) -> NDArray[np.int64]:
        """``values`` [R], whole numbers, of the n-grams of ``order`` summed over each of their
        contexts, the rows of the order below (at order 1: the empty one)."""

    def held_out(self) -> Any:
        """Occurrences in held-out text (`lmkit.ngram.heldout.Occurrences`), or None without."""

    def left_one_out(self, most: int) -> Any:
        """Occurrences in the training text itself, a sample of ``most`` where there are more."""


class Smoothing(ABC):
    """A method: its options go to ``__init__``, `fit` learns its parameters.

    Learned attributes end in an underscore; `parameters` holds what is needed to ask for
    shares again. ``notes`` says in words what had to be decided on the way, such as a
    discount that the text does not determine.
    """

    name: ClassVar[str]
    continuation: ClassVar[bool] = False
    """Whether lower orders count distinct left contexts in place of occurrences."""
    normalised: ClassVar[bool] = True
    weight: float = 1.0
    """The fixed weight of the ``constant`` form."""
    forms: ClassVar[tuple[Form, ...]]
    """The forms that the method can take; the first is the default."""
    options: ClassVar[tuple[str, ...]] = ()
    """Names of the options that ``__init__`` takes, besides ``form``."""
    option_rules: ClassVar[Mapping[str, Rule]] = NO_MORE
    """What options in a file must look like, as far as ``__init__`` does not look itself."""

    def __init__(self, form: Form | None = None) -> None:
        if form is not None and form not in self.forms:
            raise UsageError(
                f"{self.name} has no {form} form", f"one of: {', '.join(self.forms)}, or none"
            )
        self.form: Form = form or self.forms[0]
        self.notes: list[str] = []

    def fit(self, evidence: Evidence) -> None:  # noqa: B027
        """Learn the parameters. Most methods have none, or look only at counts of counts."""

    @abstractmethod
    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The share [R] of each n-gram, and the rest [C] of each context: together one a context.

        Contexts without any count keep nothing: their rest is one.
        """

    def parameters(self) -> dict[str, Any]:
        """What `restore` needs: JSON values."""
        return {"form": self.form}

    def restore(self, parameters: dict[str, Any]) -> None:
        """Take up the `parameters` of a fitted method of the same name."""
        self.form = parameters["form"]

    @classmethod
    def learns(cls, order: int) -> Mapping[str, Rule]:
        """What `parameters` of a model of ``order`` must look like, besides the form, for
        `restore` and `shares` to take them from any file."""
        return NO_MORE

    @property
    def told_apart(self) -> int:
        """Up to which count `explain` wants to know how many n-grams have it."""
        return 3

    @abstractmethod
    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        """The share of an n-gram with ``count`` in a context with ``total``, as a formula with
        the numbers put in. ``sizes[k]`` is how many n-grams of that context have count k, the
        last entry how many have that count or more."""


def over(
    numerator: NDArray[Any], denominator: NDArray[Any], default: float = 0.0
) -> NDArray[np.float64]:
    """``numerator / denominator``, and ``default`` where the denominator is 0."""
    result = np.full(np.broadcast(numerator, denominator).shape, default, np.float64)
    np.divide(numerator, denominator, out=result, where=np.asarray(denominator) != 0)
    return result
