"""Word vectors: a row of a matrix [V, D] for each token."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

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

    def __init__(self, name: str, scale: float = 1.0, xp: ModuleType = np) -> None:
        self.name = name
        self.scale = scale
        self.xp = xp

    def forward(
        self, weights: Weights, ids: Array, words: Array | None = None
    ) -> tuple[Array, Callable[[Array, Gradients], None]]:
        """Vectors [D, N] of ``ids`` [N], each times its word's factor in ``words`` [V]; the
        backward takes the gradient [D, N]."""
        xp = self.xp
        rows = weights[self.name][ids]
        factors = self.scale if words is None else self.scale * words[ids][:, None]
        rows *= factors

        def backward(dx: Array, gradients: Gradients) -> None:
            changes = xp.ascontiguousarray(dx.T) * factors
            size = len(weights[self.name])
            if size <= FEW:
                found = np.arange(size), one_hot(ids, size, changes.dtype, xp) @ changes
            else:
                found = summed(ids, changes)
            gradients.add_rows(self.name, *found)

        return xp.ascontiguousarray(rows.T), backward


def one_hot(ids: Array, size: int, dtype: np.dtype, xp: ModuleType = np) -> Array:
    """[size, N] with a one in each column, at its id."""
    matrix = xp.zeros((size, len(ids)), dtype)
    matrix[ids, xp.arange(len(ids))] = 1
    return matrix
