"""The last tokens of hypotheses: what makes them alike for a model whose states have no keys.

Two streams that a network has read differ for ever, so that no hypotheses would recombine and the
beam be full of histories that differ far back. The last few tokens tell next to all (Liu et al.
2014, "Efficient lattice rescoring using recurrent neural network language models").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.model import BOS
from lmkit.text.growing import GrowingArray

ALIKE = 4
"""So many tokens make hypotheses alike."""


class LastTokens:
    """Of numbered hypotheses, from 0 on."""

    def __init__(self) -> None:
        self._tokens = GrowingArray(np.int64)

    def begin(self, hypotheses: int) -> None:
        """As many more hypotheses that have read nothing, or will read no more."""
        self.extend(np.full((hypotheses, ALIKE), BOS))

    def extend(self, last: NDArray[np.int64]) -> None:
        """More hypotheses with their ``last`` tokens [n, ALIKE]."""
        self._tokens.extend(last.reshape(-1))

    def after(self, hypotheses: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """The last tokens [n, ALIKE] once each of ``hypotheses`` [n] has read one of ``tokens``."""
        before = self._tokens.values.reshape(-1, ALIKE)[hypotheses, 1:]
        return np.concatenate((before, tokens[:, None]), axis=1)
