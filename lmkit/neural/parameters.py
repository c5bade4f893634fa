"""One flat vector that holds all weights of a network, with named views into it.

Clipping is then one dot product, an optimizer one loop, a checkpoint one array. Of a matrix of word
vectors most rows have no gradient in a step; `Gradients` remembers which have one, so that the
others need not be set to zero, added up or squared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import ModuleType

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array, Weights

ALIGNMENT = 16
"""Every view starts at a multiple of so many entries: a cache line of float32."""


class Gradients(Weights):
    """Named views of a vector of gradients. ``rows`` has, by name, the ascending rows of a matrix
    that may be other than zero; matrices that it does not name were written as a whole."""

    def __init__(self, views: Weights) -> None:
        super().__init__(views)
        self.rows: dict[str, Array] = {}


def blank(gradients: Weights, name: str) -> Array:
    """The matrix ``name`` all zero; what is written then must be told to `touch`."""
    matrix = gradients[name]
    if isinstance(gradients, Gradients):
        matrix[gradients.rows.get(name, slice(None))] = 0
        gradients.rows[name] = np.empty(0, np.int64)
    else:
        matrix[...] = 0
    return matrix


def touch(gradients: Weights, name: str, rows: Array) -> None:
    """Remember that ``rows`` of ``name`` were written, if only rows of it were."""
    if isinstance(gradients, Gradients) and name in gradients.rows:
        gradients.rows[name] = np.union1d(gradients.rows[name], rows)


class Parameters:
    """Weights of the given ``shapes``, all zero at first.

    ``flat`` [P] is the vector, ``views`` the weights by name. Gaps of alignment stay zero.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: DTypeLike = np.float32,
        xp: ModuleType = np,
    ) -> None:
        self.shapes = dict(shapes)
        self._xp = xp
        self._offsets: dict[str, int] = {}
        size = 0
        for name, shape in self.shapes.items():
            self._offsets[name] = size
            size += -(-math.prod(shape) // ALIGNMENT) * ALIGNMENT
        self.flat = xp.zeros(size, dtype)
        self.views: Weights = self.views_of(self.flat)

    @property
    def count(self) -> int:
        """Number of weights, without the gaps."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def views_of(self, flat: Array) -> Gradients:
        """Named views into another vector [P] of the same layout."""
        return Gradients(
            {name: flat[self.place(name)].reshape(self.shapes[name]) for name in self.shapes}
        )

    def place(self, name: str) -> slice:
        """Where in the vector the weight ``name`` is."""
        start = self._offsets[name]
        return slice(start, start + math.prod(self.shapes[name]))

    def empty_like(self) -> Array:
        """A vector [P] of zeros with this layout, such as a gradient."""
        return self._xp.zeros_like(self.flat)

    def owner(self, index: int) -> str:
        """Name of the weight that holds entry ``index`` of the vector."""
        return max(
            (name for name, start in self._offsets.items() if start <= index),
            key=lambda name: self._offsets[name],
        )
