"""How careful the writer of each sentence was.

Errors come in clusters: most sentences have none, and where one word is surely wrong the next is
more likely to be. So each sentence has a level of noise, one of a few, and which one it is follows
from the sentence itself: the levels' totals over the ways that the search kept are compared
(Bayes' rule), and the sentence is then read at the rate that is expected of it. The search need
not be repeated, as a rate only changes what keeping and changing a word costs.

``E`` edges, ``H`` hypotheses, ``S`` sentences, ``K`` levels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.decoding.lattice import CHANGED, KEPT, STEP, Lattice
from lmkit.channel.decoding.search import Search
from lmkit.channel.groups import log_sums

LEVELS = ((0.1, 0.3), (1.0, 0.6), (6.0, 0.1))
"""Rate of errors in a sentence, as a multiple of the average, and the part of such sentences."""
HIGHEST = 0.5


def read_at_levels(search: Search, lattice: Lattice, keep: float) -> Search:
    """``search``, made with ``keep`` for all sentences, with each at its expected rate."""
    kind = lattice.arcs.kind
    inner = lattice.time[lattice.arcs.source] % STEP != 0
    kept = (kind == KEPT)[search.edge_arc].astype(float)
    changed = ((kind == CHANGED) & ~inner)[search.edge_arc].astype(float)
    sentence = _sentences(search)
    rates = np.minimum([factor * (1 - keep) for factor, _ in LEVELS], HIGHEST)
    for_kept = np.log1p(-rates) - np.log(keep)
    for_changed = np.log(rates) - np.log1p(-keep)
    totals = np.zeros((len(rates), len(search.final)))
    ended = search.final >= 0
    for level, (_, part) in enumerate(LEVELS):
        extra = kept * for_kept[level] + changed * for_changed[level]
        at_level = reweighted(search, extra)
        totals[level, ended] = at_level.total[search.final[ended]] + np.log(part)
    shares = np.exp(totals - totals.max(axis=0))
    expected = (rates @ shares / shares.sum(axis=0))[sentence[search.edge_from]]
    for_kept = np.log1p(-expected) - np.log(keep)
    for_changed = np.log(expected) - np.log1p(-keep)
    return reweighted(search, kept * for_kept + changed * for_changed)


def reweighted(search: Search, extra: NDArray[np.float64]) -> Search:
    """``search`` with ``extra`` [E] added to the weights of its edges."""
    weight = search.edge_weight + extra
    score = np.where(search.best_edge < 0, search.score, -np.inf)
    total = np.where(search.best_edge < 0, search.total, -np.inf)
    best_edge = search.best_edge.copy()
    for start, stop in search.levels:
        if start == stop:
            continue
        origin, target = search.edge_from[start:stop], search.edge_to[start:stop]
        low = int(target.min())
        ways = score[origin] + weight[start:stop]
        np.maximum.at(score, target, ways)
        best = np.flatnonzero(ways == score[target])[::-1]
        best_edge[target[best]] = best + start
        sums = log_sums(
            target - low, total[origin] + weight[start:stop], int(target.max()) - low + 1
        )
        total[low : low + len(sums)] = sums
    return replace(search, score=score, total=total, best_edge=best_edge, edge_weight=weight)


def _sentences(search: Search) -> NDArray[np.int64]:
    """The sentence of each hypothesis: [H]. The first ones are the sentences' beginnings."""
    sentence = np.zeros(len(search.score), np.int64)
    sentence[: len(search.final)] = np.arange(len(search.final))
    for start, stop in search.levels:
        sentence[search.edge_to[start:stop]] = sentence[search.edge_from[start:stop]]
    return sentence
