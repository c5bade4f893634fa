"""A model as part of a mixture: asked in the mixture's vocabulary, which joins those of all parts.

A token that a model lacks is its unknown word. The model's ``<unk>`` then stands for all of these
and for what no part knows: each has an even share of its probability, so that the model stays a
distribution over the joint vocabulary. Where one list of words was given to all, nothing is shared.

``V`` is the size of the joint vocabulary, ``B`` of streams, ``T`` of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.model import UNK, Batch, Encoder, LanguageModel, State
from lmkit.sampling import Sampling
from lmkit.text.encoder import TextEncoder
from lmkit.text.vocabulary import Vocabulary

Floats = NDArray[np.float64]


class Member:
    """``model`` under its ``name``. ``into`` [V]: the model's id of each token of the mixture, that
    of ``<unk>`` for those that it lacks; None where the ids are the same."""

    def __init__(
        self, model: LanguageModel, name: str, into: NDArray[np.int32] | None = None
    ) -> None:
        self.model = model
        self.name = name
        self.into = into
        self.size = len(model.vocabulary) if into is None else len(into)
        """``V``."""
        self.lacks = 0 if into is None else int((into == UNK).sum()) - 1
        """How many tokens of the mixture the model does not have."""
        self._share = float(np.log(self.lacks + 1))
        self._back: NDArray[np.int32] | None = None

    def batch(self, batch: Batch) -> Batch:
        """``batch`` of the mixture in the model's ids."""
        return batch if self.into is None else replace(batch, ids=self.into[batch.ids])

    def ids(self, tokens: Any) -> Any:
        """Tokens of the mixture, an array of any shape, in the model's ids."""
        return tokens if self.into is None else self.into[np.asarray(tokens, np.int64)]

    def shared(self, log_probs: Floats, ids: NDArray[np.integer]) -> Floats:
        """``log_probs`` under the model of its own ``ids``, both of one shape, as those of the
        tokens of the mixture that they stand for: ``<unk>`` is shared."""
        return log_probs - self._share * (ids == UNK) if self.lacks else log_probs

    def score(self, batch: Batch, state: State | None = None) -> tuple[Floats, State]:
        """See `LanguageModel.score`."""
        own = self.batch(batch)
        log_probs, after = self.model.score(own, state)
        return self.shared(log_probs, own.ids), after

    def next_log_probs(self, state: State) -> Floats:
        """See `LanguageModel.next_log_probs`; the columns are the mixture's."""
        log_probs = self.model.next_log_probs(state)
        return log_probs if self.into is None else self.shared(log_probs[:, self.into], self.into)

    def log_probs_of(self, state: State, tokens: NDArray[np.integer]) -> Floats:
        """See `LanguageModel.log_probs_of`."""
        own = self.ids(tokens)
        return self.shared(self.model.log_probs_of(state, own), own)

    def draw_next(
        self, state: State, how: Sampling, generator: np.random.Generator, unknown: bool
    ) -> NDArray[np.int64]:
        """See `LanguageModel.draw_next`; for a model that lacks no token of the mixture."""
        assert not self.lacks
        drawn = self.model.draw_next(state, how, generator, unknown)
        if self.into is None:
            return drawn
        if self._back is None:
            self._back = np.empty_like(self.into)
            self._back[self.into] = np.arange(len(self.into), dtype=np.int32)
        return self._back[drawn].astype(np.int64)


def members_of(models: Sequence[LanguageModel], names: Sequence[str]) -> list[Member]:
    """``models`` as members of one mixture, in the vocabulary of all of them: the tokens of the
    first one, and behind them those that each other one adds.

    Raises `UnsupportedError` where they cannot be mixed: another unit, scores that are no
    probabilities, or none for a single token.
    """
    first, first_name = models[0], names[0]
    for model, name in zip(models, names, strict=True):
        _require_distributions(model, name)
        if model.unit != first.unit:
            raise UnsupportedError(
                f"the tokens of {first_name} are {first.unit}s and those of {name} {model.unit}s, "
                "so there is no mixture of them",
                "lmkit train TEXT --tokenizer NAME, with one tokenizer for both",
            )
        _require_same_learnt(first, first_name, model, name)
    joint = Vocabulary(list(dict.fromkeys(t for model in models for t in model.vocabulary.tokens)))
    return [
        Member(model, name, _translation(joint, model.vocabulary))
        for model, name in zip(models, names, strict=True)
    ]


def joint_encoder(members: Sequence[Member]) -> Encoder:
    """What reads text for a mixture of ``members``: as for the first one, with all their words."""
    first = members[0].model
    if members[0].into is None:
        return first.encoder
    vocabularies = [one.model.vocabulary for one in members]
    tokens = list(dict.fromkeys(t for one in vocabularies for t in one.tokens))
    joint = Vocabulary(tokens, np.zeros(len(tokens), np.int64), limited=True)
    for one in vocabularies:
        joint.counts[joint.ids_of(one.tokens)] += np.asarray(one.counts)
    return with_vocabulary(first.encoder, joint)


def with_vocabulary(encoder: Any, vocabulary: Any) -> Encoder:
    """What reads text as ``encoder`` does, with the ids of ``vocabulary``."""
    spelling = partial(getattr, encoder, "spelling")
    return TextEncoder(encoder.settings, vocabulary, spelling, errors=encoder.errors)


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
    model.require_sentence_marks(f"{name} cannot be part of a mixture")
    try:
        model.next_log_probs(model.start(1))
    except UnsupportedError as error:
        raise UnsupportedError(
            f"{name} has no probabilities of single tokens, so it cannot be part of a mixture",
            "the model that it takes its words from",
        ) from error


def _translation(joint: Vocabulary, vocabulary: Any) -> NDArray[np.int32] | None:
    """The ids in ``vocabulary`` of the ``joint`` tokens; None where they are the same."""
    if len(vocabulary) == len(joint) and list(vocabulary.tokens) == joint.tokens:
        return None
    found: NDArray[np.int32] = vocabulary.ids_of(joint.tokens).astype(np.int32)
    return found
