"""A unigram language model in use: the best segmentation, the n best, samples, and probabilities.

A segmentation of a sequence has the product of the probabilities of its pieces; the sequence has
the sum over all its segmentations (Kudo 2018, sections 3.2 and 3.3). Sequences come as symbols
(`lmkit.text.subwords.unigram_text`), concatenated, and lengths; each is segmented by itself. A
symbol that is no piece is a token of its own, whose number is ``-1 - symbol``.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.text.subwords.lattice import Choose, Floats, Ints, Lattice, Nodes
from lmkit.text.subwords.trie import Trie, spelling_of

MOST_SYMBOLS = 1 << 18
"""So many symbols go through at once."""
Segmented = tuple[NDArray[np.int32], Ints]
"""The numbers of tokens of all sequences, concatenated, and how many each sequence has."""


class Segmenter:
    """Segments by ``pieces`` [P], which are distinct, and natural ``log_probs`` [P], which are
    finite.

    ``unknown`` says from symbols [n] that are no piece the log-probability of each [n].
    """

    def __init__(
        self,
        pieces: Sequence[str],
        log_probs: Floats,
        unknown: Callable[[NDArray[np.integer]], Floats],
    ) -> None:
        self._trie = Trie(*spelling_of(pieces))
        self._log_probs = np.asarray(log_probs, np.float64)
        self._unknown = unknown

    def best(self, symbols: Ints, lengths: Ints) -> Segmented:
        """The most probable segmentation of each sequence. If two ways to a place in a sequence
        are equally probable, that with the longer last piece is taken."""

        def choose(lattice: Lattice) -> Choose:
            _, chosen = lattice.best(self._scores(lattice))
            return lambda nodes: chosen[nodes]

        return self._each(symbols, lengths, np.arange(len(lengths)), choose)

    def best_with_leads(self, symbols: Ints, lengths: Ints) -> tuple[Segmented, Floats, Floats]:
        """The same; by how much it is better than any other segmentation [R]; and the sum of
        the absolute log-probabilities of its tokens [R]."""
        leads, weights = np.full(len(lengths), np.inf), np.zeros(len(lengths))
        left = np.flatnonzero(lengths)  # lattices come in this order

        def choose(lattice: Lattice) -> Choose:
            nonlocal left
            which = left[lattice.nodes.order]
            left = left[len(which) :]
            chosen, leads[which], weights[which] = lattice.best_with_leads(self._scores(lattice))
            return lambda nodes: chosen[nodes]

        return self._each(symbols, lengths, np.arange(len(lengths)), choose), leads, weights

    def sample(
        self,
        symbols: Ints,
        lengths: Ints,
        alpha: float,
        generator: np.random.Generator,
        which: Ints | None = None,
    ) -> Segmented:
        """A segmentation of each sequence, or of each of the numbers ``which`` [n], which may
        repeat. It is drawn by its probability to the power ``alpha``: forward filtering, backward
        sampling. 0 draws from all alike, infinity would be the best."""

        def choose(lattice: Lattice) -> Choose:
            _, weights = lattice.forward(self._scores(lattice) * alpha)
            return lattice.drawn(weights, generator)

        which = np.arange(len(lengths)) if which is None else which
        return self._each(symbols, lengths, which, choose)

    def log_probs(self, symbols: Ints, lengths: Ints) -> Floats:
        """log p of each sequence, over all its segmentations [R]."""
        found = np.zeros(len(lengths))
        for which, lattice in self._blocks(symbols, lengths):
            found[which], _ = lattice.forward(self._scores(lattice))
        return found

    def n_best(self, symbols: Ints, lengths: Ints, n: int) -> list[tuple[float, list[int]]]:
        """The ``n`` most probable segmentations, or all if they are fewer, of all sequences one
        after the other as one text: log-probabilities and numbers of tokens, the best first.

        Exact: at each place the ``n`` best ways to it are kept.
        """
        edges: list[list[tuple[int, float, int]]] = [[] for _ in range(int(lengths.sum()) + 1)]
        first = np.cumsum(lengths) - lengths
        for which, lattice in self._blocks(symbols, lengths):
            nodes = lattice.nodes
            time = np.repeat(np.arange(len(nodes.base) - 1), np.diff(nodes.base))
            place = first[which][nodes.row] + time
            target = np.repeat(place, np.diff(lattice.starts))
            rows = (target, place[lattice.source], self._scores(lattice), lattice.piece)
            for to, since, score, piece in zip(*(row.tolist() for row in rows), strict=True):
                edges[to].append((since, score, piece))
        # A way to a place: minus its log-probability, its last piece, and the way before that.
        ways: list[list[tuple[float, int, tuple]]] = [[(0.0, 0, ())]]
        for into in edges[1:]:
            lists = [
                [(way[0] - score, piece, way) for way in ways[since]]
                for since, score, piece in reversed(into)
            ]
            merged = heapq.merge(*lists, key=lambda way: way[0])
            ways.append([way for way, _ in zip(merged, range(n), strict=False)])
        return [(-way[0], _numbers(way)) for way in ways[-1]]

    def _scores(self, lattice: Lattice) -> Floats:
        """The log-probability of each edge [E]."""
        piece = lattice.piece
        unknown = np.flatnonzero(piece < 0)
        if not len(unknown):
            return self._log_probs[piece]
        scores = np.empty(len(piece))
        known = np.flatnonzero(piece >= 0)
        scores[known] = self._log_probs[piece[known]]
        distinct, which = np.unique(-1 - piece[unknown], return_inverse=True)
        scores[unknown] = self._unknown(distinct)[which]
        return scores

    def _lattice(self, symbols: Ints, lengths: Ints) -> Lattice:
        nodes = Nodes(symbols, lengths)
        alone = nodes.symbols >= 0
        matches: list[tuple[Ints, Ints, Ints]] = []
        for match in self._trie.matches(nodes):
            if not matches:
                alone[match[0]] = False
            matches.append(match)
        source = np.flatnonzero(alone)
        unknown = (source, nodes.after(source, 1), -1 - nodes.symbols[source])
        return Lattice.of(nodes, [unknown, *matches])

    def _blocks(self, symbols: Ints, lengths: Ints) -> Iterator[tuple[Ints, Lattice]]:
        """The sequences that are not empty, by their numbers in the order of the rows of a
        lattice, in lattices of bounded size."""
        ends = np.cumsum(lengths)
        start = 0
        while start < len(lengths):
            before = int(ends[start] - lengths[start])
            stop = int(np.searchsorted(ends, before + MOST_SYMBOLS, side="right"))
            stop = max(stop, start + 1)
            which = start + np.flatnonzero(lengths[start:stop])
            if len(which):
                lattice = self._lattice(symbols[before : ends[stop - 1]], lengths[which])
                yield which[lattice.nodes.order], lattice
            start = stop

    def _each(
        self,
        symbols: Ints,
        lengths: Ints,
        which: Ints,
        choose: Callable[[Lattice], Choose],
    ) -> Segmented:
        """The segmentation that ``choose`` makes of each of the sequences ``which`` [n]."""
        counts = np.zeros(len(which), np.int64)
        done: list[tuple[Ints, NDArray[np.int32]]] = []
        row_of = np.full(len(lengths), -1, np.int64)
        for sequences, lattice in self._blocks(symbols, lengths):
            row_of[sequences] = np.arange(len(sequences))
            asked = np.flatnonzero(row_of[which] >= 0)
            numbers, counts[asked] = lattice.trace(row_of[which[asked]], choose(lattice))
            row_of[sequences] = -1
            done.append((asked, numbers))
        starts = np.cumsum(counts) - counts
        every = np.empty(int(counts.sum()), np.int32)
        for asked, numbers in done:
            many = counts[asked]
            shift = starts[asked] - (np.cumsum(many) - many)
            every[np.repeat(shift, many) + np.arange(len(numbers))] = numbers
        return every, counts


def _numbers(way: tuple) -> list[int]:
    found = []
    while way[2]:
        found.append(way[1])
        way = way[2]
    return found[::-1]
