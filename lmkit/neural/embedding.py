"""Word vectors: a row of a matrix [V, D] for each token."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.parameters import Gradients, summed

FEW = 300
"""Up to so many words a product with one-hot vectors adds gradients up faster than sorting."""


class Embedding:
    """Looks up the vectors ``name`` [V, D] of token ids.

    The softmax may have the same matrix (Press and Wolf 2017). ``scale`` multiplies what is looked
    up: output vectors want about unit length, inputs entries of about unit size.
    """

    def __init__(self, name: str, scale: float = 1.0) -> None:
        self.name = name
        self.scale = scale

    def forward(
        self, weights: Weights, ids: Array, words: Array | None = None
    ) -> tuple[Array, Callable[[Array, Gradients], None]]:
        """Vectors [D, N] of ``ids`` [N], each times its word's factor in ``words`` [V]; the
        backward takes the gradient [D, N]."""
        rows = weights[self.name][ids]
        factors = self.scale if words is None else self.scale * words[ids][:, None]
        rows *= factors

        def backward(dx: Array, gradients: Gradients) -> None:
            changes = np.ascontiguousarray(dx.T) * factors
            size = len(weights[self.name])
            if size <= FEW:
                found = np.arange(size), one_hot(ids, size, changes.dtype) @ changes
            else:
                found = summed(ids, changes)
            gradients.add_rows(self.name, *found)

        return np.ascontiguousarray(rows.T), backward


def one_hot(ids: Array, size: int, dtype: np.dtype) -> Array:
    """[size, N] with a one in each column, at its id."""
    matrix = np.zeros((size, len(ids)), dtype)
    matrix[ids, np.arange(len(ids))] = 1
    return matrix
