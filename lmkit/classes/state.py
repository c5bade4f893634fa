"""Where streams of text stand in a class model: in which histories of classes, and how likely each
of them is.

``B`` is the number of streams, ``K`` of histories of all of them, side by side by stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.ngram.state import NgramState


@dataclass(frozen=True, slots=True)
class ClassState:
    """``inner`` [K]: the histories in the n-grams of classes; ``starts`` [B + 1]: where those of
    each stream begin; ``log_weights`` [K]: log p(history | the words), which sum to one a stream.
    """

    inner: NgramState
    starts: NDArray[np.int64]
    log_weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def streams(self) -> NDArray[np.int64]:
        """The stream of each history: [K]."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> ClassState:
        chosen = np.asarray(rows, np.int64)
        sizes = np.diff(self.starts)[chosen]
        places = ranges(self.starts[:-1][chosen], sizes)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        return ClassState(self.inner.select(places), starts, self.log_weights[places])

    def keys(self) -> NDArray[np.int64] | None:
        """[B, N]; None where a stream may be in several histories."""
        if len(self.log_weights) > len(self):
            return None
        return self.inner.keys()


def ranges(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """``sizes[0]`` numbers from ``starts[0]`` on, then ``sizes[1]`` from ``starts[1]`` on ..."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - ends + sizes, sizes)
