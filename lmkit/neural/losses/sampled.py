"""Sampled softmax: Bengio and Senecal 2008, in the form of Jean et al. 2015.

In training the sum over all tokens is estimated from ``samples`` tokens, drawn once for all
positions of a stretch from a flattened unigram distribution: each logit, the target's too, is
lowered by the log of the probability that its token is among the sample. In use the softmax is
the exact one over all tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.losses.drawing import DrawingSoftmax
from lmkit.neural.losses.targets import Targets
from lmkit.neural.parameters import Gradients

FLATTENED = 0.75
"""Exponent of the unigram counts (Mikolov et al. 2013)."""


class SampledSoftmax(DrawingSoftmax):
    """``samples``: how many tokens are drawn; ``counts`` [V]: the unigram counts, which the
    backend gives."""

    name = "sampled"
    flattened = FLATTENED

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._log_expected = self._log_inclusion(self.q)

    def _log_inclusion(self, q: Array) -> Array:
        """log of the probability [V] that a token is drawn at least once."""
        with np.errstate(divide="ignore"):
            return np.log(-np.expm1(self.samples * np.log1p(-q)))

    def train(
        self,
        weights: Weights,
        h: Array,
        targets: Targets,
        gradients: Gradients,
        generator: np.random.Generator,
    ) -> tuple[Array, Array]:
        """See `Softmax.train`; the losses are those of the estimate. No label smoothing."""
        if not targets.hard:
            raise UsageError(
                "a sampled softmax has neither label smoothing nor a teacher", "the full softmax"
            )
        drawn = self.drawn(generator)
        rows, places = np.unique(np.concatenate((targets.ids, drawn)), return_inverse=True)
        ids, columns = places[: len(targets)], np.arange(len(targets))
        is_drawn = np.zeros(len(rows), bool)
        is_drawn[places[len(targets) :]] = True
        w = weights[self.embedding][rows]
        b = weights["output.b"][rows] - self._log_expected[rows].astype(h.dtype)
        e = np.matmul(w, h) + b[:, None]
        logits = e[ids, columns]
        # What is only a target counts for the positions that it is the target of.
        e[~is_drawn] = -np.inf
        e[ids, columns] = logits
        shift = e.max(axis=0)
        e -= shift
        np.exp(e, out=e)
        sums = e.sum(axis=0)
        losses = np.log(sums) + shift - logits
        e[ids, columns] -= sums
        e *= targets.scales_as(h.dtype) / sums
        gradients.add_rows("output.b", rows, e.sum(axis=1))
        gradients.add_rows(self.embedding, rows, np.matmul(e, h.T))
        return losses, np.matmul(w.T, e)
