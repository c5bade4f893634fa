"""The best ways to cut stretches of letters, by the prices of single parts.

A forward and a backward pass over all stretches in step (Viterbi), so that parts that are on no
way near the best one are left out before the search asks the source model about them. ``n`` is the
number of letters of all stretches behind each other, ``L`` the longest part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Ways:
    """``price`` [L + 1, n]: log of what the part of each length that begins at each letter is
    worth, -inf where there is none; ``room`` [n]: letters from each to the end of its stretch."""

    def __init__(self, price: NDArray[np.floating], room: NDArray[np.int64]) -> None:
        begins = np.ones(len(room), bool)
        begins[1:] = room[1:] >= room[:-1]
        number = np.cumsum(begins) - 1
        # A stretch has a node more than letters.
        self._node = np.arange(len(room)) + number
        first = np.flatnonzero(begins)
        first = first[np.argsort(-room[first], kind="stable")]
        size, origin = room[first], self._node[first]
        self._ahead = np.full(len(room) + len(first), -np.inf)
        self._ahead[origin] = 0.0
        self._behind = np.full(len(room) + len(first), -np.inf)
        self._behind[origin + size] = 0.0
        longest = int(size[0])
        going = np.searchsorted(-size, -np.arange(longest + 1), side="right").tolist()
        lengths = np.arange(1, len(price))[:, None]
        for place in range(1, longest + 1):
            letter, node = first[: going[place]] + place, origin[: going[place]] + place
            back = lengths[:place]
            ways = self._ahead[node - back] + price[back, letter - back]
            self._ahead[node] = ways.max(0)
        for place in range(longest - 1, -1, -1):
            letter, node = first[: going[place + 1]] + place, origin[: going[place + 1]] + place
            to = np.minimum(node + lengths, len(self._behind) - 1)
            self._behind[node] = (price[lengths, letter] + self._behind[to]).max(0)
        best = np.empty(len(first))
        best[number[first]] = self._ahead[origin + size]
        self._best = best[number]

    def behind_best(
        self,
        start: NDArray[np.int64],
        length: NDArray[np.int64] | int,
        price: NDArray[np.floating] | float,
    ) -> NDArray[np.float64]:
        """How far behind the best way through its stretch the best one through a part is, where
        that part is worth ``price``: at most 0, if it is among those that were given."""
        node = self._node[start]
        return self._ahead[node] + price + self._behind[node + length] - self._best[start]
