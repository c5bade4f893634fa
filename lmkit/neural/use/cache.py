"""The continuous cache: Grave, Joulin and Usunier 2017, "Improving neural language models with a
continuous cache".

    p(w | t) = (1 - weight) p_network(w | t) + weight p_cache(w | t)
    p_cache(w | t) is proportional to the sum of exp(flatness cos(h_t, h_i)) over the i < t, among
    the last ``size``, that were followed by w

h [H] is what the softmax reads. The paper has the product h_t . h_i; with the cosine one flatness
suits networks of any scale, and the best mixture is a little better. Words that were used before
get likelier when the network is in a similar state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array

WINDOW = 256
"""Positions that are looked up at once."""
TINY = 1e-30
"""A flatness of zero would make zero times minus infinity of what is not in the cache."""
WEIGHT, FLATNESS = 0.2, 11.0
"""Good on running text of articles; `lmkit.neural.use.cache_fitting` finds better ones for a
text."""


class Cache:
    """The last ``size`` states of a running text and the tokens that followed them."""

    def __init__(
        self, size: int = 2000, weight: float = WEIGHT, flatness: float = FLATNESS
    ) -> None:
        if size < 1:
            raise UsageError(f"a cache holds at least 1 token, not {size}", "2000")
        if not 0 <= weight < 1:
            raise UsageError(f"cache weight must be at least 0 and below 1, not {weight}", "0.2")
        if not flatness >= 0:
            raise UsageError(f"cache flatness must be at least 0, not {flatness}", "11")
        self.size, self.weight, self.flatness = size, weight, flatness
        self._states: Array | None = None
        self._followers = np.empty(0, np.int32)

    def mix(
        self, log_probs: NDArray[np.float64], h: Array, targets: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """log p [N] of ``targets`` with the cache, from the network's ``log_probs`` [N] and the
        states ``h`` [H, N] that predict them; all of them are in the cache afterwards."""
        (part,), some = self.parts(h, targets, [self.flatness])
        weight = np.where(some, self.weight, 0.0)
        with np.errstate(divide="ignore"):
            return np.logaddexp(np.log1p(-weight) + log_probs, np.log(weight * part))

    def parts(
        self, h: Array, targets: NDArray[np.int32], flatnesses: Sequence[float]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """p_cache [F, N] of ``targets`` at each of F flatnesses, and at which [N] of them there
        is a cache at all: an empty one has no say. ``h`` is in the cache afterwards."""
        found = np.empty((len(flatnesses), len(targets)))
        some = np.arange(len(targets)) + len(self._followers) > 0
        for start in range(0, len(targets), WINDOW):
            here = slice(start, start + WINDOW)
            found[:, here] = self._window(h[:, here], targets[here], flatnesses)
        return found, some

    def _window(
        self, h: Array, targets: NDArray[np.int32], flatnesses: Sequence[float]
    ) -> NDArray[np.float64]:
        h = h / np.maximum(np.sqrt((h * h).sum(axis=0)), h.dtype.type(TINY))
        if self._states is None:
            self._states = h[:, :0]
        before, count = len(self._followers), len(targets)
        states = np.concatenate((self._states, h), axis=1)
        followers = np.concatenate((self._followers, targets))
        age = before + np.arange(count)[:, None] - np.arange(before + count)
        likeness = h.T @ states
        likeness[(age <= 0) | (age > self.size)] = -np.inf
        likeness -= likeness.max(axis=1, keepdims=True, initial=-1e30)
        same = followers == targets[:, None]
        found = np.zeros((len(flatnesses), count))
        for k, flatness in enumerate(flatnesses):
            weights = np.exp(h.dtype.type(max(flatness, TINY)) * likeness)
            total = weights.sum(axis=1, dtype=np.float64)
            mine = np.einsum("ij,ij->i", weights, same, dtype=np.float64)
            np.divide(mine, total, out=found[k], where=total > 0)
        self._states, self._followers = states[:, -self.size :], followers[-self.size :]
        return found
