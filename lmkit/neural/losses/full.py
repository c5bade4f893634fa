"""The softmax over all tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.model import BOS
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import uniform, unigram_log_counts
from lmkit.neural.losses.base import Softmax
from lmkit.neural.losses.targets import Targets
from lmkit.neural.losses.unnormalised import Unnormalised
from lmkit.neural.parameters import Gradients


class FullSoftmax(Softmax):
    """Weights: the output vectors [V, H] and ``output.b`` [V]."""

    name = "full"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.exact = Unnormalised(BOS)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.embedding: (self.vocabulary, self.features), "output.b": (self.vocabulary,)}

    def initialise(self, weights: Weights, counts: Array, generator: np.random.Generator) -> None:
        if self.embedding == "output.w":
            uniform(weights["output.w"], generator, self.features**-0.5)
        unigram_log_counts(weights["output.b"], counts)

    def train(
        self,
        weights: Weights,
        h: Array,
        targets: Targets,
        gradients: Gradients,
        generator: np.random.Generator,
    ) -> tuple[Array, Array]:
        return self.exact.train(
            weights[self.embedding],
            weights["output.b"],
            h,
            targets,
            gradients,
            (self.embedding, "output.b"),
        )

    def log_prob(self, weights: Weights, h: Array, targets: Array) -> Array:
        return self.exact.log_prob(weights[self.embedding], weights["output.b"], h, targets)

    def log_probs_of(self, weights: Weights, h: Array, tokens: Array) -> Array:
        return self.exact.log_probs_of(weights[self.embedding], weights["output.b"], h, tokens)

    def log_probs(self, weights: Weights, h: Array) -> Array:
        return self.exact.log_probs(weights[self.embedding], weights["output.b"], h)
