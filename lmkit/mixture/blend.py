"""How a mixture mixes: its weights, by classes of contexts, and its cache.

Sources of probability are the models, or for ``log-linear`` the one product of their powers, and
behind them those of a cache (`lmkit.mixture.cache.SOURCES`). ``K`` is the number of sources, ``V``
the size of the vocabulary. A place of a text is in one of ``C`` classes: that of its context,
which the last token decides, times that of its cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmkit.mixture.cache import CLASSES, Cache

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = ("linear", "by-context", "log-linear")


@dataclass(frozen=True, slots=True)
class Blend:
    """``weights`` [C, K], each row of which sums to one; ``powers``: of the models, for
    ``log-linear``; ``token_classes`` [V]: the class of contexts that end in each token, for
    ``by-context``."""

    kind: str
    weights: Floats
    cache: Cache | None = None
    powers: Floats | None = None
    token_classes: NDArray[np.int32] | None = None

    def with_weights(self, weights: Floats) -> Blend:
        return replace(self, weights=weights)

    @property
    def static(self) -> bool:
        """Whether the weights are the same everywhere."""
        return self.kind == "linear" and self.cache is None

    def context_classes(self, last: NDArray[np.integer]) -> Ints:
        """The classes of contexts that end in the tokens ``last``, of the same shape."""
        if self.token_classes is None:
            return np.zeros(np.shape(last), np.int64)
        return self.token_classes[last].astype(np.int64)

    def classes(self, contexts: Ints, cached: Ints | None) -> Ints:
        """The class of each place, from those of its context and of its cache."""
        return contexts if cached is None else contexts * CLASSES + cached
