"""Noise-contrastive estimation: Gutmann and Hyvarinen 2012; for language models Mnih and Teh 2012.

The network learns to tell each target y from k noise tokens x_1 .. x_k, drawn from the unigram
distribution q. With the score s(w) = w h + b, which stands for log p(w | h) itself, as if its sum
over the vocabulary were one already,

    loss = -log sigma(s(y) - log k q(y)) - sum_j log sigma(log k q(x_j) - s(x_j))

The noise is drawn once for all positions of a stretch, so that its scores are one matrix product.
The loss is no cross-entropy, so its exponential is no perplexity. In use the softmax is the exact,
normalised one over all tokens.

Shapes: h [H, N], targets [N], scores of the R distinct noise tokens [R, N].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.losses.drawing import DrawingSoftmax
from lmkit.neural.losses.targets import Targets
from lmkit.neural.parameters import Gradients, summed


class NoiseContrastive(DrawingSoftmax):
    """``samples``: k; ``counts`` [V]: the unigram counts, which the backend gives."""

    name = "nce"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        with np.errstate(divide="ignore"):
            self._log_kq = np.log(self.samples * self.q)

    def noise(self, generator: np.random.Generator) -> tuple[Array, Array]:
        """The distinct tokens [R] among k draws from q, ascending, and how often each was drawn."""
        return np.unique(self.drawn(generator), return_counts=True)

    def train(
        self,
        weights: Weights,
        h: Array,
        targets: Targets,
        gradients: Gradients,
        generator: np.random.Generator,
    ) -> tuple[Array, Array]:
        """See `Softmax.train`; the losses are those above. No label smoothing."""
        if not targets.hard:
            raise UsageError(
                "noise-contrastive estimation has neither label smoothing nor a teacher",
                "the full softmax",
            )
        noise, times = self.noise(generator)
        w, b = weights[self.embedding], weights["output.b"]
        log_kq = self._log_kq.astype(h.dtype)
        ids, scales = targets.ids, targets.scales_as(h.dtype)
        # Log odds of being noise, not text: of each target, of the noise at each position.
        own, w_own = log_kq[ids] - b[ids], w[ids].T
        own -= (w_own * h).sum(axis=0)
        w_noise = w[noise]
        others = np.matmul(w_noise, h)
        others += (b - log_kq)[noise, None]
        times = times.astype(h.dtype)
        losses = _softplus(own) + times @ _softplus(others)
        d_own = -scales * _sigmoid(own)
        d_others = _sigmoid(others)
        d_others *= times[:, None]
        d_others *= scales
        self._add(gradients, noise, d_others, ids, d_own, h)
        return losses, w_own * d_own + np.matmul(w_noise.T, d_others)

    def _add(
        self,
        gradients: Gradients,
        noise: Array,
        d_others: Array,
        ids: Array,
        d_own: Array,
        h: Array,
    ) -> None:
        """The gradients of the output vectors and of the bias, from those of the scores."""
        gradients.add_rows(self.embedding, noise, np.matmul(d_others, h.T))
        gradients.add_rows("output.b", noise, d_others.sum(axis=1))
        gradients.add_rows(self.embedding, *summed(ids, (h * d_own).T))
        gradients.add_rows("output.b", *summed(ids, d_own))


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), from tanh, which overflows nowhere."""
    result = np.tanh(x * x.dtype.type(0.5))
    result += 1
    result *= x.dtype.type(0.5)
    return result


def _softplus(x: Array) -> Array:
    """log(1 + exp(x)) = -log sigma(-x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
