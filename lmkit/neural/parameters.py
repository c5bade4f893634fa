"""One flat vector that holds all weights of a network, with named views into it.

Clipping is then one dot product, an optimizer one loop, a checkpoint one array.
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
        self.views = self.views_of(self.flat)

    @property
    def count(self) -> int:
        """Number of weights, without the gaps."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def views_of(self, flat: Array) -> Weights:
        """Named views into another vector [P] of the same layout."""
        return {
            name: flat[start : start + math.prod(shape)].reshape(shape)
            for (name, shape), start in zip(
                self.shapes.items(), self._offsets.values(), strict=True
            )
        }

    def empty_like(self) -> Array:
        """A vector [P] of zeros with this layout, such as a gradient."""
        return self._xp.zeros_like(self.flat)

    def owner(self, index: int) -> str:
        """Name of the weight that holds entry ``index`` of the vector."""
        return max(
            (name for name, start in self._offsets.items() if start <= index),
            key=lambda name: self._offsets[name],
        )
