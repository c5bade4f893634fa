"""First weights, as the literature has them.

``uniform``: Glorot and Bengio 2010, the range given. ``orthogonal``: Saxe et al. 2014, for the
recurrent matrices, so that a state keeps its length over many steps.
"""

from __future__ import annotations

import numpy as np

from lmkit.neural.arrays import Array


def uniform(view: Array, generator: np.random.Generator, bound: float) -> None:
    """Fill ``view`` with draws from [-bound, bound)."""
    view[...] = generator.uniform(-bound, bound, view.shape)


def normal(view: Array, generator: np.random.Generator, deviation: float) -> None:
    """Fill ``view`` with normal draws of that standard ``deviation``, as GPT-2's (Radford et al.
    2019)."""
    view[...] = deviation * generator.standard_normal(view.shape)


def glorot(view: Array, generator: np.random.Generator, blocks: int = 1) -> None:
    """Fill a matrix [rows, columns] of ``blocks`` stacked ones, each with Glorot's range."""
    rows, columns = view.shape
    uniform(view, generator, float(np.sqrt(6.0 / (rows / blocks + columns))))


def orthogonal(view: Array, generator: np.random.Generator) -> None:
    """Fill [k * H, H] with k random orthogonal matrices."""
    size = view.shape[1]
    for start in range(0, len(view), size):
        factor, triangle = np.linalg.qr(generator.standard_normal((size, size)))
        # The signs make the draw uniform over all orthogonal matrices.
        view[start : start + size] = factor * np.sign(np.diag(triangle))


def unigram_log_counts(view: Array, counts: Array) -> None:
    """Fill an output bias [V] with log relative frequencies, so that an untrained network
    already is a unigram model."""
    smoothed = np.asarray(counts, np.float64) + 0.5
    view[...] = np.log(smoothed / smoothed.sum())
