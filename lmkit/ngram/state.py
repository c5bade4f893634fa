"""Where streams of text stand in an n-gram model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class NgramState:
    """``rows`` [B, N - 1]: in column k the row of the last k + 1 tokens as an n-gram of that
    order, -1 where there is none. ``lengths`` [B]: how many tokens of history there are, up to
    N - 1, with ``<s>``."""

    rows: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> NgramState:
        places = np.asarray(rows, dtype=np.int64)
        return NgramState(self.rows[places], self.lengths[places])

    def join(self, others: Sequence[NgramState]) -> NgramState:
        """The streams of this state, and those of ``others`` behind them."""
        states = [self, *others]
        return NgramState(
            np.concatenate([state.rows for state in states]),
            np.concatenate([state.lengths for state in states]),
        )

    def keys(self) -> NDArray[np.int64]:
        """[B, N]: streams with equal rows have equal futures."""
        return np.concatenate((self.rows, self.lengths[:, None]), axis=1)
