"""How attention learns where a token stands.

Relative kinds work inside each attention layer: `Relative` (none at all), `Rotary` (Su et al.
2021), `ALiBi` (Press et al. 2022) and `Buckets` (T5: Raffel et al. 2020). Absolute ones are layers
that add a vector to the word vectors: `Sinusoidal` (Vaswani et al. 2017) and `Learnt`, which ends
where its vectors end.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array, Weights
from lmkit.neural.initialisation import normal
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.layers.compose import swapped
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State

BASE = 10_000.0
"""Wavelengths go from 2 pi steps to nearly so many times as long."""


@cache
def _rates(count: int) -> NDArray[np.float64]:
    """By how much each of ``count`` angles grows with a step; not to be changed."""
    return BASE ** (-np.arange(count) / count)


class Relative:
    """Positions within an attention layer of ``heads``. This kind has none: what is read looks the
    same in any order, but for what lies behind it."""

    learns: ClassVar[bool] = False
    """Whether what `by_distance` gives has weights."""

    def __init__(self, heads: int, prefix: str = "") -> None:
        self.heads = heads
        self.prefix = prefix

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights that the positions need, by full name."""
        return {}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """Set the first weights."""

    def turn(self, x: Array, first: NDArray[np.int64], back: bool = False) -> None:
        """Turn queries or keys ``x`` [..., K, B, T] in place, whose first steps are the ``first``
        [B] of their streams; ``back``: the other way, as gradients are."""

    def by_distance(self, weights: Weights, count: int, dtype: np.dtype) -> Array | None:
        """What is added to the scores of a key that lies 0, 1, ... ``count`` - 1 steps back:
        [heads, count]; None: nothing."""
        return None

    def learn(self, gradients: Gradients, slopes: Array) -> None:
        """Add the gradients of the weights, from those of what `by_distance` gave."""


class Rotary(Relative):
    """Pairs of features of queries and keys are turned by angles that grow with the position, so
    that a score knows the distance: Su et al. 2021. The first half of a head's features are paired
    with the second."""

    def turn(self, x: Array, first: NDArray[np.int64], back: bool = False) -> None:
        half = x.shape[-3] // 2
        rates = _rates(half)
        # Streams that stand at the same place share their angles.
        starts = first[:1] if (first == first[0]).all() else first
        places = starts[:, None] + np.arange(x.shape[-1])
        angles = rates[:, None, None] * places
        cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
        if back:
            sin = -sin
        a, b = x[..., :half, :, :], x[..., half:, :, :]
        turned = a * cos
        turned -= b * sin
        b *= cos
        b += a * sin
        a[...] = turned


class ALiBi(Relative):
    """Scores fall with the distance, at a slope of its own for each head: Press et al. 2022."""

    def by_distance(self, weights: Weights, count: int, dtype: np.dtype) -> Array | None:
        return (-alibi_slopes(self.heads)[:, None] * np.arange(count)).astype(dtype)


class Buckets(Relative):
    """A learnt number for each head and distance: 16 distances by themselves, longer ones in 16
    buckets that grow up to 128 steps. ``<prefix>buckets`` [heads, 32]."""

    learns = True
    exact, count, longest = 16, 32, 128

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {f"{self.prefix}buckets": (self.heads, self.count)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """All distances alike."""
        weights[f"{self.prefix}buckets"][...] = 0

    def _of(self, distances: int) -> NDArray[np.int64]:
        """The buckets of the distances 0, 1, ..."""
        d = np.arange(distances)
        ratio = np.log(np.maximum(d, 1) / self.exact) / math.log(self.longest / self.exact)
        far = self.exact + (ratio * (self.count - self.exact)).astype(np.int64)
        return np.where(d < self.exact, d, np.minimum(far, self.count - 1))

    def by_distance(self, weights: Weights, count: int, dtype: np.dtype) -> Array | None:
        return weights[f"{self.prefix}buckets"][:, self._of(count)]

    def learn(self, gradients: Gradients, slopes: Array) -> None:
        places = self._of(slopes.shape[1])
        total = np.zeros((self.heads, self.count), slopes.dtype)
        np.add.at(total.T, places, slopes.T)
        gradients.add(f"{self.prefix}buckets", total)


def alibi_slopes(heads: int) -> NDArray[np.float64]:
    """The slopes of ALiBi's ``heads``: a geometric series from 2^(-8 / H); where H is no power of
    two, that of the next smaller power, and every second one of twice as many."""
    power = 1 << (heads.bit_length() - 1)
    slopes = np.exp2(-8.0 / power * np.arange(1, power + 1), dtype=np.float64)
    if power == heads:
        return slopes
    return np.concatenate((slopes, alibi_slopes(2 * power)[::2][: heads - power]))


class Absolute(Layer):
    """Adds to each column [D] a vector of its place. The state is how many steps each stream has
    read [1, B]."""

    def __init__(self, size: int) -> None:
        self.size = size

    def start(self, streams: int, dtype: DTypeLike) -> State:
        return (np.zeros((1, streams), np.int64),)

    @abstractmethod
    def vectors(self, weights: Weights, places: NDArray[np.int64], dtype: np.dtype) -> Array:
        """The vectors [D, N] of ``places`` [N]."""

    def learn(self, places: NDArray[np.int64], dy: Array, gradients: Gradients) -> None:
        """Add the gradients of the weights."""

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State
    ) -> tuple[Array, State, Backward]:
        """See `Layer.forward`; x and y [D, N]."""
        (read,) = state
        stepwise = (read + np.arange(pass_.steps)[:, None]).reshape(1, -1)
        places = (swapped(stepwise, pass_.steps) if pass_.by_stream else stepwise)[0]

        def backward(dy: Array, gradients: Gradients) -> Array:
            self.learn(places, dy, gradients)
            return dy

        return x + self.vectors(weights, places, x.dtype), (read + pass_.steps,), backward


class Sinusoidal(Absolute):
    """Sines (first half of the features) and cosines of the place: Vaswani et al. 2017."""

    def vectors(self, weights: Weights, places: NDArray[np.int64], dtype: np.dtype) -> Array:
        half = -(-self.size // 2)
        angles = _rates(half)[:, None] * places
        return np.concatenate((np.sin(angles), np.cos(angles)))[: self.size].astype(dtype)


class Learnt(Absolute):
    """A vector for each of the first ``count`` places: ``name`` [count, D].

    `forward` raises `UsageError` for a text that goes on past them.
    """

    def __init__(self, size: int, count: int, name: str) -> None:
        super().__init__(size)
        self.count = count
        self.name = name

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.name: (self.count, self.size)}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        """As GPT-2's."""
        normal(weights[self.name], generator, 0.02)

    def vectors(self, weights: Weights, places: NDArray[np.int64], dtype: np.dtype) -> Array:
        if len(places) and places.max() >= self.count:
            raise UsageError(
                f"the positions are learnt for {self.count} tokens, and the text goes on",
                "a model trained with --positions rotary or alibi",
            )
        return weights[self.name][places].T

    def learn(self, places: NDArray[np.int64], dy: Array, gradients: Gradients) -> None:
        total = np.zeros((self.count, self.size), dy.dtype)
        np.add.at(total, places, dy.T)
        gradients.add(self.name, total)
