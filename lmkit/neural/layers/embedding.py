"""Word vectors: a row of a matrix [V, D] for each token."""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import uniform
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.parameters import Gradients, summed
from lmkit.neural.tree import State

FEW = 300
"""Up to so many words a product with one-hot vectors adds gradients up faster than sorting."""


class Embedding(Layer):
    """Looks up the vectors ``name`` [V, D] of token ids.

    The softmax may have the same matrix (Press and Wolf 2017). ``scale`` multiplies what is looked
    up: output vectors want about unit length, inputs entries of about unit size.
    """

    def __init__(self, name: str, vocabulary: int, size: int, scale: float = 1.0) -> None:
        self.name = name
        self.vocabulary = vocabulary
        self.size = size
        self.scale = scale

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.name: (self.vocabulary, self.size)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """What is looked up has variance one, however the vectors are scaled: smaller inputs cost
        the first half of a short training."""
        uniform(weights[self.name], generator, 3.0**0.5 / self.scale)

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State = ()
    ) -> tuple[Array, State, Backward]:
        """Vectors [D, N] of the ids ``x`` [N]. Ids have no gradient: what the backward pass
        returns is empty."""
        rows = weights[self.name][x]
        words = pass_.noise.words(self.vocabulary, rows.dtype)
        factors = self.scale if words is None else self.scale * words[x][:, None]
        rows *= factors

        def backward(dy: Array, gradients: Gradients) -> Array:
            changes = np.ascontiguousarray(dy.T) * factors
            if self.vocabulary <= FEW:
                every = np.arange(self.vocabulary)
                product = one_hot(x, self.vocabulary, changes.dtype) @ changes
                gradients.add_rows(self.name, every, product)
            else:
                gradients.add_rows(self.name, *summed(x, changes))
            return dy[:0]

        return np.ascontiguousarray(rows.T), (), backward


def one_hot(ids: Array, size: int, dtype: np.dtype) -> Array:
    """[size, N] with a one in each column, at its id."""
    matrix = np.zeros((size, len(ids)), dtype)
    matrix[ids, np.arange(len(ids))] = 1
    return matrix
