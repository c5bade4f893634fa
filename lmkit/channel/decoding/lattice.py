"""All that may have been meant by a batch of sentences, as one graph in flat arrays.

A node is a place in a sentence; an arc goes on to a later place with one token of the source model,
which may have been meant by what was typed in between: the typed token itself, another word, one
of several words typed as one (a node inside the typed token for each space that was lost), or one
word for two typed tokens. Each path from a sentence's first node to its last is an intended text
y, the sum of its ``cost`` the channel's log p(x|y).

``M`` nodes, ``A`` arcs, ``S`` sentences. Nodes of all sentences go in step by ``time``, in which
a typed token is `STEP` long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.groups import Columns

STEP = 16
"""Time of a typed token; a word may be split into at most as many."""


@dataclass(frozen=True, slots=True)
class Arcs(Columns):
    """``source`` and ``target``: nodes. ``token``: of the source model; ``twin``: the same word
    with other capitals, whose probability is added, 0 for none. ``log_unknown``: log of
    what multiplies the source's probability: p(spelling | <unk>) for a word that it does not know,
    else 0. ``log_list``: log of the word list's share, -inf without. ``cost``: the channel's
    part. ``kind``: `KEPT`, `FIXED` or `CHANGED`. ``label``: row in the lexicon, -1 for what is
    kept. ``typed``: the typed token it begins at. All [A]."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    token: NDArray[np.int64]
    twin: NDArray[np.int64]
    log_unknown: NDArray[np.float64]
    log_list: NDArray[np.float64]
    cost: NDArray[np.float64]
    kind: NDArray[np.int8]
    label: NDArray[np.int64]
    typed: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)


FIXED, KEPT, CHANGED = 0, 1, 2
"""Kinds of arcs: what cannot be corrected, a word as it was typed, and another."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """``arcs`` sorted by their source: those of node ``m`` are ``first_arc[m]`` to
    ``first_arc[m + 1]``. ``time`` [M], ``start`` and ``end`` [S]: nodes."""

    time: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    arcs: Arcs
    first_arc: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        time: NDArray[np.int64],
        start: NDArray[np.int64],
        end: NDArray[np.int64],
        arcs: Arcs,
    ) -> Lattice:
        arcs = arcs.at(np.argsort(arcs.source, kind="stable"))
        first_arc = np.searchsorted(arcs.source, np.arange(len(time) + 1))
        return cls(time, start, end, arcs, first_arc)

    def sentences(self) -> NDArray[np.int64]:
        """The number of the sentence that each arc is in: [A]."""
        # Sentences have a stretch of nodes each, one behind the other, and behind these are the
        # nodes inside typed tokens; no arc has two of those.
        outer = np.minimum(self.arcs.source, self.arcs.target)
        return np.searchsorted(self.start, outer, side="right") - 1

    def sure(self) -> NDArray[np.bool_]:
        """Which arcs [A] are part of every way through their sentence, and no change of it."""
        arcs = self.arcs
        base = self.sentences() * (int(self.time.max(initial=0)) + 1)
        begin, end = base + self.time[arcs.source], base + self.time[arcs.target]
        # What has begun before an arc ends, and not ended before it begins, is beside it.
        begun = np.searchsorted(np.sort(begin), end)
        ended = np.searchsorted(np.sort(end), begin, side="right")
        return (begun - ended == 1) & (arcs.kind != CHANGED)

    def thinned(self, kept: NDArray[np.integer]) -> Lattice:
        """The same with the arcs ``kept`` alone, which ascend; they are numbered anew."""
        first_arc = np.searchsorted(kept, self.first_arc)
        return replace(self, arcs=self.arcs.at(kept), first_arc=first_arc)
