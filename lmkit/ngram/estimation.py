"""From counts to probabilities, for every smoothing method alike.

Goes through the orders from the unigrams up, some whole contexts at a time: asks the method
for shares, gives the rest to the order below in the method's form, and writes
``log_prob`` and ``log_backoff`` columns. Cutoffs take part here, as in KenLM: the discounts
and totals come from all n-grams, and what a dropped n-gram would have kept joins the rest of
its context.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.counting import Workspace
from lmkit.ngram.heldout import Occurrences, in_training_text
from lmkit.ngram.smoothing.base import NOTHING_LEFT, Block, Smoothing, over
from lmkit.ngram.trie import Trie


class CountEvidence:
    """Counts as a smoothing method wants them (`lmkit.ngram.smoothing.base.Evidence`)."""

    def __init__(self, trie: Trie, continuation: bool, held_out: Occurrences | None = None) -> None:
        self.trie = trie
        self.order = trie.order
        self.events = trie[1].size - 1
        self._continuation = continuation
        self._held_out = held_out
        self._adjusted: tuple[int, NDArray[Any]] | None = None

    def held_out(self) -> Occurrences | None:
        return self._held_out

    def counts(self, order: int) -> NDArray[Any]:
        """The counts of ``order``: adjusted below the highest where the method is of that
        kind. ``<s>`` is never predicted and has 0."""
        if self._adjusted is None or self._adjusted[0] != order:
            self._adjusted = (order, self._adjust(order))
        return self._adjusted[1]

    def _adjust(self, order: int) -> NDArray[Any]:
        raw = self.trie[order].count
        assert raw is not None
        if not self._continuation or order == self.order:
            values = raw.array()
            if order > 1:
                return values
            values = values.copy()
        else:
            values = left_contexts(self.trie, order)
            start, stop = self.trie.bos_range(order)
            values[start:stop] = raw.read(start, stop)
        if order == 1:
            values[BOS] = 0
        return values

    def counts_of_counts(self, order: int, highest: int) -> list[int]:
        counts = self.counts(order)
        totals = np.zeros(highest + 2, np.int64)
        for start in range(0, len(counts), 1 << 20):
            here = counts[start : start + (1 << 20)].astype(np.int64)
            capped = np.minimum(here, highest + 1)
            totals += np.bincount(capped, minlength=highest + 2)
        totals[0] = 0
        return totals[: highest + 1].tolist()

    def context_sums(self, order: int, values: NDArray[Any]) -> NDArray[np.int64]:
        contexts = 1 if order == 1 else self.trie[order - 1].size
        sums = np.empty(contexts, np.int64)
        for rows, places, sizes in self.trie.context_blocks(order):
            running = np.zeros(rows.stop - rows.start + 1, np.int64)
            np.cumsum(values[rows], out=running[1:])
            ends = np.cumsum(sizes)
            sums[places] = running[ends] - running[ends - sizes]
        return sums

    def left_one_out(self, most: int) -> Occurrences:
        return in_training_text(self.trie, most)


def left_contexts(trie: Trie, order: int) -> NDArray[np.int64]:
    """In how many distinct left contexts each n-gram of ``order`` stood: N1+(. w1 ... wn)."""
    suffix = trie[order + 1].suffix
    assert suffix is not None
    totals = np.zeros(trie[order].size, np.int64)
    for start in range(0, len(suffix), 1 << 20):
        np.add.at(totals, suffix.read(start, start + (1 << 20)), 1)
    return totals


def estimate(
    trie: Trie,
    method: Smoothing,
    *,
    cutoffs: tuple[int, ...] = (),
    held_out: Occurrences | None = None,
    memory: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.bool_] | None]:
    """Fit ``method`` and fill ``log_prob`` and ``log_backoff`` of ``trie``.

    Returns, an order, which n-grams the ``cutoffs`` keep (None: all); dropping the others is
    `lmkit.ngram.pruning.keep`'s work. Cutoff k of an order drops n-grams with a count of at
    most k; the last one given extends to the higher orders.
    """
    evidence = CountEvidence(trie, method.continuation, held_out)
    method.fit(evidence)
    kept = kept_by_cutoffs(trie, cutoffs)
    workspace = Workspace.bounded(memory)
    uniform = _uniform(trie[1].size, kept[0])
    lower: NDArray[np.float64] | None = None
    for order in range(1, trie.order + 1):
        if progress is not None:
            progress(order - 1, trie.order)
        lower = _estimate_order(
            trie, order, method, evidence, kept[order - 1], uniform, lower, workspace
        )
    if progress is not None:
        progress(trie.order, trie.order)
    return kept


def _estimate_order(
    trie: Trie,
    order: int,
    method: Smoothing,
    evidence: CountEvidence,
    kept: NDArray[np.bool_] | None,
    uniform: NDArray[np.float64],
    lower: NDArray[np.float64] | None,
    workspace: Workspace,
) -> NDArray[np.float64]:
    """Fill ``log_prob`` of ``order`` and ``log_backoff`` below; returns the probabilities."""
    level = trie[order]
    counts = evidence.counts(order)
    events = int(np.count_nonzero(uniform))
    probabilities = np.empty(level.size if order < trie.order else 0)
    log_prob, log_backoff = workspace.builder(np.float32), workspace.builder(np.float32)
    for rows, _, sizes in trie.context_blocks(order):
        block = Block.of(order, counts[rows], sizes, evidence.events)
        share, rest = method.shares(block)
        if lower is None:
            below = uniform
        else:
            assert level.suffix is not None
            below = lower[level.suffix.read(rows.start, rows.stop)]
        if kept is not None:
            dropped = np.where(kept[rows], 0.0, share)
            share = share - dropped
            rest = rest + block.sum(dropped)
        prob, weight = _distribute(method, block, share, rest, below, events)
        if lower is None:
            prob[BOS] = 0.0
        if order < trie.order:
            probabilities[rows] = prob
        with np.errstate(divide="ignore"):
            log_prob.append(np.log(prob))
            if order > 1:
                log_backoff.append(np.log(weight))
    level.log_prob = log_prob.finish()
    if order > 1:
        trie[order - 1].log_backoff = log_backoff.finish()
    return probabilities


def _uniform(size: int, kept: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """What stands below the unigrams: the same for every token that is kept, but ``<s>``."""
    events = np.ones(size) if kept is None else kept.astype(np.float64)
    events[BOS] = 0.0
    return events / events.sum()


def _distribute(
    method: Smoothing,
    block: Block,
    share: NDArray[np.float64],
    rest: NDArray[np.float64],
    below: NDArray[np.float64],
    events: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability [R] of each n-gram and backoff weight [C] of each context, in the method's
    form. An n-gram without a share of its own has what a token gets that the context does not
    list; ``events`` is how many tokens there are, listed or not."""
    if method.form == "interpolated":
        return share + block.spread(rest) * below, rest
    if method.form == "constant":
        weight = np.full(len(rest), method.weight)
        return np.where(share > 0, share, method.weight * below), weight
    listed = share > 0
    if method.form == "floor":
        left = events - block.sum(listed)
        below = np.ones(len(share))
    else:
        left = 1 - block.sum(np.where(listed, below, 0.0))
    full = left < NOTHING_LEFT
    weight = over(rest, np.where(full, 0.0, left))
    if full.any():
        # Nothing is left below for the rest to go to: the listed n-grams share it.
        share = share * block.spread(np.where(full, over(np.ones(len(rest)), 1 - rest), 1.0))
    return np.where(listed, share, block.spread(weight) * below), weight


