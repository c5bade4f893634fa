"""Word vectors: a row of a matrix [V, D] for each token."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.parameters import blank, touch

FEW = 300
"""Up to so many words a product with one-hot vectors adds gradients up faster than sorting."""


class Embedding:
    """Looks up the vectors ``name`` [V, D] of token ids.

    ``shared``: the softmax has the same matrix and writes its gradient first; this layer
    then adds to it (Press and Wolf 2017). ``scale`` multiplies what is looked up: output vectors
    want about unit length, inputs entries of about unit size.
    """

    def __init__(
        self, name: str, shared: bool = False, scale: float = 1.0, xp: ModuleType = np
    ) -> None:
        self.name = name
        self.shared = shared
        self.scale = scale
        self.xp = xp

    def forward(
        self, weights: Weights, ids: Array, words: Array | None = None
    ) -> tuple[Array, Callable[[Array, Weights], None]]:
        """Vectors [D, N] of ``ids`` [N], each times its word's factor in ``words`` [V]; the
        backward takes the gradient [D, N]."""
        xp = self.xp
        rows = weights[self.name][ids]
        factors = self.scale if words is None else self.scale * words[ids][:, None]
        rows *= factors

        def backward(dx: Array, gradients: Weights) -> None:
            changes = xp.ascontiguousarray(dx.T) * factors
            if not self.shared:
                blank(gradients, self.name)
            add_rows(gradients, self.name, ids, changes, xp)

        return xp.ascontiguousarray(rows.T), backward


def add_rows(gradients: Weights, name: str, ids: Array, rows: Array, xp: ModuleType = np) -> None:
    """``gradients[name][ids[n]] += rows[n]`` for all n, in a fixed order."""
    total = gradients[name]
    if len(total) <= FEW:
        total += one_hot(ids, len(total), rows.dtype, xp) @ rows
        touch(gradients, name, np.arange(len(total)))
        return
    order = xp.argsort(ids, kind="stable")
    ranked = ids[order]
    starts = xp.flatnonzero(xp.concatenate((xp.ones(1, bool), ranked[1:] != ranked[:-1])))
    total[ranked[starts]] += xp.add.reduceat(rows[order], starts, axis=0)
    touch(gradients, name, ranked[starts])


def one_hot(ids: Array, size: int, dtype: np.dtype, xp: ModuleType = np) -> Array:
    """[size, N] with a one in each column, at its id."""
    matrix = xp.zeros((size, len(ids)), dtype)
    matrix[ids, xp.arange(len(ids))] = 1
    return matrix
