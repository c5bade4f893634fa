"""Pruning by relative entropy: the n-grams go whose loss changes the model least.

Stolcke 1998, "Entropy-based pruning of backoff language models". Without the n-gram (h, w) the
context h has another backoff weight a', and w after h has the probability a' p(w|h'). The
relative entropy of what the model said after h to what it says then, times p(h), is

    D = p(h) (p(w|h) (log p(w|h) - log a' p(w|h')) + N (log a - log a')),

where N is the mass that h leaves to the tokens it does not list. The perplexity grows by the
factor exp(D). Each n-gram is judged alone, against the model as it was.

``R`` is the number of n-grams of an order, ``C`` of contexts, the n-grams of the order below.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import BOS, EOS
from lmkit.ngram.backing import BackedBlock, Backing, Floats
from lmkit.ngram.building import Progress
from lmkit.ngram.model import NgramModel
from lmkit.ngram.pruning import keep_ngrams
from lmkit.ngram.trie import Trie
from lmkit.registry import resolve
from lmkit.store.columns import Column, MemoryColumn

NOTHING_LEFT = 1e-10
"""Where less mass than this is left below on the tokens that a context does not list, there is,
up to rounding, none."""

SAME = 1e-7
"""Relative difference, that of a stored weight, up to which a sum counts as unchanged."""


def prune_by_entropy(
    model: NgramModel, threshold: float, *, progress: Progress | None = None
) -> NgramModel:
    """``model`` without the n-grams whose loss, each alone, makes the perplexity grow by less
    than the part ``threshold`` of it (exp(D) - 1; as SRILM's ``-prune``).

    Unigrams stay, and so do contexts of n-grams that stay. The backoff weights are computed
    anew, so that each distribution keeps its sum. Counts are not needed, but Kneser-Ney models
    that have them are pruned better: there p(h) comes from the counts, as the lower orders of
    these models are no estimates of it. Still they suffer more than others from strong pruning
    (Chelba et al. 2010, "Study on interaction between entropy pruning and Kneser-Ney smoothing").

    Raises `UnsupportedError` for a model that has no backoff form, `UsageError` for a threshold
    that is negative or no number.
    """
    if not (math.isfinite(threshold) and threshold >= 0):
        raise UsageError(
            f"the threshold must be a number of at least 0, not {threshold}", "--entropy 1e-8"
        )
    _require_backoff_form(model)
    costs, below = removal_costs(model.trie, counted=_counted(model), progress=progress)
    kept = [~(np.expm1(cost) < threshold) for cost in costs]
    return _pruned(model, kept, below, {"entropy": threshold})


def prune_to_size(
    model: NgramModel, ngrams: int, *, progress: Progress | None = None
) -> NgramModel:
    """``model`` with ``ngrams`` n-grams of all orders together: all unigrams, and of the others
    those whose loss would cost most (see `prune_by_entropy`). A model that is no larger comes
    back as it is.

    Raises `UnsupportedError` for a model that has no backoff form, `UsageError` where
    ``ngrams`` is less than what has to stay.
    """
    _require_backoff_form(model)
    unigrams = model.trie[1].size
    if ngrams < unigrams:
        raise UsageError(
            f"{ngrams:,} n-grams are fewer than the {unigrams:,} unigrams, which always stay",
            f"--size {2 * unigrams}, or --cutoffs 1 to drop rare words",
        )
    costs, below = removal_costs(model.trie, counted=_counted(model), progress=progress)
    kept = _dearest(costs, ngrams - unigrams)
    return _pruned(model, kept, below, {"size": ngrams})


def _require_backoff_form(model: NgramModel) -> None:
    if model.form not in ("backoff", "interpolated"):
        name = model.facts["smoothing"]["name"]
        raise UnsupportedError(
            f"{name} smoothing does not back off to shorter contexts by weights that sum to one, "
            "so the relative entropy of dropping an n-gram is not defined",
            "--cutoffs, or another smoothing",
        )


def _counted(model: NgramModel) -> bool:
    """Whether p(h) has to come from the counts."""
    if not model.trie.has_counts:
        return False
    method = resolve("smoothing", model.facts["smoothing"]["name"])
    return bool(method.continuation)


def removal_costs(
    trie: Trie, *, counted: bool = False, progress: Progress | None = None
) -> tuple[list[Floats], list[Floats]]:
    """What it costs to lose each n-gram, an array for each order from 2 up: relative entropy D
    in nats, or that of the dearest n-gram that it is a context of, where this is more.

    Also, for each of these orders, the mass that every context finds below on the tokens that
    it does not list. ``counted``: p(h) is the part of the text that h is, and not the product of
    the model's probabilities.
    """
    backing = Backing(trie)
    costs, belows = [], []
    for order, history in enumerate(_histories(trie, counted), 2):
        if progress is not None:
            progress("pruning", order - 2, trie.order - 1)
        contexts = trie[order - 1]
        assert contexts.log_backoff is not None
        cost, below = np.empty(trie[order].size), np.empty(contexts.size)
        totals = np.empty(contexts.size)
        for block in backing.blocks(order):
            here = block.contexts
            log_weight = contexts.log_backoff.read(here.start, here.stop).astype(np.float64)
            cost[block.rows] = _costs(block, log_weight, history[here])
            below[here] = block.below
            totals[here] = block.sum(np.exp(block.log_prob)) + np.exp(log_weight) * block.below
        backing.totals.append(totals)
        costs.append(cost)
        belows.append(below)
    if progress is not None:
        progress("pruning", trie.order - 1, trie.order - 1)
    for order in range(trie.order, 2, -1):
        _raise_contexts(trie, order, costs[order - 2], costs[order - 3])
    return costs, belows


def _histories(trie: Trie, counted: bool) -> Iterator[Floats]:
    """p(h) of the n-grams of order 1, 2 and so on, as far as they can be contexts."""
    tokens = 1
    log_history = _log_probs(trie, 1)
    # Sentences begin as often as they end, and `<s>` itself is never predicted.
    log_history[BOS] = log_history[EOS]
    for order in range(1, trie.order):
        if counted:
            counts = _array(trie[order].count)
            tokens = int(counts.sum() - counts[BOS]) if order == 1 else tokens
            yield counts / max(tokens, 1)
            continue
        if order > 1:
            children = np.diff(_array(trie[order - 1].first_child))
            log_history = np.repeat(log_history, children) + _log_probs(trie, order)
        yield np.exp(log_history)


def _costs(block: BackedBlock, log_weight: Floats, history: Floats) -> Floats:
    """D of each n-gram of ``block`` [R]; infinite where nothing below could stand in for it."""
    below, owners = block.below, block.owners
    prob, lower = np.exp(block.log_prob), np.exp(block.log_lower)
    left = np.exp(log_weight) * below
    room = below[owners] + lower
    with np.errstate(divide="ignore", invalid="ignore"):
        new_weight = np.log(left[owners] + prob) - np.log(room)
        lost = prob * (block.log_prob - block.log_lower - new_weight)
        moved = left[owners] * (log_weight[owners] - new_weight)
    # What has no probability adds nothing, whatever its logarithm.
    lost[prob == 0] = 0.0
    moved[left[owners] == 0] = 0.0
    cost = np.maximum(history[owners] * (lost + moved), 0.0)
    cost[(room < NOTHING_LEFT) & (prob > 0)] = np.inf
    return cost


def _raise_contexts(trie: Trie, order: int, costs: Floats, below: Floats) -> None:
    """Raise the cost of each context in ``below`` to that of its dearest n-gram in ``costs``."""
    first = _array(trie[order - 1].first_child)
    parents = np.flatnonzero(first[1:] > first[:-1])
    if len(parents):
        below[parents] = np.maximum(below[parents], np.maximum.reduceat(costs, first[parents]))


def _dearest(costs: list[Floats], number: int) -> list[NDArray[np.bool_]]:
    """Flags for the ``number`` n-grams of all orders together that cost most. Of equal ones
    those of a lower order come first, so that no n-gram stays without its context."""
    together = np.concatenate([np.empty(0), *costs])
    if number >= len(together):
        return [np.ones(len(cost), bool) for cost in costs]
    limit = (
        np.partition(together, len(together) - number)[len(together) - number] if number else np.inf
    )
    kept = together > limit
    kept[np.flatnonzero(together == limit)[: number - int(kept.sum())]] = True
    return np.split(kept, np.cumsum([len(cost) for cost in costs])[:-1])


def _pruned(
    model: NgramModel, kept: list[NDArray[np.bool_]], below: list[Floats], facts: dict[str, float]
) -> NgramModel:
    """``model`` with the ``kept`` n-grams, flags for each order from 2 up, and weights to match.
    ``below``: the second part of `removal_costs`."""
    trie = model.trie
    freed = []
    for order, keep in enumerate(kept, 2):
        here = _freed(trie, order, keep)
        if order > 2:
            here, below[order - 2] = here[kept[order - 3]], below[order - 2][kept[order - 3]]
        freed.append(here)
    pruned = keep_ngrams(model, [None, *kept], facts)
    if pruned is not model:
        _reweigh(pruned.trie, freed, below)
    return pruned


def _freed(trie: Trie, order: int, keep: NDArray[np.bool_]) -> Floats:
    """The probability that each context gets back from the n-grams of ``order`` that go."""
    level = trie[order]
    assert level.log_prob is not None
    freed = np.zeros(trie[order - 1].size)
    for rows, contexts, sizes in trie.context_blocks(order):
        gone = np.flatnonzero(~keep[rows])
        prob = np.exp(level.log_prob.read(rows.start, rows.stop)[gone].astype(np.float64))
        owners = np.repeat(np.arange(len(sizes)), sizes)[gone]
        freed[contexts] = np.bincount(owners, prob, minlength=len(sizes))
    return freed


def _reweigh(trie: Trie, freed: list[Floats], below: list[Floats]) -> None:
    """Set the backoff weights so that each context leaves to the orders below what it left
    before and what was ``freed`` since. ``below``: what the old weights found below."""
    backing = Backing(trie)
    for order in range(2, trie.order + 1):
        contexts = trie[order - 1]
        assert contexts.log_backoff is not None
        log_backoff, totals = np.empty(contexts.size, np.float32), np.empty(contexts.size)
        raised: list[tuple[slice, Floats]] = []
        for block in backing.blocks(order):
            here = block.contexts
            old = contexts.log_backoff.read(here.start, here.stop)
            log_backoff[here], more = _weights(
                block, old, freed[order - 2][here], below[order - 2][here]
            )
            listed = block.sum(np.exp(block.log_prob)) * np.exp(more)
            totals[here] = listed + np.exp(log_backoff[here].astype(np.float64)) * block.below
            if more.any():
                raised.append((block.rows, more[block.owners]))
        contexts.log_backoff = MemoryColumn(log_backoff)
        backing.totals.append(totals)
        _raise(trie, order, raised)


def _weights(
    block: BackedBlock, old: NDArray[np.float32], freed: Floats, below: Floats
) -> tuple[Floats, Floats]:
    """New log backoff weights of the contexts of ``block`` [C], and by how much the
    log-probabilities of the n-grams that they list must rise."""
    left = np.exp(old.astype(np.float64)) * below + freed
    listed = block.sum(np.exp(block.log_prob))
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.log(left / block.below)
        # Where nothing is left below for the rest to go to, the listed n-grams share it.
        full = (block.below < NOTHING_LEFT) & (listed > 0)
        more = np.where(full, np.log1p(left / listed), 0.0)
    weights[full] = -np.inf
    weights[(block.sizes == 0) & (freed > 0)] = 0.0
    same = (freed == 0) & (np.abs(block.below - below) <= SAME * below)
    weights[same], more[same] = old[same], 0.0
    return weights, more


def _raise(trie: Trie, order: int, raised: list[tuple[slice, Floats]]) -> None:
    """Add to the log-probabilities of ``order`` what `_weights` says."""
    if not raised:
        return
    log_prob = _log_probs(trie, order).astype(np.float32)
    for rows, more in raised:
        log_prob[rows] += more
    trie[order].log_prob = MemoryColumn(log_prob)


def _log_probs(trie: Trie, order: int) -> Floats:
    return _array(trie[order].log_prob).astype(np.float64)


def _array(column: Column | None) -> NDArray[Any]:
    assert column is not None
    return column.array()
