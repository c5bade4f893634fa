"""Beam search through a lattice with any language model as its source.

All sentences of a lattice go in step: at each time their hypotheses are scored against their arcs
by one call of ``log_probs_of``, thinned out, advanced by one call of ``advance``, and those whose
states have equal keys are recombined: Viterbi's step for n-grams. States of networks have no keys;
there those recombine whose last tokens are the same. The edges between the hypotheses that survive
are kept (`Search`).

``H`` is the number of hypotheses, ``E`` of edges. Scores are weighted log-probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.decoding.joining import advance, joined, log_probs_of
from lmkit.channel.decoding.last_tokens import LastTokens
from lmkit.channel.decoding.lattice import Lattice
from lmkit.channel.decoding.search import Search
from lmkit.channel.groups import best_of_groups, log_sums, stretches
from lmkit.model import UNK, LanguageModel

BEAM = 10
FEW = 1024
"""So few arcs are priced all at once, where more are priced in two steps."""
BEHIND = 16.0
"""A hypothesis so many nats behind the best one at its node is dropped."""


@dataclass(frozen=True, slots=True)
class Pricing:
    """How the price of an arc is made of its parts: ``source`` multiplies the log-probability of
    the source model and word list, ``mix`` is the list's share in it, ``unknown`` is added to log
    p(<unk> | h)."""

    source: float = 1.0
    mix: float = 0.0
    unknown: float = 0.0


@dataclass(slots=True)
class _Waiting:
    """Ways that lead to nodes of one time, before their last token is read: rows of ``state``,
    the arc, the hypothesis they come from, the weight of the arc, and the score and total."""

    state: Any
    rows: NDArray[np.int64]
    arc: NDArray[np.int64]
    origin: NDArray[np.int64]
    weight: NDArray[np.float64]
    score: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[_Waiting]) -> _Waiting:
        """All ``parts`` behind each other, without their states."""
        return cls(
            None,
            *(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__slots__[1:]),
        )

    def at(self, places: NDArray[np.integer]) -> _Waiting:
        return _Waiting(self.state, *(getattr(self, name)[places] for name in self.__slots__[1:]))


class BeamSearch:
    """Searches one lattice. ``by_total``: hypotheses are ranked by the sum over all ways to them
    (for the probability of a text), not by the best way (for its correction)."""

    def __init__(
        self,
        lattice: Lattice,
        source: LanguageModel,
        pricing: Pricing,
        beam: int = BEAM,
        behind: float = BEHIND,
        by_total: bool = False,
        sure: NDArray[np.bool_] | None = None,
    ) -> None:
        self._lattice = lattice
        self._source = source
        self._pricing = pricing
        self._beam = beam
        self._behind = behind
        self._by_total = by_total
        self._sure = sure
        # In a sum over all ways nothing may be taken for something else.
        keyless = not by_total and source.start(1).keys() is None
        self._last = LastTokens() if keyless else None
        self._waiting: dict[int, list[_Waiting]] = {}
        self._score: list[NDArray[np.float64]] = []
        self._total: list[NDArray[np.float64]] = []
        self._best_edge: list[NDArray[np.int64]] = []
        self._edges: list[tuple[NDArray[np.int64], ...]] = []
        self._weights: list[NDArray[np.float64]] = []
        self._levels: list[tuple[int, int]] = []
        self._hypotheses = 0
        self._edge_count = 0
        self._is_end = np.zeros(len(lattice.time), bool)
        self._is_end[lattice.end] = True
        # The best way so far to each node, its state not looked at.
        self._reached = np.full(len(lattice.time), -np.inf)
        self._final = np.full(len(lattice.time), -1, np.int64)

    def run(self) -> Search:
        lattice = self._lattice
        many = len(lattice.start)
        zeros = np.zeros(many)
        first = self._keep(zeros, zeros, np.full(many, -1, np.int64))
        if self._last is not None:
            self._last.begin(many)
        self._expand(self._source.start(many), lattice.start, first)
        while self._waiting:
            self._step(min(self._waiting))
        nothing = np.zeros(0, np.int64)
        origin, target, arc = (
            np.concatenate([nothing, *(parts[i] for parts in self._edges)]) for i in range(3)
        )
        return Search(
            np.concatenate(self._score),
            np.concatenate(self._total),
            origin,
            target,
            arc,
            np.concatenate([np.zeros(0), *self._weights]),
            np.concatenate(self._best_edge),
            self._levels,
            self._final[lattice.end],
        )

    def _keep(
        self,
        score: NDArray[np.float64],
        total: NDArray[np.float64],
        best_edge: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Numbers of new hypotheses."""
        self._score.append(score)
        self._total.append(total)
        self._best_edge.append(best_edge)
        self._hypotheses += len(score)
        return np.arange(self._hypotheses - len(score), self._hypotheses)

    def _expand(self, state: Any, nodes: NDArray[np.int64], hypotheses: NDArray[np.int64]) -> None:
        """Follow all arcs from the latest ``hypotheses``, at ``nodes``, which ascend."""
        lattice = self._lattice
        score, total = self._score[-1], self._total[-1]
        rank = total if self._by_total else score
        first = lattice.first_arc[nodes]
        sizes = lattice.first_arc[nodes + 1] - first
        rows, arc, weight = self._asked(state, nodes, first, sizes, rank)
        times = lattice.time[lattice.arcs.target[arc]]
        times[weight == -np.inf] = -1
        for time in np.flatnonzero(np.bincount(times + 1)[1:]).tolist():
            here = np.flatnonzero(times == time)
            mine = rows[here]
            self._waiting.setdefault(time, []).append(
                _Waiting(
                    state,
                    mine,
                    arc[here],
                    hypotheses[mine],
                    weight[here],
                    score[mine] + weight[here],
                    total[mine] + weight[here],
                )
            )

    def _asked(
        self,
        state: Any,
        nodes: NDArray[np.int64],
        first: NDArray[np.int64],
        sizes: NDArray[np.int64],
        rank: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Pairs of a stream and an arc that are worth following, and their weights, by the
        source but for what is sure."""
        alone = np.zeros(len(nodes), bool)
        if self._sure is not None and len(self._sure):
            alone = self._sure[np.minimum(first, len(self._sure) - 1)] & (sizes == 1)
            alone[1:] &= nodes[1:] != nodes[:-1]
            alone[:-1] &= nodes[1:] != nodes[:-1]
        others = np.flatnonzero(~alone)
        arc = stretches(first[others], sizes[others])
        rows = np.repeat(np.arange(len(others)), sizes[others])
        chosen, weight = self._promising(
            state.select(others) if alone.any() else state,
            nodes[others],
            rows,
            arc,
            sizes[others],
            rank[others][rows],
        )
        mine = np.flatnonzero(alone)
        return (
            np.concatenate((others[rows[chosen]], mine)),
            np.concatenate((arc[chosen], first[mine])),
            np.concatenate((weight, self._lattice.arcs.cost[first[mine]])),
        )

    def _promising(
        self,
        state: Any,
        nodes: NDArray[np.int64],
        rows: NDArray[np.int64],
        arc: NDArray[np.int64],
        sizes: NDArray[np.int64],
        rank: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Which of the pairs of a hypothesis in ``rows`` and an ``arc`` are worth asking the source
        about, and their weights.

        The best hypothesis of each node, its first one, is asked about all arcs. What an arc is
        worth to the others of the node is estimated by what it is worth to that one: histories
        compete in their own scores far more than in what they make of one more word.
        """
        first_of_node = np.diff(nodes, prepend=-1) != 0
        leading = np.flatnonzero(first_of_node[rows])
        # Of a few it is cheaper to ask about all at once.
        few = len(arc) <= FEW
        weight = self._prices(state, rows, arc) if few else np.empty(len(arc))
        if not few:
            weight[leading] = self._prices(state, rows[leading], arc[leading])
        if len(leading) == len(arc):
            return leading, weight
        target = self._lattice.arcs.target[arc]
        np.maximum.at(self._reached, target[leading], rank[leading] + weight[leading])
        # The same arc of the node's first hypothesis.
        begins = np.cumsum(sizes) - sizes
        first = np.maximum.accumulate(np.where(first_of_node, np.arange(len(nodes)), 0))
        back = begins - begins[first]
        estimate = weight[np.arange(len(arc)) - np.repeat(back, sizes)]
        hopeful = rank + estimate >= self._reached[target] - self._behind
        # Nothing is known where the first hypothesis cannot go on so.
        hopeful |= estimate == -np.inf
        hopeful[leading] = False
        others = np.flatnonzero(hopeful)
        if not few:
            weight[others] = self._prices(state, rows[others], arc[others])
        hopeful[leading] = True
        chosen = np.flatnonzero(hopeful)
        return chosen, weight[chosen]

    def _prices(
        self, state: Any, rows: NDArray[np.int64], arc: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """What each ``arc`` costs [n] behind stream ``rows[i]`` of ``state``."""
        arcs = self._lattice.arcs
        log_probs = self._log_probs(state, rows, arcs.token[arc], arcs.twin[arc])
        unknown = arcs.token[arc] == UNK
        log_probs += np.where(unknown, arcs.log_unknown[arc] + self._pricing.unknown, 0.0)
        if self._pricing.mix:
            log_probs += np.log1p(-self._pricing.mix)
            log_probs = np.logaddexp(log_probs, arcs.log_list[arc])
        return self._pricing.source * log_probs + arcs.cost[arc]

    def _log_probs(
        self,
        state: Any,
        rows: NDArray[np.int64],
        tokens: NDArray[np.int64],
        twins: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """log p [n] of ``tokens`` behind streams ``rows`` of ``state``, with those of the same
        words with other capitals."""
        doubled = twins.nonzero()[0]
        # One question is cheaper than two.
        rows = np.concatenate((rows, rows[doubled]))
        asked = np.concatenate((tokens, twins[doubled]))
        log_probs = log_probs_of_pairs(self._source, state, rows, asked)
        log_probs, more = log_probs[: len(tokens)], log_probs[len(tokens) :]
        log_probs[doubled] = np.logaddexp(log_probs[doubled], more)
        return log_probs

    def _step(self, time: int) -> None:
        """Make hypotheses of the ways that lead to nodes of ``time``, and follow their arcs."""
        waiting = self._waiting.pop(time)
        part = np.repeat(np.arange(len(waiting)), [len(w.rows) for w in waiting])
        ways = _Waiting.joined(waiting)
        node = self._lattice.arcs.target[ways.arc]
        ended = np.flatnonzero(self._is_end[node])
        if len(ended):
            # An end needs no state: all ways into it are one hypothesis.
            best, _ = self._merge(ways.at(ended), node[ended], np.zeros(len(ended), np.uint64))
            if self._last is not None:
                self._last.begin(len(best))
            self._final[node[ended[best]]] = np.arange(
                self._hypotheses - len(best), self._hypotheses
            )
        going = np.flatnonzero(~self._is_end[node])
        if not len(going):
            return
        rank = self._rank(ways)
        going = going[best_of_groups(node[going], rank[going], 2 * self._beam, self._behind)]
        going = going[np.argsort(part[going], kind="stable")]
        ways, node, part = ways.at(going), node[going], part[going]
        state = self._advance(waiting, part, ways)
        keys = state.keys()
        if self._last is not None:
            keys = self._last.after(ways.origin, self._lattice.arcs.token[ways.arc])
        best, hypotheses = self._merge(ways, node, _hashes(keys, len(state)))
        if self._last is not None:
            self._last.extend(keys[best])
        self._expand(state.select(best), node[best], hypotheses)

    def _rank(self, ways: _Waiting) -> NDArray[np.float64]:
        return ways.total if self._by_total else ways.score

    def _advance(self, waiting: Sequence[_Waiting], part: NDArray[np.int64], ways: _Waiting) -> Any:
        """The state after the last tokens of ``ways``, which come from ``part``, ascending, of
        those that waited."""
        bounds = np.searchsorted(part, np.arange(len(waiting) + 1)).tolist()
        states = [
            w.state.select(ways.rows[low:high])
            for w, low, high in zip(waiting, bounds[:-1], bounds[1:], strict=True)
            if high > low
        ]
        return advance(self._source, joined(states), self._lattice.arcs.token[ways.arc])

    def _merge(
        self, ways: _Waiting, node: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Make one hypothesis of all ways to one node with one key, and keep the best ones of
        each node: the best way to each, and its number."""
        rank = self._rank(ways)
        order = np.lexsort((-rank, keys, node))
        new = np.ones(len(order), bool)
        new[1:] = (node[order][1:] != node[order][:-1]) | (keys[order][1:] != keys[order][:-1])
        group = np.empty(len(order), np.int64)
        group[order] = np.cumsum(new) - 1
        best = order[new]
        kept = best_of_groups(node[best], rank[best], self._beam, self._behind)
        number = np.full(len(best), -1, np.int64)
        number[kept] = np.arange(len(kept))
        edges = np.flatnonzero(number[group] >= 0)
        target = number[group[edges]]
        score = np.full(len(kept), -np.inf)
        np.maximum.at(score, target, ways.score[edges])
        best_edge = np.empty(len(kept), np.int64)
        of_best = np.flatnonzero(ways.score[edges] == score[target])
        best_edge[target[of_best[::-1]]] = of_best[::-1] + self._edge_count
        total = log_sums(target, ways.total[edges], len(kept))
        self._edges.append((ways.origin[edges], target + self._hypotheses, ways.arc[edges]))
        self._weights.append(ways.weight[edges])
        self._levels.append((self._edge_count, self._edge_count + len(edges)))
        self._edge_count += len(edges)
        return best[kept], self._keep(score, total, best_edge)


def log_probs_of_pairs(
    source: LanguageModel,
    state: Any,
    rows: NDArray[np.int64],
    tokens: NDArray[np.int64],
) -> NDArray[np.float64]:
    """log p(``tokens[i]`` | stream ``rows[i]`` of ``state``) [n] of ragged questions."""
    if state.keys() is not None:
        # Where states are small it is cheaper to copy them than to fill up a rectangle.
        return log_probs_of(source, state.select(rows), tokens[:, None])[:, 0]
    if not len(rows):
        return np.zeros(0)
    streams, row = np.unique(rows, return_inverse=True)
    order = row.argsort(kind="stable")
    sizes = np.bincount(row)
    column = np.empty_like(row)
    column[order] = stretches(np.zeros_like(sizes), sizes)
    filled = np.full((len(sizes), int(sizes.max())), UNK, np.int64)
    filled[row, column] = tokens
    found = log_probs_of(source, state.select(streams), filled)
    return found[row, column].astype(np.float64)


def _hashes(keys: NDArray[np.int64] | None, streams: int) -> NDArray[np.uint64]:
    """A number for each of ``streams``, equal where the ``keys`` [streams, k] are; all different
    without."""
    if keys is None:
        return np.arange(streams, dtype=np.uint64)
    mixed = np.zeros(streams, np.uint64)
    for column in np.ascontiguousarray(keys.T).astype(np.uint64):
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed
