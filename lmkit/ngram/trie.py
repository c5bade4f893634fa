"""N-grams of every order as one trie in sorted columns: what counting fills, smoothing
extends and look-ups read.

Within an order, n-grams are sorted by (row of their context at the order below, token id),
so the n-grams that share a context lie side by side, and ``first_child`` of a context says
where they begin. An n-gram *is* its row number. Row ``i`` of order 1 is the token with id ``i``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import BOS
from lmkit.store.columns import Column

BLOCK_ROWS = 1 << 19
"""About how many n-grams smoothing works on at a time."""

MOST_ORDER = 1000
"""No model has a higher order: every command is held to work up to here."""


def check_order(order: int) -> None:
    """Raises `UsageError` for an ``order`` that no model can have."""
    if not 1 <= order <= MOST_ORDER:
        raise UsageError(f"the order must be from 1 to {MOST_ORDER:,}, not {order:,}", "--order 3")


@dataclass(slots=True)
class Level:
    """The ``size`` n-grams of one order. Columns that an order or a model has not are None.

    ``token``: the last token (none at order 1). ``count``: how often the n-gram stood in the
    text. ``suffix``: row, one order below, of the n-gram without its first token, -1 where
    pruning or an imported file has left that out (none at order 1). ``first_child`` [size + 1]:
    where the n-grams begin that continue this one (none at the highest order). ``log_prob``:
    natural log of p(token | context), float32. ``log_backoff``: natural log of the weight of the
    shortened context where a token does not follow this n-gram (none at the highest order).
    """

    size: int
    token: Column | None = None
    count: Column | None = None
    suffix: Column | None = None
    first_child: Column | None = None
    log_prob: Column | None = None
    log_backoff: Column | None = None

    def columns(self) -> Iterator[tuple[str, Column]]:
        """Names and contents of the columns that there are."""
        for field in fields(self)[1:]:
            column = getattr(self, field.name)
            if column is not None:
                yield field.name, column


class Trie:
    """The levels of a model, from unigrams up: ``trie[n]`` is order ``n``. ``asked`` counts the
    questions about each order: what is asked often is worth `packed_keys`."""

    def __init__(self, levels: list[Level]) -> None:
        self.levels = levels
        self._keys: dict[int, NDArray[np.uint64]] = {}
        self.asked: Counter[int] = Counter()

    @property
    def token_bits(self) -> int:
        """Bits that hold any token id."""
        return max(self.levels[0].size - 1, 1).bit_length()

    def has_keys(self, order: int) -> bool:
        """Whether `packed_keys` of ``order`` are made."""
        return order in self._keys

    def give_keys(self, order: int, keys: NDArray[np.uint64]) -> None:
        """Have ``keys`` be the `packed_keys` of ``order``, which somebody has made already."""
        self._keys[order] = keys

    def packed_keys(self, order: int) -> NDArray[np.uint64]:
        """Context row and token of each n-gram of ``order`` in one ascending integer; made once."""
        if order not in self._keys:
            children, token = self[order - 1].first_child, self[order].token
            assert children is not None and token is not None
            keys = np.repeat(
                np.arange(self[order - 1].size, dtype=np.uint64), np.diff(children.array())
            )
            keys <<= np.uint64(self.token_bits)
            keys |= token.array().astype(np.uint64)
            self._keys[order] = keys
        return self._keys[order]

    @property
    def order(self) -> int:
        return len(self.levels)

    def __getitem__(self, order: int) -> Level:
        return self.levels[order - 1]

    @property
    def sizes(self) -> list[int]:
        """Number of n-grams of each order."""
        return [level.size for level in self.levels]

    @property
    def has_counts(self) -> bool:
        return self.levels[0].count is not None

    def bos_range(self, order: int) -> tuple[int, int]:
        """Rows of ``order`` whose n-grams begin with ``<s>``: they lie side by side."""
        start, stop = BOS, BOS + 1
        for below in range(1, order):
            children = self[below].first_child
            assert children is not None
            start, stop = children.take(np.array([start, stop])).tolist()
        return start, stop

    def context_blocks(self, order: int) -> Iterator[tuple[slice, slice, NDArray[np.int64]]]:
        """``order`` in stretches of whole contexts: rows, contexts, and the contexts' sizes.

        At order 1 there is one context, the empty one, with all the tokens.
        """
        if order == 1:
            yield slice(0, self[1].size), slice(0, 1), np.array([self[1].size])
            return
        children = self[order - 1].first_child
        assert children is not None
        first = children.array()
        contexts = len(first) - 1
        begin = 0
        while begin < contexts:
            target = int(first[begin]) + BLOCK_ROWS
            end = int(np.searchsorted(first, target, side="right")) - 1
            end = min(max(end, begin + 1), contexts)
            places = first[begin : end + 1].astype(np.int64)
            yield (
                slice(int(places[0]), int(places[-1])),
                slice(begin, end),
                places[1:] - places[:-1],
            )
            begin = end


def row_dtype(size: int) -> type[np.int32] | type[np.int64]:
    """Type for row numbers of an order with ``size`` n-grams."""
    return np.int32 if size < 2**31 - 1 else np.int64
