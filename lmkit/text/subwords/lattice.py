"""All segmentations of many sequences at once, as arrays.

A sequence of ``n`` symbols has the nodes 0 to ``n``, one between each two symbols. An edge from
node ``a`` to node ``b`` is a piece that spells what stands between them. The nodes of all
sequences are numbered by time: node 0 of every sequence, then node 1, then node 2 of those that
are so long, and so on, with the longest sequences first. Then a step of an algorithm over
lattices is one operation on a slice of an array, whatever the number of sequences. The edges into
a node stand next to each other, the shortest first.

The forward pass works with logarithms, so that no length of a sequence underflows. It leaves for
each edge its probability among the edges into its node. What goes backward (expected counts,
sampling) only multiplies those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Choose = Callable[[NDArray[np.integer]], NDArray[np.integer]]
"""From nodes to the edge by which each is reached."""


class Nodes:
    """The nodes of sequences, numbered by time.

    ``symbols`` [S] are the symbols (not negative) of all sequences, concatenated; ``lengths`` [R]
    says how many each has (at least 1).
    """

    def __init__(self, symbols: NDArray[np.integer], lengths: Ints) -> None:
        self.order = np.argsort(-lengths, kind="stable")
        """The sequence that stands in each row [R]."""
        lengths, first = lengths[self.order], (np.cumsum(lengths) - lengths)[self.order]
        times = np.arange((int(lengths[0]) if len(lengths) else 0) + 1)
        width = np.searchsorted(-lengths, -times, side="right")
        self.base = np.concatenate([[0], np.cumsum(width)])
        """The first node of each time, and at last the number of nodes N."""
        time = np.repeat(times, width)
        self._time = time
        self.row = np.arange(len(time)) - self.base[time]
        """The row of each node [N]."""
        inner = time < lengths[self.row]
        self.symbols = np.full(len(time), -1, np.int64)
        """The symbol that follows each node [N], -1 at the end of its row."""
        self.symbols[inner] = symbols[(first[self.row] + time)[inner]]
        self.ends = self.base[lengths] + np.arange(len(lengths))
        """The last node of each row [R]."""

    def __len__(self) -> int:
        return int(self.base[-1])

    def after(self, nodes: Ints, length: int) -> Ints:
        """The nodes of the same rows that are ``length`` symbols behind ``nodes`` [n]."""
        return self.base[self._time[nodes] + length] + self.row[nodes]


@dataclass(frozen=True)
class Lattice:
    """The edges of all segmentations, sorted by the nodes that they lead to."""

    nodes: Nodes
    source: NDArray[np.int32]
    """The node that each edge comes from [E]."""
    piece: NDArray[np.int32]
    """The piece that each edge is [E]."""
    starts: Ints
    """The first edge into each node [N + 1]. Every node after time 0 has one at least."""

    @classmethod
    def of(cls, nodes: Nodes, matches: Iterable[tuple[Ints, Ints, Ints]]) -> Lattice:
        """The lattice of these (sources, targets, pieces). Each triple holds a target once at
        most; shorter pieces come before longer ones."""
        held = list(matches)
        counts = np.zeros(len(nodes), np.int64)
        for _, target, _ in held:
            counts[target] += 1
        starts = np.concatenate([[0], np.cumsum(counts)])
        free = starts[:-1].copy()
        source, piece = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32)
        for origin, target, number in held:
            place = free[target]
            source[place], piece[place] = origin, number
            free[target] += 1
        return cls(nodes, source, piece, starts)

    def only(self, new: NDArray[np.integer]) -> Lattice:
        """The lattice of fewer pieces: ``new`` [pieces] is the new number of each, or -1."""
        piece = new[self.piece]
        kept = piece >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        return Lattice(
            self.nodes, self.source[kept], piece[kept].astype(np.int32), before[self.starts]
        )

    def _steps(self) -> Iterator[tuple[slice, slice, Ints, Ints]]:
        """For each time but 0: its nodes, the edges into them, where those of each node begin
        among them, and how many it has."""
        degrees = np.diff(self.starts)
        base = self.nodes.base.tolist()
        for low, high in pairwise(base[1:]):
            starts = self.starts[low : high + 1]
            edges = slice(int(starts[0]), int(starts[-1]))
            yield slice(low, high), edges, starts[:-1] - starts[0], degrees[low:high]

    def forward(self, scores: Floats) -> tuple[Floats, Floats]:
        """The log-probability of each row over all its segmentations [R], with the log-probability
        ``scores`` [E] of each edge; and the probability of each edge among those into its node,
        given that node [E]."""
        total = np.zeros(len(self.nodes))
        weights = np.empty(len(scores))
        for nodes, edges, starts, degrees in self._steps():
            part = scores[edges] + total[self.source[edges]]
            largest = np.maximum.reduceat(part, starts)
            part -= np.repeat(largest, degrees)
            np.exp(part, out=part)
            summed = np.add.reduceat(part, starts)
            np.divide(part, np.repeat(summed, degrees), out=weights[edges])
            total[nodes] = largest + np.log(summed)
        return total[self.nodes.ends], weights

    def posteriors(self, weights: Floats, mass: Floats) -> Floats:
        """How often each edge is expected [E], if row ``i`` stands ``mass[i]`` times in the text
        [R]. ``weights`` come from `forward`."""
        through = np.zeros(len(self.nodes))
        through[self.nodes.ends] = mass
        expected = np.empty(len(weights))
        for nodes, edges, _, degrees in reversed(list(self._steps())):
            part = np.repeat(through[nodes], degrees)
            part *= weights[edges]
            expected[edges] = part
            # No two edges into nodes of one time come from the same node.
            through[self.source[edges]] += part
        return expected

    def best(self, scores: Floats) -> tuple[Floats, NDArray[np.int32]]:
        """The log-probability of the best segmentation of each row [R], and the last edge of the
        best way to each node [N]. If edges tie, the longest is taken (Viterbi)."""
        total = np.zeros(len(self.nodes))
        chosen = np.full(len(self.nodes), -1, np.int32)
        for nodes, edges, starts, degrees in self._steps():
            part = scores[edges] + total[self.source[edges]]
            largest = np.maximum.reduceat(part, starts)
            total[nodes] = largest
            hit = np.flatnonzero(part == np.repeat(largest, degrees))
            # The last assignment to a node stays: that of the longest edge.
            chosen[np.repeat(np.arange(nodes.start, nodes.stop), degrees)[hit]] = hit + edges.start
        return total[self.nodes.ends], chosen

    def best_with_leads(
        self, scores: Floats
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """The last edge of the best way to each node [N], as in `best`; by how much the best
        segmentation of each row is better than any other (infinity if there is no other) [R];
        and the sum of the absolute scores of its edges [R].

        Another segmentation joins the best one for the last time at some node, by an edge that is
        not the best one into it. So the lead is the smallest difference, among the nodes of the
        best segmentation, between the best way to the node and the second best.
        """
        total, lead, weight = np.zeros((3, len(self.nodes)))
        lead[:] = np.inf
        chosen = np.full(len(self.nodes), -1, np.int32)
        for nodes, edges, starts, degrees in self._steps():
            part = scores[edges] + total[self.source[edges]]
            largest = np.maximum.reduceat(part, starts)
            total[nodes] = largest
            hit = np.flatnonzero(part == np.repeat(largest, degrees))
            chosen[np.repeat(np.arange(nodes.start, nodes.stop), degrees)[hit]] = hit + edges.start
            edge = chosen[nodes]
            part[edge - edges.start] = -np.inf
            lead[nodes] = np.minimum(
                largest - np.maximum.reduceat(part, starts), lead[self.source[edge]]
            )
            weight[nodes] = weight[self.source[edge]] + np.abs(scores[edge])
        return chosen, lead[self.nodes.ends], weight[self.nodes.ends]

    def drawn(self, weights: Floats, generator: np.random.Generator) -> Choose:
        """Draws an edge into each node by the ``weights`` of `forward`; so `trace` goes backward
        through a sample of all segmentations."""
        summed = np.concatenate([[0.0], np.cumsum(weights)])

        def choose(nodes: NDArray[np.integer]) -> NDArray[np.integer]:
            first, last = self.starts[nodes], self.starts[nodes + 1]
            low, high = summed[first], summed[last]
            point = low + generator.random(len(nodes)) * (high - low)
            return np.clip(np.searchsorted(summed, point, side="right") - 1, first, last - 1)

        return choose

    def trace(self, rows: NDArray[np.integer], choose: Choose) -> tuple[NDArray[np.int32], Ints]:
        """The pieces of one segmentation of each of ``rows`` [n], concatenated, and how many each
        has [n]. ``choose`` says how a node is reached."""
        nodes, which = self.nodes.ends[rows], np.arange(len(rows))
        counts = np.zeros(len(rows), np.int64)
        steps: list[tuple[NDArray[np.integer], NDArray[np.integer]]] = []
        while len(which):
            edges = choose(nodes)
            steps.append((which, self.piece[edges]))
            counts[which] += 1
            nodes = self.source[edges]
            going = nodes >= self.nodes.base[1]
            nodes, which = nodes[going], which[going]
        ends = np.cumsum(counts)
        pieces = np.empty(int(counts.sum()), np.int32)
        for back, (at, piece) in enumerate(steps, start=1):
            pieces[ends[at] - back] = piece
        return pieces, counts
