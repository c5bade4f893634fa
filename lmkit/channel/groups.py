"""Arrays whose entries belong to groups: the best of each group, sums by group, stretches.

``n`` is the number of entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

FEW = 64
"""Fewer entries are sorted as they are."""
MARGIN = 1e-6
BINS, BINS_A_NAT = 128, 4


class Columns:
    """What a dataclass with slots has whose fields are arrays of one length."""

    __slots__: tuple[str, ...] = ()

    def at(self, places: NDArray[Any]) -> Self:
        """The entries at ``places``, or where they are true."""
        return type(self)(*(getattr(self, name)[places] for name in self.__slots__))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The entries of all ``parts`` behind each other."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__slots__))


def stretches(starts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """``starts[i], starts[i] + 1, ...``, ``sizes[i]`` of them, of all ``i`` behind each other."""
    ends = sizes.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    places: NDArray[np.int64] = (starts - ends + sizes).repeat(sizes)
    return places + np.arange(total)


def best_of_groups(
    groups: NDArray[np.integer],
    values: NDArray[np.float64],
    most: int,
    behind: float = np.inf,
) -> NDArray[np.int64]:
    """Places of the ``most`` highest ``values`` [n] of each of the ``groups`` [n], those more
    than ``behind`` below their group's best left out: groups ascending, values descending.
    Of equal values the earlier ones stay."""
    groups = np.asarray(groups)
    if not len(groups) or groups.min() == groups.max():
        order = (-values).argsort(kind="stable")[:most]
        return order if behind == np.inf else order[values[order] >= values[order[:1]] - behind]
    if len(groups) < FEW or int(groups.max()) >= FEW + 8 * len(groups):
        places, behind_best = np.arange(len(groups)), -values
    else:
        places, behind_best = _promising(groups, values, most, behind)
        groups, values = groups[places], values[places]
    order = _sorted(groups, behind_best)
    sorted_groups = groups[order]
    first = np.ones(len(order), bool)
    first[1:] = sorted_groups[1:] != sorted_groups[:-1]
    begins = np.flatnonzero(first)
    sizes = np.diff(np.append(begins, len(order)))
    rank = np.arange(len(order)) - np.repeat(begins, sizes)
    keep = rank < most
    if behind < np.inf:
        highest = values[order[begins]]
        keep &= values[order] >= np.repeat(highest, sizes) - behind
    return places[order[keep]]


def _promising(
    groups: NDArray[np.integer], values: NDArray[np.float64], most: int, behind: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places of entries with all that `best_of_groups` may choose, and how far each is behind its
    group's best."""
    number = int(groups.max()) + 1
    highest = np.full(number, -np.inf)
    np.maximum.at(highest, groups, values)
    with np.errstate(invalid="ignore"):
        gap = highest[groups] - values
    gap[np.isnan(gap)] = 0.0
    places = np.flatnonzero(gap <= behind + MARGIN)
    if len(places) > 2 * most * number:
        # Most entries are far too many: a histogram says how far behind the last one chosen is.
        groups, gap = groups[places], gap[places]
        bins = np.minimum(gap * BINS_A_NAT, BINS - 1).astype(np.int64)
        counts = np.bincount(groups * BINS + bins, minlength=number * BINS)
        enough = counts.reshape(number, BINS).cumsum(axis=1) >= most
        last = np.where(enough.any(axis=1), enough.argmax(axis=1), BINS)
        chosen = bins <= last[groups]
        return places[chosen], gap[chosen]
    return places, gap[places]


def floors(
    groups: NDArray[np.integer], values: NDArray[np.float64], number: int, most: int
) -> NDArray[np.float64]:
    """Nearly the ``most``-th highest of the ``values`` [n] of each of ``number`` groups, never more
    than that; -inf for those that have not as many."""
    highest = np.full(number, -np.inf)
    np.maximum.at(highest, groups, values)
    bins = np.minimum((highest[groups] - values) * BINS_A_NAT, BINS - 1).astype(np.int64)
    counts = np.bincount(groups * BINS + bins, minlength=number * BINS)
    enough = counts.reshape(number, BINS)[:, :-1].cumsum(axis=1) >= most
    last = (enough.argmax(axis=1) + 1) / BINS_A_NAT + MARGIN
    return np.where(enough.any(axis=1), highest - last, -np.inf)


def _sorted(groups: NDArray[np.integer], gap: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places by group, in each by ``gap``; of equal ones the earlier first."""
    many = len(groups)
    place_bits = max(many - 1, 1).bit_length()
    gap_bits = 63 - place_bits - int(groups.max(initial=0)).bit_length()
    if many < FEW or gap_bits < 16 or float(gap.min()) < 0:
        return np.lexsort((gap, groups))
    # One sort of packed keys is several times as fast as `lexsort`. The gap is rounded for it.
    rounded = np.minimum(gap * 2.0 ** (gap_bits - 6), 2.0**gap_bits - 1).astype(np.int64)
    keys = ((groups.astype(np.int64) << gap_bits | rounded) << place_bits) | np.arange(many)
    keys.sort()
    order = keys & ((1 << place_bits) - 1)
    gap, groups = gap[order], groups[order]
    if ((gap[1:] < gap[:-1]) & (groups[1:] == groups[:-1])).any():
        return order[np.lexsort((order, gap, groups))]
    return order


def log_sums(
    groups: NDArray[np.integer], values: NDArray[np.float64], number: int
) -> NDArray[np.float64]:
    """log of the sum of exp(``values`` [n]) in each of ``number`` groups; -inf for an empty one."""
    highest = np.full(number, -np.inf)
    np.maximum.at(highest, groups, values)
    base = np.where(np.isfinite(highest), highest, 0.0)
    sums = np.bincount(groups, weights=np.exp(values - base[groups]), minlength=number)
    with np.errstate(divide="ignore"):
        return np.log(sums) + base
