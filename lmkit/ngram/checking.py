"""What the file of an n-gram model must look like: its facts, and the entries of its columns.

The numbers in columns are looked at when they are read, in one pass over what was read: those that
are places in other columns lie within them, and log-probabilities are some. Then no look-up
can go astray, whatever the file holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.store.columns import Check
from lmkit.store.facts import (
    NOTES,
    SMALLEST,
    TEXT,
    UNIT,
    VOCABULARY,
    anything,
    boolean,
    integer,
    mapping,
    number,
    one_of,
    optional,
    record,
    sequence,
    text,
)

MOST_ORDERS = 10_000
ROUNDING = 1e-3
"""So far above 0 a log-probability may be: other tools round."""
LARGEST_WEIGHT = 1e4
"""Of the natural logarithms of backoff weights."""

SMOOTHING = record(
    {
        "name": text,
        "parameters": record(
            {"form": one_of("interpolated", "backoff", "floor", "constant")},
            also={"weight": number(SMALLEST, 1e300)},
        ),
        "notes": NOTES,
    }
)

FACTS = record(
    {
        "order": integer(1, MOST_ORDERS),
        "sizes": sequence(integer(), 1, MOST_ORDERS),
        "smoothing": SMOOTHING,
        "pruned": optional(mapping(anything)),
        "normalised": boolean,
        "unit": UNIT,
        "text": TEXT,
        **VOCABULARY,
    }
)
"""``meta`` of an n-gram model."""


def validator(name: str, order: int, sizes: list[int]) -> Check:
    """What looks at the entries of the column ``name`` of ``order``, of a model with ``sizes``
    n-grams of each order."""
    if name == "token":
        return _between(0, sizes[0] - 1)
    if name == "suffix":
        return _between(-1, sizes[order - 2] - 1)
    if name == "count":
        return _between(0, 2**63 - 1)
    if name == "first_child":
        return _bounds(sizes[order - 1], sizes[order] if order < len(sizes) else 0)
    return _logarithms(ROUNDING if name == "log_prob" else LARGEST_WEIGHT)


def _between(low: int, high: int) -> Check:
    def valid(values: NDArray[Any], place: int) -> str | None:
        if not len(values):
            return None
        if low == 0 and values.dtype.kind == "i":
            # A negative number is a large one: one look is enough.
            right = int(values.view(f"u{values.dtype.itemsize}").max()) <= high
        else:
            right = int(values.max()) <= high and int(values.min()) >= low
        return None if right else f"an entry is not between {low} and {high}"

    return valid


def _bounds(last: int, children: int) -> Check:
    """Of ``first_child``, whose entries go from 0 to ``last``: they begin at 0, rise, and end at
    the number of ``children``."""

    def valid(values: NDArray[Any], place: int) -> str | None:
        end = place + len(values) - 1
        good = bool((values[1:] >= values[:-1]).all())
        good = good and int(values[0]) >= 0 and int(values[-1]) <= children
        good = good and (place > 0 or int(values[0]) == 0)
        good = good and (end < last or int(values[-1]) == children)
        return None if good else "the places of continuations do not rise from 0 to their number"

    return valid


def _logarithms(most: float) -> Check:
    def valid(values: NDArray[Any], place: int) -> str | None:
        # NaN is not below anything.
        if len(values) and not float(np.max(values)) <= most:
            return f"a logarithm is above {most:g}, or no number"
        return None

    return valid
