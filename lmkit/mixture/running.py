"""A mixture that reads a running text: its cache and the states of its networks are carried over
sentences and batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.mixture.state import MixtureState
from lmkit.mixture.weights import sources_of
from lmkit.model import Batch, LanguageModel, State

if TYPE_CHECKING:
    from lmkit.mixture.member import Member
    from lmkit.mixture.model import MixtureModel

Floats = NDArray[np.float64]


class RunningMixture(LanguageModel):
    """``mixture`` on a running text; `score` goes on where the last call ended. ``options`` are
    those of the models that read a running text in ways of their own. ``progress`` is called now
    and then with the tokens of the batch that are done."""

    def __init__(
        self,
        mixture: MixtureModel,
        *,
        progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> None:
        self.mixture = mixture
        self.backend = mixture.backend  # type: ignore[misc]
        self.encoder = mixture.encoder
        self.unit = mixture.unit
        self.context_length = None
        self._progress = progress
        carry = mixture.product is None
        self.readers = Readers(mixture.members, carry, progress, **options)
        self._history = np.zeros((1, 0), np.int32)

    def score(
        self, batch: Batch | str | Sequence[str], state: Any = None
    ) -> tuple[Floats, MixtureState]:
        """log p [T] of every token, given all text before it, in this batch or earlier ones."""
        if state is not None:
            raise UnsupportedError("a running text goes on from its own state only")
        mixture, batch = self.mixture, self.batch(batch)
        if not len(batch.ids):
            return np.zeros(0), mixture.start(1)
        product = mixture.product
        if product is None:
            sources = self.readers.score(batch)
        else:
            sources = product.score(batch, None, self._progress)[:, None]
        begins = np.zeros(1, np.int64)
        log_probs = mixture.mix(batch, sources, mixture.before(batch), self._history, begins)
        if mixture.blend.cache is not None:
            longer = np.concatenate((self._history, batch.ids[None]), axis=1)
            self._history = longer[:, -mixture.blend.cache.keeps :]
        return log_probs, mixture.start(1)

    def start(self, batch_size: int) -> State:
        return self.mixture.start(batch_size)

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> State:
        return self.mixture.advance(state, tokens)

    def advance_through(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> State:
        return self.mixture.advance_through(state, tokens)

    def next_log_probs(self, state: Any) -> Floats:
        return self.mixture.next_log_probs(state)

    def save(self, path: str | Path) -> None:
        self.mixture.save(path)

    def describe(self) -> dict[str, Any]:
        return self.mixture.describe()


class Readers:
    """The ``members`` reading a text batch by batch: those that can go on from one sentence to
    the next, unless ``carry`` is False."""

    def __init__(
        self,
        members: Sequence[Member],
        carry: bool = True,
        progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> None:
        self._members = members
        self._progress = progress
        self._readers: list[LanguageModel] = [member.model for member in members]
        found = [getattr(member.model, "running", None) for member in members]
        running = [(n, run) for n, run in enumerate(found) if carry and run is not None]
        if options and not running:
            raise UnsupportedError(
                "no model of the mixture can be read with a cache of its own or learn on the way",
                "a mixture with a recurrent network",
            )
        for number, (place, run) in enumerate(running, 1):
            # The last one tells: what is done by then is little beside a network's work.
            told = progress if number == len(running) else None
            self._readers[place] = run(**options, progress=told)

    def score(self, batch: Batch) -> Floats:
        """log p [T, M] of the tokens of the next ``batch``."""
        log_probs = [
            member.shared(reader.score(own)[0], own.ids)
            for member, reader, own in zip(
                self._members, self._readers, (m.batch(batch) for m in self._members), strict=True
            )
        ]
        if self._progress is not None:
            self._progress(len(batch.ids))
        return sources_of(log_probs)
