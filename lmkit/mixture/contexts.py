"""Classes of contexts for ``by-context``: what any model has is a last token, and how often that
token was met says much about how well each model knows what follows it.

A token that is frequent in the held-out text is a class of its own; the others are classed by
their frequency in training, or in the held-out text where no model tells that (Jelinek and
Mercer 1980 class contexts by their counts; Bahl, Jelinek and Mercer 1983).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.mixture.member import Member
from lmkit.model import BOS

OWN_CLASS = 100
"""From how many held-out tokens behind it on a token is a class of its own."""


def token_classes(members: Sequence[Member], last: NDArray[np.int64]) -> NDArray[np.int32]:
    """The class [V] of contexts that end in each token. ``last`` [T]: the tokens that stand
    before those of the held-out text."""
    size = members[0].size
    held_out = np.bincount(last, minlength=size)
    counts = _counts(members, size)
    if counts is None:
        counts = held_out
    # Each class has contexts twice as frequent as the one before it.
    groups = np.frexp(counts.astype(np.float64))[1]
    own = np.flatnonzero(held_out >= OWN_CLASS)
    groups[own] = groups.max() + 1 + np.arange(len(own))
    _, classes = np.unique(groups, return_inverse=True)
    return classes.astype(np.int32)


def _counts(members: Sequence[Member], size: int) -> NDArray[np.int64] | None:
    """How often each token [V] was met in training, from the first model that tells."""
    for member in members:
        counts = np.asarray(member.model.vocabulary.counts)
        if counts.any():
            mine: NDArray[np.int64] = member.ids(np.arange(size))
            found = counts[mine].copy()
            found[BOS] = found.max()
            return found
    return None
