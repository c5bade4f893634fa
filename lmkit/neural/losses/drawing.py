"""What the sampled softmax and noise-contrastive estimation share: tokens drawn from the unigrams.

In training a few ``samples`` tokens, drawn once for all positions of a stretch, stand for the whole
vocabulary; in use the softmax is the exact one (`FullSoftmax`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lmkit.errors import UsageError
from lmkit.model import BOS
from lmkit.neural.arrays import Array
from lmkit.neural.losses.full import FullSoftmax


class DrawingSoftmax(FullSoftmax):
    """``samples``: how many tokens are drawn; ``counts`` [V]: the unigram counts, which the
    backend gives. ``q`` [V] is what they are drawn from: the counts to the power `flattened`."""

    options = ("samples", "counts")
    flattened: ClassVar[float] = 1.0

    def __init__(
        self, *arguments: Any, samples: int = 1024, counts: Any = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        if samples < 1:
            raise UsageError(f"samples must be at least 1, not {samples}")
        self.samples = samples
        q = np.ones(self.vocabulary) if counts is None else np.asarray(counts, np.float64) + 0.5
        q = q**self.flattened
        q[BOS] = 0
        self.q = q / q.sum()
        self._cumulative = np.cumsum(self.q)

    @classmethod
    def fit_options(cls, counts: Array, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "counts": [float(count) for count in counts]}

    def drawn(self, generator: np.random.Generator) -> Array:
        """``samples`` tokens drawn from q, in the order of drawing."""
        tokens = np.searchsorted(self._cumulative, generator.random(self.samples), side="right")
        return np.minimum(tokens, self.vocabulary - 1)
