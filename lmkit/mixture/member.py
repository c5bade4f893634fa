"""A model as part of a mixture: asked in the mixture's vocabulary, which is that of the first part.

``V`` is the size of the vocabulary, ``B`` of streams, ``T`` of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.model import Batch, LanguageModel, State
from lmkit.sampling import Sampling

EXAMPLES = 3
"""How many of the tokens are named that only one of two vocabularies has."""


class Member:
    """``model`` under its ``name``. ``into`` [V]: the model's id of each token of the mixture;
    None where the ids are the same."""

    def __init__(
        self, model: LanguageModel, name: str, into: NDArray[np.int32] | None = None
    ) -> None:
        self.model = model
        self.name = name
        self.into = into
        self._back: NDArray[np.int32] | None = None

    def batch(self, batch: Batch) -> Batch:
        """``batch`` of the mixture in the model's ids."""
        return batch if self.into is None else replace(batch, ids=self.into[batch.ids])

    def ids(self, tokens: Any) -> Any:
        """Tokens of the mixture, an array of any shape, in the model's ids."""
        return tokens if self.into is None else self.into[np.asarray(tokens, np.int64)]

    def score(self, batch: Batch, state: State | None = None) -> tuple[NDArray[np.float64], State]:
        """See `LanguageModel.score`."""
        return self.model.score(self.batch(batch), state)

    def next_log_probs(self, state: State) -> NDArray[np.float64]:
        """See `LanguageModel.next_log_probs`; the columns are the mixture's."""
        log_probs = self.model.next_log_probs(state)
        return log_probs if self.into is None else log_probs[:, self.into]

    def draw_next(
        self, state: State, how: Sampling, generator: np.random.Generator, unknown: bool
    ) -> NDArray[np.int64]:
        """See `LanguageModel.draw_next`."""
        drawn = self.model.draw_next(state, how, generator, unknown)
        if self.into is None:
            return drawn
        if self._back is None:
            self._back = np.empty_like(self.into)
            self._back[self.into] = np.arange(len(self.into), dtype=np.int32)
        return self._back[drawn].astype(np.int64)


def members_of(models: Sequence[LanguageModel], names: Sequence[str]) -> list[Member]:
    """``models`` as members of one mixture, each in the vocabulary of the first.

    Raises `UnsupportedError` where they cannot be mixed: another unit or other tokens, scores
    that are no probabilities, or none for a single token.
    """
    first, first_name = models[0], names[0]
    for model, name in zip(models, names, strict=True):
        _require_distributions(model, name)
    members = [Member(first, first_name)]
    for model, name in zip(models[1:], names[1:], strict=True):
        if model.unit != first.unit:
            raise UnsupportedError(
                f"the tokens of {first_name} are {first.unit}s and those of {name} {model.unit}s, "
                "so there is no mixture of them",
                "lmkit train TEXT --tokenizer NAME, with one tokenizer for both",
            )
        _require_same_learnt(first, first_name, model, name)
        members.append(Member(model, name, _translation(first, first_name, model, name)))
    return members


def _require_same_learnt(
    first: LanguageModel, first_name: str, other: LanguageModel, name: str
) -> None:
    """Learnt tokenizers may know the same tokens and cut a text otherwise."""
    one, two = first.encoder.settings.tokenizer, other.encoder.settings.tokenizer
    if one == two or (one.vocabulary is None and two.vocabulary is None):
        return
    raise UnsupportedError(
        f"{first_name} and {name} have different tokenizers ({one} and {two}), which cut a text"
        " otherwise, so there is no mixture of them",
        "training both with one tokenizer: the same options and text make the same one",
    )


def _require_distributions(model: LanguageModel, name: str) -> None:
    if not model.normalised:
        raise UnsupportedError(
            f"{name} gives scores, not probabilities, so it cannot be part of a mixture",
            "a model that was trained with another smoothing",
        )
    try:
        model.next_log_probs(model.start(1))
    except UnsupportedError as error:
        raise UnsupportedError(
            f"{name} has no probabilities of single tokens, so it cannot be part of a mixture",
            "the model that it takes its words from",
        ) from error


def _translation(
    first: LanguageModel, first_name: str, other: LanguageModel, name: str
) -> NDArray[np.int32] | None:
    """The ids in ``other`` of the tokens of ``first``; None where they are the same."""
    tokens, others = first.vocabulary.tokens, other.vocabulary.tokens
    if len(tokens) == len(others) and list(tokens) == list(others):
        return None
    missing, more = _only_in(tokens, others), _only_in(others, tokens)
    if missing or more:
        parts = [
            f"only {where} has {_some(only)}"
            for where, only in ((first_name, missing), (name, more))
            if only
        ]
        raise UnsupportedError(
            f"{first_name} and {name} have different vocabularies: {'; '.join(parts)}",
            "lmkit train TEXT --vocabulary FILE, with one word list for both",
        )
    return other.vocabulary.ids_of(tokens).astype(np.int32)


def _only_in(tokens: Sequence[str], others: Sequence[str]) -> list[str]:
    known = set(others)
    return [token for token in tokens if token not in known]


def _some(tokens: list[str]) -> str:
    named = ", ".join(map(repr, tokens[:EXAMPLES]))
    return named if len(tokens) <= EXAMPLES else f"{len(tokens):,} tokens such as {named}"
