"""Where streams of text stand in a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.model import State


@dataclass(frozen=True, slots=True)
class MixtureState:
    """``parts``: the state of each model; ``last`` [B]: the last token, ``<s>`` where a sentence
    begins; ``contexts`` [B]: the class of each stream's context; ``history`` [B, H]: the tokens of
    a cache, -1 before the first of them, None without a cache."""

    parts: tuple[State, ...]
    last: NDArray[np.int64]
    contexts: NDArray[np.int64]
    history: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.last)

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> MixtureState:
        places = np.asarray(rows, np.int64)
        return MixtureState(
            tuple(part.select(places) for part in self.parts),
            self.last[places],
            self.contexts[places],
            None if self.history is None else self.history[places],
        )

    def keys(self) -> NDArray[np.int64] | None:
        """[B, k]; None with a cache, or where a part has none."""
        if self.history is not None:
            return None
        keys = [self.contexts[:, None]]
        for part in self.parts:
            own = part.keys()
            if own is None:
                return None
            keys.append(own)
        return np.concatenate(keys, axis=1)
