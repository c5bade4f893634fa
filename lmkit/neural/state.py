"""Where streams of text stand in a recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.neural.arrays import Array
from lmkit.neural.network import States


@dataclass(slots=True)
class NeuralState:
    """``layers``: the states of each layer, arrays [H, B]; ``top`` [H, B]: what the softmax reads.
    ``log_probs`` [B, V]: the next-token distribution, kept once it was asked for."""

    layers: States
    top: Array
    log_probs: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.top.shape[1])

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> NeuralState:
        places = np.asarray(rows, np.int64)
        # `part[:, places]` may lie in memory the other way round, for which some processors'
        # matrix products round differently: equal states would have unequal futures.
        layers = tuple(tuple(part.take(places, axis=1) for part in layer) for layer in self.layers)
        kept = None if self.log_probs is None else self.log_probs[places]
        return NeuralState(layers, self.top.take(places, axis=1), kept)

    def keys(self) -> None:
        """None: two streams that have read different texts never meet again."""
