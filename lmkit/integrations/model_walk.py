"""Walking through a model of any backend by its one interface, such as a network or a mixture.

A step is put off as long as it can be: the state after a word is only computed once something is
asked of it, as decoders ask for far more words than they go on with.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.batch import BOS, EOS, UNK, Batch
from lmkit.errors import UnsupportedError
from lmkit.integrations.walking import LN10, LOG10_ZERO, Step, Walk
from lmkit.mixture.model import MixtureModel
from lmkit.model import LanguageModel
from lmkit.neural.blas import one_thread
from lmkit.ngram.model import NgramModel
from lmkit.ngram.trie import MOST_ORDER

KEPT_BYTES = 1 << 26
"""Of the states that are kept, and of the next-token distributions."""
WHOLE = 1 << 14
"""So many words cost a network about as much as one of them."""
NULL = "BeginSentenceWrite in place of NullContextWrite, or bos=True"


class Place:
    """``key``: what it is equal by. ``depth``: how many words of history there are, ``<s>`` among
    them. ``state`` is None as long as the step with ``token`` from ``before`` is not taken.
    ``asked``: words so far."""

    __slots__ = ("asked", "before", "depth", "key", "state", "token")

    def __init__(
        self,
        key: bytes,
        depth: int,
        state: Any = None,
        before: Place | None = None,
        token: int = BOS,
    ) -> None:
        self.key = key
        self.depth = depth
        self.state = state
        self.before = before
        self.token = token
        self.asked = 0

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.key == other.key

    def __lt__(self, other: Place) -> bool:
        return self.key < other.key


class ModelWalk(Walk):
    """A way through ``model``. One that looks back without limit has the order `MOST_ORDER`.

    Places are equal where the model says that their futures are (`lmkit.model.State.keys`), or
    else after the same words. After ``</s>`` a text stands at the beginning of a sentence.
    """

    def __init__(self, model: LanguageModel) -> None:
        state = model.start(1)  # raises what a model without states has to say
        super().__init__(model, Place(self._key(state, b""), 1, state))
        self._limited = model.context_length is not None
        """Whether it has n-grams alone, which are asked for one word at a time."""
        self._most_states = max(64, KEPT_BYTES // len(pickle.dumps(state)))
        self._states = 0
        self._lock = RLock()
        self._most_distributions = max(8, KEPT_BYTES // (8 * len(model.vocabulary)))
        self._distributions: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()

    @property
    def order(self) -> int:
        length = self.model.context_length
        return MOST_ORDER if length is None else length + 1

    @cached_property
    def null(self) -> Place:
        state = _empty(self.model)
        return Place(self._key(state, b"null"), 0, state)

    def total(self, words: Sequence[str], bos: bool, eos: bool) -> float:
        ids = [self.ids[word] for word in words]
        if not bos or BOS in ids or EOS in ids:
            return super().total(words, bos, eos)
        # A sentence by itself is read at once.
        log_probs, _ = self.model.score(
            Batch(np.array([*ids, EOS], np.int32), np.array([0, len(ids) + 1]))
        )
        return float(log_probs[: len(ids) + eos].sum()) / LN10

    def forget(self) -> None:
        super().forget()
        self._states = 0
        self._distributions.clear()

    def _key(self, state: Any, way: bytes) -> bytes:
        """``way`` stands for the words that led to ``state``."""
        keys = state.keys()
        return way if keys is None else np.ascontiguousarray(keys[0]).tobytes()

    def _step(self, place: Any, token: int) -> Step:
        if token == BOS:
            return LOG10_ZERO, self.start, 1, False
        with self._lock, nullcontext() if self._limited else one_thread():
            return self._taken(place, token)

    def _taken(self, place: Place, token: int) -> Step:
        score = self._log_prob(place, token) / LN10
        length = min(place.depth + 1, self.order)
        if token == EOS:
            return score, self.start, length, False
        return score, self._following(place, token), length, token == UNK

    def _following(self, place: Place, token: int) -> Place:
        if self._counts_ways:
            way = blake2b(place.key + token.to_bytes(4, "little"), digest_size=16).digest()
            return Place(way, place.depth + 1, None, place, token)
        state = self.model.advance(self._state(place), [token])
        return Place(self._key(state, b""), place.depth + 1, state)

    @cached_property
    def _counts_ways(self) -> bool:
        """Whether states have no keys, so that places are told apart by the words before them."""
        return self.start.key == b""

    def _state(self, place: Place) -> Any:
        """The state at ``place``, which takes the steps that were put off."""
        waiting = []
        while place.state is None:
            assert place.before is not None
            waiting.append(place)
            place = place.before
        state = place.state
        for place in reversed(waiting):
            state = place.state = self.model.advance(state, [place.token])
            place.before = None
            self._states += 1
        if self._states > self._most_states:
            self.forget()
        return state

    def _log_prob(self, place: Place, token: int) -> float:
        state = self._state(place)
        known = self._distributions.get(place.key)
        place.asked += 1
        if known is None:
            if self._limited or (place.asked == 1 and len(self.model.vocabulary) > WHOLE):
                return float(self.model.log_probs_of(state, np.array([[token]]))[0, 0])
            # Where a second word is asked there will be more; `select` keeps it out of the state.
            known = self.model.next_log_probs(state.select([0]))[0]
            self._distributions[place.key] = known
            if len(self._distributions) > self._most_distributions:
                self._distributions.popitem(last=False)
        return float(known[token])


def _empty(model: LanguageModel) -> Any:
    """The state of ``model`` without any history. Raises `UnsupportedError` if it has none."""
    if isinstance(model, NgramModel):
        return model.empty(1)
    if isinstance(model, MixtureModel) and model.blend.token_classes is None:
        parts = tuple(_empty(member.model) for member in model.members)
        return replace(model.start(1), parts=parts)
    raise UnsupportedError(
        f"a {model.backend} model has no state without a context: it begins with a sentence", NULL
    )
