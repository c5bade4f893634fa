"""What a search through a lattice has kept.

The hypotheses that survived and the edges between them are a pruned lattice of their own, whose
forward and backward sums give posteriors. ``H`` is the number of hypotheses, ``E`` of edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.groups import log_sums


@dataclass(frozen=True, slots=True)
class Search:
    """What a beam search kept.

    ``score`` [H]: of the best way to a hypothesis; ``total`` [H]: log of the sum over all ways
    kept. ``edge_from``, ``edge_to`` [E]: hypotheses; ``edge_arc`` and ``edge_weight`` [E].
    ``best_edge`` [H]: the edge of the best way, -1 at the beginning. ``levels``: the edges
    [start, stop) into the hypotheses of each time, in order of time. ``final`` [S]: the
    hypothesis at the end of each sentence, -1 where no way leads there.
    """

    score: NDArray[np.float64]
    total: NDArray[np.float64]
    edge_from: NDArray[np.int64]
    edge_to: NDArray[np.int64]
    edge_arc: NDArray[np.int64]
    edge_weight: NDArray[np.float64]
    best_edge: NDArray[np.int64]
    levels: list[tuple[int, int]]
    final: NDArray[np.int64]

    def path(self, sentence: int) -> list[int]:
        """The arcs of the best way through ``sentence``."""
        arcs = []
        hypothesis = int(self.final[sentence])
        while hypothesis >= 0 and (edge := int(self.best_edge[hypothesis])) >= 0:
            arcs.append(int(self.edge_arc[edge]))
            hypothesis = int(self.edge_from[edge])
        return arcs[::-1]

    def posteriors(self, arcs: int) -> NDArray[np.float64]:
        """Posterior of each of ``arcs`` arcs [arcs]: the part of the total that goes through."""
        backward = np.full(len(self.score), -np.inf)
        final = self.final[self.final >= 0]
        backward[final] = -self.total[final]
        for start, stop in reversed(self.levels):
            if start == stop:
                continue
            origin = self.edge_from[start:stop]
            value = self.edge_weight[start:stop] + backward[self.edge_to[start:stop]]
            low = int(origin.min())
            sums = log_sums(origin - low, value, int(origin.max()) - low + 1)
            here = slice(low, low + len(sums))
            backward[here] = np.logaddexp(backward[here], sums)
        through = self.total[self.edge_from] + self.edge_weight + backward[self.edge_to]
        weights = np.exp(np.minimum(through, 0.0))
        return np.bincount(self.edge_arc, weights, arcs).astype(np.float64)

    def behind_best(self, arcs: int) -> NDArray[np.float64]:
        """How far the best way through each of ``arcs`` arcs [arcs] is behind the best way through
        its sentence; inf for those that no way kept goes through."""
        backward = np.full(len(self.score), -np.inf)
        final = self.final[self.final >= 0]
        backward[final] = -self.score[final]
        for start, stop in reversed(self.levels):
            value = self.edge_weight[start:stop] + backward[self.edge_to[start:stop]]
            np.maximum.at(backward, self.edge_from[start:stop], value)
        through = self.score[self.edge_from] + self.edge_weight + backward[self.edge_to]
        best = np.full(arcs, -np.inf)
        np.maximum.at(best, self.edge_arc, through)
        return -best
