"""From the best way through a lattice to changes of the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmkit.channel.corrections import Candidate, Change, Correction
from lmkit.channel.decoding.building import Piece
from lmkit.channel.decoding.lattice import CHANGED, STEP, Lattice
from lmkit.channel.decoding.search import Search
from lmkit.channel.decoding.surface import Line, dressed

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector

MOST_RUNNERS_UP = 4
UNLIKELY = 0.001
"""Readings with a lower posterior are not mentioned."""


class ChangeReader:
    """Reads changes off one searched ``lattice``."""

    def __init__(self, corrector: Corrector, lattice: Lattice, search: Search) -> None:
        self._lexicon = corrector.lexicon
        self._surface = corrector.surface
        self._channel = corrector.channel
        self._weights = corrector.weights
        self._explain = corrector.explain
        self._lattice = lattice
        self._search = search
        self._posterior = search.posteriors(len(lattice.arcs))

    def changes(self, line: Line, piece: Piece, first: int, sentence: int) -> Iterator[Change]:
        """The changes of ``piece`` of ``line`` along its best way. It is sentence number
        ``sentence`` of the lattice, its first token number ``first`` there."""
        arcs = self._lattice.arcs
        path = self._search.path(sentence)
        place = 0
        while place < len(path):
            arc = path[place]
            place += 1
            if arcs.kind[arc] != CHANGED:
                continue
            reading = [arc]
            while place < len(path) and arcs.typed[path[place]] == arcs.typed[arc]:
                reading.append(path[place])
                place += 1
            others = self.readings(arc)
            # In all ways together another reading may be likelier, also the word as it was typed.
            time, end = self._lattice.time, arcs.target[reading[-1]]
            reading = next((r for r in others if time[arcs.target[r[-1]]] <= time[end]), reading)
            if arcs.kind[reading[0]] == CHANGED:
                begin = piece.begin + int(arcs.typed[arc]) - first
                yield self._change(line, begin, reading, others, sentence)

    def _change(
        self,
        line: Line,
        begin: int,
        reading: Sequence[int],
        others: Sequence[Sequence[int]],
        sentence: int,
    ) -> Change:
        start, original = self.span(line, begin, reading[0])
        return Change(
            start,
            len(original),
            original,
            self.text(line, begin, reading),
            float(self._posterior[reading[0]]),
            tuple(
                (self.text(line, begin, other), float(self._posterior[other[0]]))
                for other in others
                if other[0] != reading[0]
            )[:MOST_RUNNERS_UP],
            tuple(self.candidates(line, begin, others, sentence)) if self._explain else (),
        )

    def readings(self, arc: int, least: float = UNLIKELY) -> list[list[int]]:
        """All readings with a posterior of ``least`` or more from the node where ``arc`` begins,
        the likeliest first; a reading is one arc, or several behind each other."""
        lattice = self._lattice
        node = int(lattice.arcs.source[arc])
        here = np.arange(lattice.first_arc[node], lattice.first_arc[node + 1])
        here = here[self._posterior[here] >= least]
        here = here[np.argsort(-self._posterior[here], kind="stable")]
        return [self._whole(first) for first in here.tolist()]

    def _whole(self, arc: int) -> list[int]:
        """``arc``, and those behind it inside the same typed token."""
        lattice, reading = self._lattice, [arc]
        while lattice.time[lattice.arcs.target[reading[-1]]] % STEP:
            reading.append(int(lattice.first_arc[lattice.arcs.target[reading[-1]]]))
        return reading

    def candidates(
        self,
        line: Line,
        begin: int,
        readings: Sequence[Sequence[int]],
        sentence: int,
        edits: bool = True,
    ) -> list[Candidate]:
        """What speaks for each of ``readings`` of token ``begin``; without ``edits`` they come
        without these, which take longest to find."""
        arcs = self._lattice.arcs
        total = float(self._search.total[self._search.final[sentence]])
        typed, intended = [], []
        for reading in readings:
            typed.append(self.span(line, begin, reading[0])[1].lower())
            rows = arcs.label[list(reading)].tolist()
            words = (self._lexicon.words[row] if row >= 0 else typed[-1] for row in rows)
            intended.append(" ".join(words))
        log_channel = self._channel.log_probs(typed, intended).tolist()
        found = []
        for x, y, log_prob, reading in zip(typed, intended, log_channel, readings, strict=True):
            posterior = float(self._posterior[reading[0]])
            cost = float(arcs.cost[list(reading)].sum())
            with np.errstate(divide="ignore"):
                log_source = (float(np.log(posterior)) + total - cost) / self._weights.source
            way = tuple(self._channel.path(x, y)) if edits else ()
            text = self.text(line, begin, reading)
            found.append(Candidate(text, log_prob, log_source, posterior, way))
        return found

    def span(self, line: Line, begin: int, arc: int) -> tuple[int, str]:
        """Where in ``line`` what ``arc`` may stand for was typed, and the typed text."""
        time = self._lattice.time
        arcs = self._lattice.arcs
        wide = int(time[arcs.target[arc]] - time[arcs.source[arc]]) // STEP
        last = begin + max(1, wide) - 1
        start = line.offsets[begin]
        stop = line.offsets[last] + len(self._surface.tokens[line.tokens[last]].text)
        return start, line.text[start:stop]

    def text(self, line: Line, begin: int, reading: Sequence[int]) -> str:
        """``reading`` as it is written in place of token ``begin``."""
        token = self._surface.tokens[line.tokens[begin]]
        words = []
        for place, row in enumerate(self._lattice.arcs.label[list(reading)].tolist()):
            if row < 0:
                words.append(token.text)
                continue
            pattern = token.pattern if place == 0 or token.pattern == 2 else 0
            capital = bool(self._lexicon.capitals[row])
            words.append(dressed(self._lexicon.words[row], pattern, token.text, capital))
        return " ".join(words)


def corrected(text: str, changes: Sequence[Change]) -> Correction:
    """``text`` with its ``changes``, in order, made."""
    parts, place = [], 0
    for change in changes:
        parts += [text[place : change.offset], change.replacement]
        place = change.offset + change.length
    return Correction(text, "".join([*parts, text[place:]]), tuple(changes))
