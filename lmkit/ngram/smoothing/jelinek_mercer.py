"""Jelinek-Mercer smoothing: relative frequencies of all orders mixed, with weights by EM.

p(w|h) = L(h) c(h, w) / c(h) + (1 - L(h)) p(w|h'), where the weight L(h) depends on the order and
on how often the context was seen: contexts whose counts lie between the same powers of two share
it (a bucket). The weights are those that make held-out text likeliest; without held-out text
each token of the training text is left out of the counts in its turn. Jelinek and Mercer 1980,
"Interpolated estimation of Markov source parameters from sparse data"; the recursive form and
the buckets follow Chen and Goodman 1998, section 2.4.

``T`` is the number of occurrences that EM looks at, ``K`` the number of buckets of an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.ngram.smoothing.base import Block, Evidence, Form, Smoothing, over
from lmkit.store.facts import Rule, number, sequence

MOST_OCCURRENCES = 500_000
"""How much of the training text EM looks at. It has some hundred weights to find."""

MOST_ROUNDS = 200
ENOUGH = 1e-7
"""EM ends when a round raises the mean log-likelihood of an occurrence by less than this."""

WITHOUT_EVIDENCE = 0.5
"""The weight of an order on which no occurrence has anything to say."""


@dataclass(slots=True)
class Level:
    """What one order contributes: the relative ``frequencies`` [T] of the occurrences, the
    ``buckets`` [T] of their contexts (K for contexts that were not seen), and which of the K
    buckets have ``contexts`` at all."""

    frequencies: NDArray[np.float64]
    buckets: NDArray[np.int64]
    contexts: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """K."""
        return len(self.contexts)


class JelinekMercer(Smoothing):
    """Learns from ``--valid`` text where there is some, else by leaving one out.

    ``lambdas_[n - 1][b]``: weight of order n after contexts seen 2^b to 2^(b+1) - 1 times.
    ``log_likelihoods_``: mean log-probability of an occurrence before each round of EM.
    """

    name = "jelinek-mercer"
    forms = ("interpolated",)

    def __init__(self, form: Form | None = None) -> None:
        super().__init__(form)
        self.lambdas_: list[list[float]] = []
        self.log_likelihoods_: list[float] = []

    def fit(self, evidence: Evidence) -> None:
        occurrences = evidence.held_out()
        held_out = occurrences is not None and len(occurrences) > 0
        if not held_out:
            occurrences = evidence.left_one_out(MOST_OCCURRENCES)
        levels = [
            _level(evidence, occurrences, order, left_out=not held_out)
            for order in range(1, evidence.order + 1)
        ]
        weights, self.log_likelihoods_ = expectation_maximisation(
            levels, occurrences.weights, 1 / evidence.events
        )
        self.lambdas_ = [
            self._filled(order, values, level.contexts)
            for order, (values, level) in enumerate(zip(weights, levels, strict=True), 1)
        ]
        text = "held-out tokens" if held_out else "training tokens, each left out in its turn"
        before, after = np.exp([-self.log_likelihoods_[0], -self.log_likelihoods_[-1]])
        self.notes.append(
            f"weights by {len(self.log_likelihoods_) - 1} rounds of EM on "
            f"{occurrences.weights.sum():.0f} {text}: perplexity {before:.2f} before, "
            f"{after:.2f} after"
        )

    def _filled(
        self, order: int, values: NDArray[np.float64], contexts: NDArray[np.bool_]
    ) -> list[float]:
        """``values`` with those that are missing (NaN) taken from the nearest bucket; noted
        where there are ``contexts`` that will need them."""
        known = np.flatnonzero(~np.isnan(values))
        if not len(known):
            if contexts.any():
                self.notes.append(
                    f"order {order}: nothing to learn the weights from; took {WITHOUT_EVIDENCE:g}"
                )
            return [WITHOUT_EVIDENCE] * len(values)
        needed = np.flatnonzero(np.isnan(values) & contexts)
        if len(needed):
            shown = ", ".join(
                f"{2**b} to {2 ** (b + 1) - 1}" if b else "1" for b in needed.tolist()
            )
            self.notes.append(
                f"order {order}: nothing to learn the weight from of contexts seen {shown} times; "
                "took that of the nearest others"
            )
        nearest = known[np.abs(known[:, None] - np.arange(len(values))).argmin(axis=0)]
        return values[nearest].tolist()

    def shares(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        table = np.array(self.lambdas_[block.order - 1])
        kept = table[np.clip(buckets_of(block.totals), 0, len(table) - 1)]
        kept[block.totals == 0] = 0.0
        share = over(block.spread(kept) * block.counts, block.spread(block.totals))
        return share, 1 - kept

    def parameters(self) -> dict[str, Any]:
        return {**super().parameters(), "lambdas": self.lambdas_}

    def restore(self, parameters: dict[str, Any]) -> None:
        super().restore(parameters)
        self.lambdas_ = parameters["lambdas"]

    @classmethod
    def learns(cls, order: int) -> Mapping[str, Rule]:
        return {"lambdas": sequence(sequence(number(0, 1), 1), order)}

    def explain(self, order: int, count: int, total: int, sizes: list[int]) -> str:
        table = self.lambdas_[order - 1]
        weight = table[min(max(total, 1).bit_length(), len(table)) - 1]
        return f"{weight:.4g} × {count} / {total}"


def buckets_of(totals: NDArray[np.int64]) -> NDArray[np.int64]:
    """The whole part of the binary logarithm of each of ``totals``; -1 for 0."""
    return np.frexp(totals.astype(np.float64))[1].astype(np.int64) - 1


def _level(evidence: Evidence, occurrences: Any, order: int, left_out: bool) -> Level:
    """What EM needs to know of ``order``; with ``left_out`` each occurrence's own count is
    taken away before it is looked at."""
    counts = evidence.counts(order)
    totals = evidence.context_sums(order, counts)
    size = int(totals.max(initial=1)).bit_length()
    present = np.bincount(buckets_of(totals[totals > 0]), minlength=size) > 0
    here = occurrences.of_ngrams(order, counts).astype(np.int64)
    total = occurrences.of_contexts(order, totals)
    if left_out:
        here, total = np.maximum(here - 1, 0), np.maximum(total - 1, 0)
    buckets = buckets_of(total)
    buckets[buckets < 0] = size
    return Level(over(here, total), buckets, present)


def expectation_maximisation(
    levels: list[Level], weights: NDArray[np.float64], uniform: float
) -> tuple[list[NDArray[np.float64]], list[float]]:
    """The bucket weights [K] of each order that make the occurrences, ``weights`` [T] times
    each, likeliest, and the mean log-likelihood before each round and after the last.

    The likelihood never falls. A bucket's weight stays below (n + 1) / (n + 2), n being how many
    occurrences it has (Laplace's rule): that they all followed the order does not make it
    certain that the next one will. Buckets without occurrences get NaN.
    """
    evidence = [
        np.bincount(level.buckets, weights, minlength=level.size + 1)[: level.size]
        for level in levels
    ]
    limits = [(n + 1) / (n + 2) for n in evidence]
    tables = [np.minimum(limit, 0.5) for limit in limits]
    history: list[float] = []
    total = float(weights.sum())
    for _ in range(MOST_ROUNDS + 1):
        probability, own = _mix(levels, tables, uniform, len(weights))
        history.append(float(weights @ np.log(probability)) / total if total else 0.0)
        if (len(history) > 1 and history[-1] - history[-2] < ENOUGH) or len(history) > MOST_ROUNDS:
            break
        reaching = weights
        for place in range(len(levels) - 1, -1, -1):
            level = levels[place]
            taken = reaching * own[place]
            part = np.bincount(level.buckets, taken, minlength=level.size + 1)
            whole = np.bincount(level.buckets, reaching, minlength=level.size + 1)
            found = over(part, whole)[: level.size]
            tables[place] = np.minimum(found, limits[place])
            reaching = reaching - taken
    for table, here in zip(tables, evidence, strict=True):
        table[here == 0] = np.nan
    return tables, history


def _mix(
    levels: list[Level], tables: list[NDArray[np.float64]], uniform: float, size: int
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Probability [T] of the occurrences, and of each order [T] that it, not an order below,
    gave the token, if none above did."""
    probability = np.full(size, uniform)
    own = []
    for level, table in zip(levels, tables, strict=True):
        weight = np.append(table, 0.0)[level.buckets]
        direct = weight * level.frequencies
        probability = direct + (1 - weight) * probability
        own.append(direct / probability)
    return probability, own
