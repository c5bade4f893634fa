"""`MixtureModel`: several models as one, behind the one interface.

- ``linear``: p(w|h) = sum of weight_k p_k(w|h) (Jelinek and Mercer 1980);
- ``by-context``: the same with weights that depend on the last token of h;
- ``log-linear``: p(w|h) in proportion to the product of p_k(w|h)^power_k, over the whole vocabulary
  (Klakow 1998, "Log-linear interpolation of language models").

A cache (`lmkit.mixture.cache`) is mixed in linearly. It knows the words of the present sentence,
and in a running text (`lmkit.mixture.running`) those of the sentences before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.mixture.blend import Blend
from lmkit.mixture.cache import SOURCES
from lmkit.mixture.member import Member, joint_encoder
from lmkit.mixture.product import Product
from lmkit.mixture.state import MixtureState
from lmkit.mixture.weights import mixed, sources_of
from lmkit.model import BOS, EOS, UNK, Batch, Encoder, LanguageModel, rebase
from lmkit.sampling import Sampling
from lmkit.store.components import Component

Floats = NDArray[np.float64]
ROWS_AT_ONCE = 1 << 23
"""Entries of distributions over the vocabulary that are worked on at once."""
LEAST_SHARE = 0.05
"""A model with a smaller part of the weight cannot stand for a mixture."""


class MixtureModel(LanguageModel):
    """``members`` mixed as ``blend`` says; ``components`` are the same models with their places.

    ``facts`` is what the file keeps in ``meta`` (``fit``: how well the parts and the mixture did
    on the held-out text; ``notes``). The ``encoder`` is that of the first member, with the words of
    all.
    """

    backend: ClassVar[str] = "mixture"

    def __init__(
        self,
        components: Sequence[Component],
        members: Sequence[Member],
        blend: Blend,
        facts: dict[str, Any],
        runs: list[dict[str, Any]],
        encoder: Encoder | None = None,
    ) -> None:
        self.components = list(components)
        self.members = list(members)
        self.blend = blend
        self.facts = facts
        self.runs = runs
        first = members[0].model
        self.encoder: Encoder = encoder or joint_encoder(members)
        self.unit = first.unit
        lengths = [member.model.context_length for member in members]
        if blend.cache is not None or None in lengths:
            self.context_length = None
        else:
            least = int(blend.token_classes is not None)
            self.context_length = max([least, *(n for n in lengths if n is not None)])

    @property
    def product(self) -> Product | None:
        """The powers of the members, multiplied; None where they are added."""
        if self.blend.powers is None:
            return None
        return Product(self.members, self.blend.powers)

    # -- scoring --------------------------------------------------------------------------

    def score(
        self, batch: Batch | str | Sequence[str], state: Any = None
    ) -> tuple[Floats, MixtureState]:
        """See `LanguageModel.score`. Sentences begin anew, and so does a cache;
        `lmkit.mixture.running` carries it over them."""
        batch = self.batch(batch)
        if not len(batch):
            return np.zeros(0), self.start(1) if state is None else state
        history = None if state is None else state.history
        product = self.product
        if product is None:
            scored = self._scored(batch, state)
            sources = sources_of([log_probs for log_probs, _ in scored])
        else:
            sources = product.score(batch, state)[:, None]
            # For the states behind it the last sentence is enough.
            alone = len(batch) == 1
            tail = batch if alone else rebase(batch, len(batch) - 1, len(batch))
            scored = self._scored(tail, state if alone else None)
        log_probs = self.mix(batch, sources, self.before(batch, state), history, batch.offsets)
        return log_probs, self._state_after(batch, tuple(s for _, s in scored), state)

    @property
    def coarse(self) -> LanguageModel:
        """Its n-grams, or what else has states with keys, if there is more in it; of several the
        one with the highest weight, if that is no small one."""
        if self.context_length is not None:
            return self
        powers = self.blend.powers
        shares = self.blend.weights.mean(axis=0) if powers is None else powers
        models = [member.model.coarse for member in self.members]
        fast = [
            (float(share), number)
            for number, (share, model) in enumerate(zip(shares, models, strict=False))
            if model.context_length is not None and share >= LEAST_SHARE * shares.sum()
        ]
        if not fast:
            return self
        number = max(fast)[1]
        member = self.members[number]
        if member.into is None:
            return models[number]
        same = Member(models[number], member.name, member.into)
        blend = Blend("linear", np.ones((1, 1)))
        parts = [self.components[number]]
        return MixtureModel(parts, [same], blend, self.facts, self.runs, self.encoder)

    @property
    def quick(self) -> LanguageModel:
        """It with what is quick of its members, where they are not multiplied: that takes whole
        distributions."""
        if self.product is not None:
            return self
        members = [Member(one.model.quick, one.name, one.into) for one in self.members]
        if all(a.model is b.model for a, b in zip(members, self.members, strict=True)):
            return self
        twin = copy(self)
        twin.members = members
        return twin

    def _scored(self, batch: Batch, state: MixtureState | None) -> list[tuple[Floats, Any]]:
        parts = [None] * len(self.members) if state is None else state.parts
        return [m.score(batch, part) for m, part in zip(self.members, parts, strict=True)]

    def before(self, batch: Batch, state: MixtureState | None = None) -> NDArray[np.int64]:
        """The token before each token [T] of its sentence, ``<s>`` before the first."""
        last = np.empty(len(batch.ids), np.int64)
        last[1:] = batch.ids[:-1]
        last[batch.offsets[:-1]] = BOS
        if state is not None:
            last[0] = state.last[0]
        return last

    def mix(
        self,
        batch: Batch,
        sources: Floats,
        last: NDArray[np.int64],
        history: NDArray[np.int32] | None,
        begins: NDArray[np.int64],
    ) -> Floats:
        """log p [T] of the tokens of ``batch`` from those of the models, or their product,
        ``sources`` [T, M]. The cache is empty at ``begins``, up to the ``history`` [1, H] of the
        first one; ``last`` [T] are the tokens before."""
        if self.blend.static:
            return mixed(sources, self.blend.weights[0])
        contexts = self.blend.context_classes(last)
        cached = None
        if self.blend.cache is not None:
            found, cached = self.cached(batch, history, begins)
            sources = sources_of([*sources.T, *found.T])
        weights = self.blend.weights[self.blend.classes(contexts, cached)]
        return mixed(sources, weights)

    def cached(
        self, batch: Batch, history: NDArray[np.int32] | None, begins: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[np.int64]]:
        """log p [T, 2] of the tokens of ``batch`` in the cache, and its classes [T]."""
        assert self.blend.cache is not None
        before = np.zeros(0, np.int32) if history is None else history[0][history[0] >= 0]
        ids = np.concatenate((before, batch.ids))
        starts = np.unique(begins[begins < len(batch.ids)]) + len(before)
        starts[0] = 0
        log_probs, classes = self.blend.cache.of_text(ids, starts)
        return log_probs[len(before) :], classes[len(before) :]

    def _state_after(
        self, batch: Batch, parts: tuple[Any, ...], state: MixtureState | None
    ) -> MixtureState:
        ids = batch.ids[batch.offsets[-2] :]
        if len(ids) and ids[-1] == EOS:
            return self.start(1)
        goes_on = state is not None and len(batch) == 1
        last = ids[-1:].astype(np.int64)
        if not len(ids):
            last = state.last if goes_on and state is not None else np.array([BOS])
        history = None
        if self.blend.cache is not None:
            old = state.history if goes_on and state is not None else None
            before = np.zeros((1, 0), np.int32) if old is None else old
            history = np.concatenate((before, ids[None]), axis=1)[:, -self.blend.cache.keeps :]
        return MixtureState(parts, last, self.blend.context_classes(last), history)

    @property
    def running(self) -> Callable[..., LanguageModel] | None:
        """This mixture reading a running text (`lmkit.mixture.running.RunningMixture`); None
        where nothing is carried from one sentence to the next."""
        carrying = [m for m in self.members if getattr(m.model, "running", None) is not None]
        if self.blend.cache is None and (not carrying or self.product is not None):
            return None
        return self._running

    def _running(self, progress: Any = None, **options: Any) -> LanguageModel:
        # Batch by batch is often enough to tell how far it is: ``progress`` within one is not.
        from lmkit.mixture.running import RunningMixture

        return RunningMixture(self, **options)

    # -- one token after the other ----------------------------------------------------------

    def start(self, batch_size: int) -> MixtureState:
        last = np.full(batch_size, BOS, np.int64)
        empty = None if self.blend.cache is None else np.zeros((batch_size, 0), np.int32)
        parts = tuple(member.model.start(batch_size) for member in self.members)
        return MixtureState(parts, last, self.blend.context_classes(last), empty)

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> MixtureState:
        """See `LanguageModel.advance`. After ``</s>`` a stream starts anew, and its cache too."""
        return self._advanced(state, tokens, False)

    def advance_through(
        self, state: Any, tokens: NDArray[np.integer] | Sequence[int]
    ) -> MixtureState:
        """See `LanguageModel.advance_through`. As in reading a running text, the cache goes on,
        and the models of a linear mixture do what they can."""
        return self._advanced(state, tokens, True)

    def _advanced(
        self, state: Any, tokens: NDArray[np.integer] | Sequence[int], through: bool
    ) -> MixtureState:
        ids = np.asarray(tokens, np.int64)
        carry = through and self.product is None
        parts = tuple(
            (member.model.advance_through if carry else member.model.advance)(part, member.ids(ids))
            for member, part in zip(self.members, state.parts, strict=True)
        )
        ended = ids == EOS
        last = np.where(ended, BOS, ids)
        history = None
        if self.blend.cache is not None:
            history = self.blend.cache.extended(state.history, ids)
            if not through:
                history[ended] = -1
        return MixtureState(parts, last, self.blend.context_classes(last), history)

    def next_log_probs(self, state: Any) -> Floats:
        """See `LanguageModel.next_log_probs`."""
        size = len(self.vocabulary)
        result = np.empty((len(state), size))
        rows = max(1, ROWS_AT_ONCE // (size * (len(self.members) + 2)))
        for start in range(0, len(state), rows):
            here = np.arange(start, min(start + rows, len(state)))
            result[here] = self._next_log_probs(state.select(here) if rows < len(state) else state)
        result[:, BOS] = -np.inf
        return result

    def _next_log_probs(self, state: Any) -> Floats:
        parts = [m.next_log_probs(p) for m, p in zip(self.members, state.parts, strict=True)]
        product = self.product
        sources = parts if product is None else [product.normalised(parts)]
        weights = self._weights(state)
        if weights is None:
            with np.errstate(divide="ignore"):
                cached, classes = self._cached_next(state)
                weights = self.blend.weights[self.blend.classes(state.contexts, classes)]
                sources += [np.log(cached[:, 0]), np.log(cached[:, 1])]
        return mixed(sources_of(sources), weights[:, None, :])

    def _cached_next(self, state: Any) -> tuple[Floats, NDArray[np.int64]]:
        assert self.blend.cache is not None
        return self.blend.cache.next_probs(state.history, len(self.vocabulary))

    def _weights(self, state: Any) -> Floats | None:
        """The weights [B, K] of the sources on each stream; None where they depend on a cache."""
        if self.blend.cache is not None:
            return None
        weights: Floats = self.blend.weights[state.contexts]
        return weights

    def log_probs_of(self, state: Any, tokens: NDArray[np.integer]) -> Floats:
        """See `LanguageModel.log_probs_of`. A product needs its whole distribution."""
        ids = np.asarray(tokens, np.int64)
        if self.product is not None:
            return np.take_along_axis(self.next_log_probs(state), ids, axis=1)
        sources = [
            member.log_probs_of(part, ids)
            for member, part in zip(self.members, state.parts, strict=True)
        ]
        weights = self._weights(state)
        if weights is None:
            cached, classes = self._cached_next(state)
            weights = self.blend.weights[self.blend.classes(state.contexts, classes)]
            with np.errstate(divide="ignore"):
                sources += [np.log(np.take_along_axis(cached[:, k], ids, axis=1)) for k in (0, 1)]
        log_probs = mixed(sources_of(sources), weights[:, None, :])
        log_probs[ids == BOS] = -np.inf
        return log_probs

    def draw_next(
        self, state: Any, how: Sampling, generator: np.random.Generator, unknown: bool = False
    ) -> NDArray[np.int64]:
        """See `LanguageModel.draw_next`. Where nothing is filtered, draws a model by its weight
        and lets it draw, if no model lacks a word."""
        weights = self._weights(state)
        lacking = any(member.lacks for member in self.members)
        if lacking or not how.plain or weights is None or self.product is not None:
            return super().draw_next(state, how, generator, unknown)
        if not unknown:
            weights = self._without_unknown(state, weights)
            stuck = ~(weights.sum(axis=1) > 0)
            if stuck.any():
                return super().draw_next(state, how, generator, unknown)
        running = np.cumsum(weights, axis=1)
        points = generator.random(len(state)) * running[:, -1]
        chosen = np.minimum((running <= points[:, None]).sum(axis=1), running.shape[1] - 1)
        drawn = np.empty(len(state), np.int64)
        for number in np.unique(chosen).tolist():
            rows = np.flatnonzero(chosen == number)
            part = state.parts[number].select(rows)
            drawn[rows] = self.members[number].draw_next(part, how, generator, unknown)
        return drawn

    def _without_unknown(self, state: Any, weights: Floats) -> Floats:
        """Weights [B, K] in proportion to what each model gives to the known words."""
        asked = np.full((len(state), 1), UNK)
        unknown = [
            # A network draws from its whole distribution, and keeps it until then.
            member.next_log_probs(part)[:, UNK]
            if part.keys() is None
            else member.model.log_probs_of(part, member.ids(asked))[:, 0]
            for member, part in zip(self.members, state.parts, strict=True)
        ]
        known = [-np.expm1(log_prob) for log_prob in unknown]
        return weights * np.maximum(np.stack(known, axis=1), 0.0)

    # -- the file ---------------------------------------------------------------------------

    def save(self, path: str | Path, embed: bool = False) -> None:
        """See `LanguageModel.save`. ``embed`` carries the models that are files of their own."""
        from lmkit.mixture.files import save_mixture

        save_mixture(self, path, embed)

    @property
    def sources(self) -> list[str]:
        """Names of what has a weight."""
        names = [m.name for m in self.members] if self.product is None else ["product"]
        return names if self.blend.cache is None else [*names, *SOURCES]

    def describe(self) -> dict[str, Any]:
        blend = self.blend
        parameters: dict[str, Any] = {}
        if blend.powers is not None:
            names = [member.name for member in self.members]
            parameters["powers"] = dict(zip(names, blend.powers.tolist(), strict=True))
        if blend.cache is not None:
            parameters["cache size"] = blend.cache.size
            parameters["cache decay"] = blend.cache.decay
        return {
            "backend": self.backend,
            "kind": blend.kind,
            "models": [
                {"model": member.name, "backend": member.model.backend} for member in self.members
            ],
            "unit": self.unit,
            "vocabulary": len(self.vocabulary),
            "normalised": self.normalised,
            "text": self.encoder.settings.as_dict(tables=False),
            "weights": self.facts["weights"],
            "parameters": parameters,
            "fit": self.facts["fit"],
            "notes": self.facts["notes"],
        }
