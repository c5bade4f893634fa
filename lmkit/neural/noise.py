"""Dropout and its variants. Masks hold 0 or 1 / keep, so that nothing changes in use.

- Zaremba et al. 2014: on what passes between layers, a fresh mask at every step;
- Gal and Ghahramani 2016 (variational, or locked): one mask for a whole sequence, on the inputs
  and on the state that is read;
- embedding dropout (the same): whole words lose their vector;
- weight dropping (Merity et al. 2018): entries of the recurrent matrix, once a sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array

LEVELS = 1 << 16
"""A rate is rounded to a multiple of 1/65536: two random bytes decide an entry."""


def mask(
    shape: tuple[int, ...],
    rate: float,
    generator: np.random.Generator,
    dtype: np.dtype,
) -> Array:
    """Zeros at ``rate``, elsewhere 1 / (1 - rate)."""
    limit = round(rate * LEVELS)
    kept = generator.integers(0, LEVELS, shape, np.uint16) >= limit
    return kept * dtype.type(LEVELS / (LEVELS - limit))


@dataclass(frozen=True, slots=True)
class Dropout:
    """Rates, each from 0 (none) up to, not including, 1.

    ``inputs``: on the embeddings as they enter the first layer (None: as ``between``);
    ``between``: on what goes from layer to layer and into the softmax; ``embedding``: whole words;
    ``recurrent``: on the state that each step reads, one mask a sequence; ``weight``: on the
    recurrent matrices; ``variational``: one mask a sequence for the first two as well.
    """

    between: float = 0.0
    inputs: float | None = None
    embedding: float = 0.0
    recurrent: float = 0.0
    weight: float = 0.0
    variational: bool = False

    def __post_init__(self) -> None:
        for name in ("between", "inputs", "embedding", "recurrent", "weight"):
            rate = getattr(self, name)
            if rate is not None and not 0 <= rate < 1:
                raise UsageError(
                    f"dropout ({name}) must be at least 0 and below 1, not {rate}", "0.2"
                )


class Noise:
    """Draws the masks of one worker's share of one update."""

    def __init__(self, rates: Dropout, generator: np.random.Generator) -> None:
        self.rates = rates
        self._generator = generator

    def activations(self, x: Array, steps: int, rate: float | None = None) -> Array | None:
        """A mask for ``x`` [features, N], of ``x``'s shape or, locked, [features, 1, B]."""
        rate = self.rates.between if rate is None else rate
        if not rate:
            return None
        if self.rates.variational:
            return self._draw((len(x), 1, x.shape[1] // steps), rate, x.dtype)
        return self._draw(x.shape, rate, x.dtype)

    def inputs(self, x: Array, steps: int) -> Array | None:
        """A mask for the embeddings ``x`` [D, N]."""
        return self.activations(x, steps, self.rates.inputs)

    def words(self, vocabulary: int, dtype: np.dtype) -> Array | None:
        """A factor for each word [V]."""
        rate = self.rates.embedding
        return self._draw((vocabulary,), rate, dtype) if rate else None

    def state(self, hidden: int, batch: int, dtype: np.dtype) -> Array | None:
        """A mask for the state [H, B] that the steps of a sequence read."""
        rate = self.rates.recurrent
        return self._draw((hidden, batch), rate, dtype) if rate else None

    def recurrent_matrix(self, u: Array) -> Array | None:
        """A mask for a recurrent matrix."""
        return self._draw(u.shape, self.rates.weight, u.dtype) if self.rates.weight else None

    def _draw(self, shape: tuple[int, ...], rate: float, dtype: np.dtype) -> Array:
        return mask(shape, rate, self._generator, dtype)


SILENT = Noise(Dropout(), np.random.default_rng(0))
"""Draws no masks at all: for a network in use."""


def apply(x: Array, drop: Array, by_stream: bool = False) -> Array:
    """``x`` [features, N] times a mask of the same shape or [features, 1, B]; ``by_stream`` says
    that the steps of a stream lie side by side."""
    if drop.ndim == 2:
        return x * drop
    features, _, batch = drop.shape
    if by_stream:
        return (x.reshape(features, batch, -1) * drop.swapaxes(1, 2)).reshape(features, -1)
    return (x.reshape(features, -1, batch) * drop).reshape(features, -1)
