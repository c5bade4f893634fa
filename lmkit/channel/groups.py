"""Arrays whose entries belong to groups: the best of each group, sums by group, stretches.

``n`` is the number of entries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stretches(starts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """``starts[i], starts[i] + 1, ...``, ``sizes[i]`` of them, of all ``i`` behind each other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(np.asarray(starts) - ends + sizes, sizes) + np.arange(total)


def best_of_groups(
    groups: NDArray[np.integer],
    values: NDArray[np.float64],
    most: int,
    behind: float = np.inf,
) -> NDArray[np.int64]:
    """Places of the ``most`` highest ``values`` [n] of each of the ``groups`` [n], those more
    than ``behind`` below their group's best left out: groups ascending, values descending.
    Of equal values the earlier ones stay."""
    order = np.lexsort((-values, groups))
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
    return order[keep]


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
