"""One flat vector that holds all weights of a network, with named views into it.

Clipping is then one dot product, an optimizer one loop, a checkpoint one array. Of a matrix of word
vectors most rows have no gradient in a step; `Gradients` remembers which have one, so that the
others need not be set to zero, added up or squared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array, Weights

ALIGNMENT = 16
"""Every view starts at a multiple of so many entries: a cache line of float32."""


PIECE = 1 << 18
"""Entries of a product that are formed at once where it is added: 1 MiB of float32."""


class Gradients(Weights):
    """Named views of a vector of gradients, which the layers of a network add to.

    Between `begin` and `settle`, the first to touch a weight writes over what was there, and
    whoever comes later adds. So no layer needs to know which others have the same weights.

    ``rows`` has, by name, the ascending rows of a matrix that may be other than zero; matrices that
    it does not name were written as a whole.
    """

    def __init__(self, views: Weights) -> None:
        super().__init__(views)
        self.rows: dict[str, Array] = {}
        self._touched: set[str] = set()

    def begin(self) -> None:
        """Begin a step: what is there belongs to the one before."""
        self._touched.clear()

    def settle(self) -> None:
        """End a step: what no layer has touched has no gradient."""
        if len(self._touched) == len(self):
            return
        for name in self.keys() - self._touched:
            self[name][self.rows.get(name, slice(None))] = 0
            if name in self.rows:
                self.rows[name] = self.rows[name][:0]

    def add(self, name: str, a: Array) -> None:
        """Add ``a``, of the weight's shape or one that broadcasts to it."""
        view = self[name]
        if self._is_first(name):
            view[...] = a
        else:
            view += a

    def product(self, name: str, a: Array, b: Array, times: Array | None = None) -> None:
        """Add the matrix product ``a b``, entry by entry ``times`` a mask where one is given."""
        view = self[name]
        if self._is_first(name):
            np.matmul(a, b, out=view)
            if times is not None:
                view *= times
        elif times is not None:
            view += np.matmul(a, b) * times
        else:
            # Some rows at a time, so that the product never exists whole.
            height = max(16, PIECE // max(1, view[0].size))
            for start in range(0, len(view), height):
                piece = view[start : start + height]
                piece += np.matmul(a[start : start + height], b)

    def add_rows(self, name: str, rows: Array, values: Array) -> None:
        """Add ``values`` [R, ...] to the ``rows`` [R], ascending and distinct."""
        view = self[name]
        # All rows need no index, which costs more than the rows of a small vocabulary.
        whole = len(rows) == len(view)
        if name in self._touched:
            if whole:
                view += values
            else:
                view[rows] += values
            if name in self.rows:
                self.rows[name] = np.union1d(self.rows[name], rows)
            return
        self._touched.add(name)
        if whole:
            view[...] = values
        else:
            view[self.rows.get(name, slice(None))] = 0
            view[rows] = values
        if view.ndim > 1:
            self.rows[name] = rows

    def _is_first(self, name: str) -> bool:
        """Whether nobody has touched the weight in this step; from now on somebody has, in all its
        rows."""
        self.rows.pop(name, None)
        if name in self._touched:
            return False
        self._touched.add(name)
        return True


def summed(ids: Array, values: Array) -> tuple[Array, Array]:
    """The distinct ``ids`` [R], ascending, and for each the sum of its ``values`` [N, ...], in a
    fixed order."""
    order = np.argsort(ids, kind="stable")
    ranked = ids[order]
    starts = np.flatnonzero(np.concatenate((np.ones(1, bool), ranked[1:] != ranked[:-1])))
    return ranked[starts], np.add.reduceat(values[order], starts, axis=0)


class Parameters:
    """Weights of the given ``shapes``, all zero at first.

    ``flat`` [P] is the vector, ``views`` the weights by name. Gaps of alignment stay zero.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.shapes = dict(shapes)
        self._offsets: dict[str, int] = {}
        size = 0
        for name, shape in self.shapes.items():
            self._offsets[name] = size
            size += -(-math.prod(shape) // ALIGNMENT) * ALIGNMENT
        self.flat = np.zeros(size, dtype)
        self.views: Weights = self.views_of(self.flat)

    @property
    def count(self) -> int:
        """Number of weights, without the gaps."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def views_of(self, flat: Array) -> Weights:
        """Named views into another vector [P] of the same layout."""
        return {name: flat[self.place(name)].reshape(self.shapes[name]) for name in self.shapes}

    def gradients_of(self, flat: Array) -> Gradients:
        """The same for a vector of gradients."""
        return Gradients(self.views_of(flat))

    def place(self, name: str) -> slice:
        """Where in the vector the weight ``name`` is."""
        start = self._offsets[name]
        return slice(start, start + math.prod(self.shapes[name]))

    def empty_like(self) -> Array:
        """A vector [P] of zeros with this layout, such as a gradient."""
        return np.zeros_like(self.flat)

    def owner(self, index: int) -> str:
        """Name of the weight that holds entry ``index`` of the vector."""
        return max(
            (name for name, start in self._offsets.items() if start <= index),
            key=lambda name: self._offsets[name],
        )
