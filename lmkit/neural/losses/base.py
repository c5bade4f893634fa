"""What an output layer is: from the last hidden vectors to probabilities and gradients.

``h`` is [H, N], ``targets`` are N. ``<s>`` is never predicted: its probability is zero. Whatever a
layer does in training, `log_prob` and `log_probs` are the exact, normalised distribution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from lmkit.neural.arrays import Array, Weights, check_options
from lmkit.neural.losses.targets import Targets
from lmkit.neural.losses.unnormalised import WHOLE
from lmkit.neural.parameters import Gradients


class Softmax(ABC):
    """An output layer over ``V`` tokens, reading ``H`` features.

    ``embedding`` names the matrix [V, H] of output vectors: the word vectors' own where the two
    are tied.
    """

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    can_tie: ClassVar[bool] = True

    def __init__(
        self,
        vocabulary: int,
        features: int,
        embedding: str = "output.w",
        **options: Any,
    ) -> None:
        check_options("softmax", self.name, options, self.options)
        self.vocabulary = vocabulary
        self.features = features
        self.embedding = embedding

    @classmethod
    def fit_options(cls, counts: Array, options: dict[str, Any]) -> dict[str, Any]:
        """``options`` with what the layer must know of the unigram ``counts`` [V]: JSON values."""
        return dict(options)

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights, the matrix ``embedding`` among them."""

    @abstractmethod
    def initialise(self, weights: Weights, counts: Array, generator: np.random.Generator) -> None:
        """Set the first weights, biases from the unigram ``counts`` [V]."""

    @abstractmethod
    def train(
        self,
        weights: Weights,
        h: Array,
        targets: Targets,
        gradients: Gradients,
        generator: np.random.Generator,
    ) -> tuple[Array, Array]:
        """Losses [N] in nats, and the gradient [H, N] of ``sum(scales * losses)``; those of the
        weights are added to ``gradients``.

        The losses are those of smoothed targets, and leave soft ones out. Raises `UsageError` for
        targets that the layer cannot learn from.
        """

    @abstractmethod
    def log_prob(self, weights: Weights, h: Array, targets: Array) -> Array:
        """log p of ``targets`` [N]: [N]."""

    @abstractmethod
    def log_probs(self, weights: Weights, h: Array) -> Array:
        """log p of every token: [N, V]; -inf for ``<s>``."""

    def log_probs_of(self, weights: Weights, h: Array, tokens: Array) -> Array:
        """log p of the ``tokens`` [N, K]: [N, K]."""
        found = np.empty(tokens.shape, h.dtype)
        columns = max(1, WHOLE // self.vocabulary)
        for start in range(0, len(tokens), columns):
            here = slice(start, start + columns)
            every = self.log_probs(weights, h[:, here])
            found[here] = np.take_along_axis(every, tokens[here], axis=1)
        return found
