"""Words put apart: spaces for text that has lost them, and no other change.

A noisy channel of its own, which drops spaces and nothing else: what may have been meant is every
way to cut the text into words, and the source model says which is likeliest. The lattice has a
node between any two letters that a space may stand between; its arcs are words of the lexicon,
words with a slip, and unknown words (`parts`). A space is put wherever more than half of the
probability of all ways has a word begin, so that as many boundaries as can be are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.corrections import Change, Correction
from lmkit.channel.decoding.changes import corrected
from lmkit.channel.decoding.lattice import CHANGED, Arcs, Lattice
from lmkit.channel.groups import stretches
from lmkit.channel.splitting.letters import Letters
from lmkit.channel.splitting.parts import PartFinder, Parts
from lmkit.channel.splitting.prices import Prices
from lmkit.channel.splitting.reading import Reading
from lmkit.channel.splitting.spacing import spaces

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector

SURE = 0.5
"""Posterior of a boundary from which on it is one."""
BLOCK = 100_000
"""About how many characters are searched together."""
BATCH_LETTERS = 30_000
"""About how many letters are looked up together."""


class Splitter:
    """Puts spaces into lines with the source and lexicon of ``corrector``."""

    def __init__(self, corrector: Corrector, prices: Prices | None = None) -> None:
        self.corrector = corrector
        self._prices = prices or Prices()
        self._finder = PartFinder(corrector.lexicon, self._prices)

    def split(self, lines: Sequence[str]) -> list[Correction]:
        """``lines``, with the spaces that they lack; as they are where no word is known."""
        if not len(self.corrector.lexicon):
            return [corrected(line, []) for line in lines]
        boundaries: list[list[tuple[int, float]]] = [[] for _ in lines]
        for reading in Reading.blocks(lines, self.corrector.surface, BLOCK):
            lattice = self._lattice(reading)
            search = self.corrector.search(lattice, mix=self._finder.mix, relative=True)
            posterior = search.posteriors(len(lattice.arcs))
            begun = np.bincount(lattice.arcs.source, posterior, len(lattice.time))
            for piece in reading.pieces:
                last = piece.node + piece.end - piece.begin
                places = np.flatnonzero(begun[piece.node : last] >= SURE)
                boundaries[piece.line] += zip(
                    (places + piece.begin).tolist(),
                    begun[places + piece.node].tolist(),
                    strict=True,
                )
        return [_spaced(line, found) for line, found in zip(lines, boundaries, strict=True)]

    def _lattice(self, reading: Reading) -> Lattice:
        source, target = np.array(reading.source, np.int64), np.array(reading.target, np.int64)
        token, row = np.array(reading.token, np.int64), np.array(reading.row, np.int64)
        log_list = np.where(row >= 0, self._finder.log_list[row], -np.inf)
        log_unknown, cost = np.zeros(len(source)), np.array(reading.cost, float)
        if reading.texts:
            parts, node = self._parts(reading)
            source = np.concatenate([source, node])
            target = np.concatenate([target, node + parts.length])
            token = np.concatenate([token, parts.token])
            row = np.concatenate([row, parts.row])
            log_list = np.concatenate([log_list, parts.log_list])
            log_unknown = np.concatenate([log_unknown, parts.log_unknown])
            cost = np.concatenate([cost, parts.cost])
        goes_on = np.arange(reading.size)
        for before, behind in reading.joins:
            goes_on[before] = behind
        many = np.arange(len(source))
        kind = np.full(len(source), CHANGED, np.int8)
        twin = np.zeros_like(token)
        arcs = Arcs(
            source, goes_on[target], token, twin, log_unknown, log_list, cost, kind, row, many
        )
        first = np.array([piece.node for piece in reading.pieces], np.int64)
        sizes = np.diff(np.append(first, reading.size))
        time = stretches(np.zeros_like(first), sizes)
        return Lattice.of(time, np.array(reading.start, np.int64), first + sizes - 1, arcs)

    def _parts(self, reading: Reading) -> tuple[Parts, NDArray[np.int64]]:
        """The promising parts of all stretches, and the node before each."""
        found: list[Parts] = []
        nodes: list[NDArray[np.int64]] = []
        sizes = np.fromiter(map(len, reading.texts), np.int64, len(reading.texts))
        batch = np.cumsum(sizes) // BATCH_LETTERS
        bounds = np.flatnonzero(np.diff(batch, prepend=-1, append=batch[-1] + 1)).tolist()
        entries: dict[int, list[tuple[int, float]]] = {}
        for node, length, price in reading.entries:
            entries.setdefault(node, []).append((length, price))
        for low, high in pairwise(bounds):
            letters = Letters(reading.texts[low:high], reading.places[low:high])
            stretch = reading.stretch[low:high]
            first = letters.first.tolist()
            here = [
                (letter, length, price)
                for letter, node in zip(first, stretch, strict=True)
                for length, price in entries.get(node, ())
            ]
            found.append(self._finder.find(letters, here))
            node = np.array(stretch) - letters.first
            number = np.searchsorted(letters.first, found[-1].start, side="right") - 1
            nodes.append(found[-1].start + node[number])
        return Parts.joined(found), np.concatenate(nodes)


def _spaced(line: str, boundaries: Sequence[tuple[int, float]]) -> Correction:
    """``line`` with a space at each of the ``boundaries`` (place, posterior) between its tokens
    that people put one at."""
    bounds = [*(place for place, _ in boundaries), len(line)]
    parts = [
        (begin, begin + max(1, len(line[begin:end].rstrip()))) for begin, end in pairwise(bounds)
    ]
    changes = [
        Change(place, 0, "", " ", posterior)
        for (place, posterior), (_, end), apart in zip(
            boundaries[1:], parts[:-1], spaces(line, parts)[1:], strict=True
        )
        if apart and end == place
    ]
    return corrected(line, changes)