def kept_by_cutoffs(trie: Trie, cutoffs: tuple[int, ...]) -> list[NDArray[np.bool_] | None]:
    """Which n-grams of each order have a count above its cutoff; None: all of them.

    ``<unk>``, ``<s>`` and ``</s>`` are always kept. Raises `UsageError` for cutoffs that are
    negative, decrease, or outnumber the orders.
    """
    check_cutoffs(cutoffs, trie.order)
    thresholds = [*cutoffs, *[cutoffs[-1] if cutoffs else 0] * (trie.order - len(cutoffs))]
    kept: list[NDArray[np.bool_] | None] = []
    for order, threshold in enumerate(thresholds, 1):
        count = trie[order].count
        assert count is not None
        if threshold <= 0:
            kept.append(None)
            continue
        keep = count.array() > threshold
        if order == 1:
            keep[[UNK, BOS, EOS]] = True
        kept.append(keep)
    return kept


def check_cutoffs(cutoffs: tuple[int, ...], order: int) -> None:
    """Raises `UsageError` for cutoffs that cannot be meant for a model of ``order``."""
    shown = ",".join(map(str, cutoffs))
    if len(cutoffs) > order:
        raise UsageError(
            f"there are {len(cutoffs)} cutoffs ({shown}) for a model of order {order}",
            "at most one an order",
        )
    if any(k < 0 for k in cutoffs) or any(a > b for a, b in pairwise(cutoffs)):
        raise UsageError(f"cutoffs may neither be negative nor decrease: {shown}", "--prune 0,0,1")
