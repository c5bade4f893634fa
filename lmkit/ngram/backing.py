"""What the orders below say: for every n-gram (h, w) of an order p(w|h'), and for every context
h how much of p(.|h') lies on the tokens that h does not list. h' is h without its first token.

Models that were pruned or imported may lack the n-gram h' w, or even h'. What stands in for h'
is then the longest shorter form of h that the trie has.

``R`` is the number of n-grams of a block, ``C`` of its contexts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import BOS
from lmkit.ngram.lookup import find_children
from lmkit.ngram.trie import Trie

Floats = NDArray[np.float64]


@dataclass(slots=True)
class BackedBlock:
    """Some whole contexts of one order with their n-grams.

    ``rows``: of the n-grams; ``contexts``: of the contexts, one order below; ``sizes`` [C];
    ``owners`` [R]: which of the contexts each n-gram belongs to. ``log_prob`` [R]: of the
    n-grams; ``log_lower`` [R]: log p(w|h'). ``below`` [C]: mass of p(.|h') on the tokens that
    h does not list.
    """

    rows: slice
    contexts: slice
    sizes: NDArray[np.int64]
    owners: NDArray[np.int64]
    log_prob: Floats
    log_lower: Floats
    below: Floats

    def sum(self, values: NDArray[Any]) -> Floats:
        """``values`` [R] summed over each context: [C]."""
        totals: Any = np.bincount(self.owners, values, minlength=len(self.sizes))
        return totals


class Backing:
    """A pass over ``trie`` from order 2 up. `blocks` of an order may be asked for once
    ``totals`` has been given what the contexts of the orders before it sum to, and ``log_prob``
    and ``log_backoff`` of these are final.

    The sums are those of the stored, rounded numbers. To take what a context lists from the
    total that is really there, and not from one, keeps even the smallest differences exact.
    """

    def __init__(self, trie: Trie) -> None:
        self.trie = trie
        unigrams = np.exp(_column(trie, 1, "log_prob").astype(np.float64))
        unigrams[BOS] = 0.0
        self.totals: list[Floats] = [np.array([unigrams.sum()])]
        """For the empty context and each order: the sum over all w of p(w|h)."""
        self._links: list[tuple[NDArray[np.int16] | None, NDArray[Any]]] = []

    def blocks(self, order: int) -> Iterator[BackedBlock]:
        """All n-grams of ``order``."""
        level = self.trie[order]
        assert level.suffix is not None and level.log_prob is not None
        self._link(order - 1)
        for rows, contexts, sizes in self.trie.context_blocks(order):
            owners = np.repeat(np.arange(len(sizes)), sizes)
            log_prob = level.log_prob.read(rows.start, rows.stop).astype(np.float64)
            suffix = level.suffix.read(rows.start, rows.stop)
            log_lower = _column(self.trie, order - 1, "log_prob")[suffix].astype(np.float64)
            missing = np.flatnonzero(suffix < 0)
            if len(missing):
                log_lower[missing] = self._backed_off(
                    order, rows.start + missing, contexts.start + owners[missing]
                )
            below = self.totals_below(order - 1, contexts)
            below -= np.bincount(owners, np.exp(log_lower), minlength=len(sizes))
            np.maximum(below, 0.0, out=below)
            yield BackedBlock(rows, contexts, sizes, owners, log_prob, log_lower, below)

    def _backed_off(
        self, order: int, rows: NDArray[np.int64], contexts: NDArray[np.int64]
    ) -> Floats:
        """log p(w|h') of n-grams whose h' w the trie has not."""
        token = self.trie[order].token
        assert token is not None
        orders, found, log_probs = self._descend(
            *self._linked(order - 1, contexts), token.take(rows)
        )
        for n in np.unique(orders).tolist():
            here = orders == n
            log_probs[here] += _column(self.trie, n, "log_prob")[found[here]]
        return log_probs

    def totals_below(self, order: int, rows: slice) -> Floats:
        """The totals of what stands in for h', for the contexts ``rows`` of ``order``."""
        orders, links = self._links[order - 1]
        if orders is None:
            return self.totals[order - 1][links[rows]]
        totals = np.empty(rows.stop - rows.start)
        for n in range(order):
            here = orders[rows] == n
            totals[here] = self.totals[n][links[rows][here]]
        return totals

    def _link(self, order: int) -> None:
        """Find for each n-gram of ``order`` the longest shorter form that the trie has: its order
        (None: one less, for all of them; 0: the empty context) and its row."""
        if order == 1:
            self._links.append((None, np.zeros(self.trie[1].size, np.int16)))
            return
        suffix, token = _column(self.trie, order, "suffix"), self.trie[order].token
        assert token is not None
        missing = np.flatnonzero(suffix < 0)
        if not len(missing):
            self._links.append((None, suffix))
            return
        children = _column(self.trie, order - 1, "first_child")
        contexts = np.searchsorted(children, missing, side="right") - 1
        orders, rows = np.full(len(suffix), order - 1, np.int16), suffix.astype(np.int64)
        orders[missing], rows[missing], _ = self._descend(
            *self._linked(order - 1, contexts), token.take(missing)
        )
        self._links.append((orders, rows))

    def _linked(
        self, order: int, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Orders and rows of what stands in for the shorter forms of ``rows`` of ``order``."""
        orders, links = self._links[order - 1]
        if orders is None:
            return np.full(len(rows), order - 1, np.int16), links[rows].astype(np.int64)
        return orders[rows], links[rows].astype(np.int64)

    def _descend(
        self, orders: NDArray[np.int16], rows: NDArray[np.int64], tokens: NDArray[np.integer]
    ) -> tuple[NDArray[np.int16], NDArray[np.int64], Floats]:
        """Back off from the contexts ``rows`` of ``orders`` until one lists its token: order and
        row of that n-gram, and the sum of the log backoff weights on the way."""
        open_orders, rows = orders.copy(), rows.copy()
        found_orders, found = np.ones_like(orders), tokens.astype(np.int64)
        log_weights = np.zeros(len(rows))
        for order in range(int(orders.max(initial=0)), 0, -1):
            here = np.flatnonzero(open_orders == order)
            children = find_children(self.trie, order + 1, rows[here], tokens[here])
            hit = children >= 0
            found_orders[here[hit]], found[here[hit]] = order + 1, children[hit]
            open_orders[here[hit]] = 0
            missed = here[~hit]
            log_weights[missed] += _column(self.trie, order, "log_backoff")[rows[missed]]
            open_orders[missed], rows[missed] = self._linked(order, rows[missed])
        return found_orders, found, log_weights


def _column(trie: Trie, order: int, name: str) -> NDArray[Any]:
    column = getattr(trie[order], name)
    assert column is not None
    values: NDArray[Any] = column.array()
    return values
