"""Where streams of text stand in a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.neural.arrays import Array
from lmkit.neural.tree import State, select


@dataclass(slots=True)
class NeuralState:
    """``layers``: the state of the network (`lmkit.neural.tree`); ``top`` [H, B]: what the softmax
    reads; ``log_probs`` [B, V]: the next-token distribution, kept once it was asked for."""

    layers: State
    top: Array
    log_probs: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.top.shape[1])

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> NeuralState:
        places = np.asarray(rows, np.int64)
        kept = None if self.log_probs is None else self.log_probs[places]
        return NeuralState(select(self.layers, places), self.top.take(places, axis=1), kept)

    def keys(self) -> None:
        """None: two streams that have read different texts never meet again."""
