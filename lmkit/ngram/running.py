"""An n-gram model of a stream, trained without sentence marks, reading a running text: its history
goes on over line ends, as it did in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.model import Batch, LanguageModel
from lmkit.ngram.model import NgramModel
from lmkit.ngram.state import NgramState


class RunningNgrams(LanguageModel):
    """``model`` on a running text; `score` goes on where the last call ended. ``progress`` is not
    told of anything within a batch, which is a moment's work.

    Raises `UnsupportedError` for ``options``, which are those of other models.
    """

    def __init__(
        self,
        model: NgramModel,
        *,
        progress: Callable[[int], None] | None = None,
        **options: Any,
    ) -> None:
        if options:
            raise UnsupportedError(
                "n-grams have no cache of their own and learn nothing on the way",
                "a recurrent network",
            )
        self.model = model
        self.backend = model.backend  # type: ignore[misc]
        self.encoder = model.encoder
        self.unit = model.unit
        self.context_length = model.context_length
        self.normalised = model.normalised
        self._state = model.start(1)

    def score(
        self, batch: Batch | str | Sequence[str], state: Any = None
    ) -> tuple[NDArray[np.float64], NgramState]:
        """log p [T] of every token, given all text before it, in this batch or earlier ones."""
        if state is not None:
            raise UnsupportedError("a running text goes on from its own state only")
        batch = self.batch(batch)
        if not len(batch.ids):
            return np.zeros(0), self._state
        whole = Batch(batch.ids, np.array([0, len(batch.ids)]))
        log_probs, self._state = self.model.score(whole, self._state)
        return log_probs, self._state

    def start(self, batch_size: int) -> NgramState:
        return self.model.start(batch_size)

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> NgramState:
        return self.model.advance(state, tokens)

    def next_log_probs(self, state: Any) -> NDArray[np.float64]:
        return self.model.next_log_probs(state)

    def save(self, path: str | Path) -> None:
        self.model.save(path)

    def describe(self) -> dict[str, Any]:
        return self.model.describe()
