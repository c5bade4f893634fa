"""Correction of text: `Corrector`, from lines to corrected lines.

A line is cut into tokens (`lmkit.channel.surface`), each distinct token gets its readings
(`readings`), the readings of many sentences make one lattice (`building`), which is searched with
the source model (`decoder`). The best way says what was meant; the sums over all ways kept say
how sure that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lmkit.channel.base import ErrorModel
from lmkit.channel.building import LatticeBuilder, Piece, Weights, pieces_of
from lmkit.channel.candidates import CandidateFinder
from lmkit.channel.decoder import BEAM, BEHIND, BeamSearch, Pricing, Search
from lmkit.channel.lattice import CHANGED, STEP, Lattice
from lmkit.channel.lexicon import Lexicon, read_word_list
from lmkit.channel.readings import Readings
from lmkit.channel.surface import Line, Surface, dressed
from lmkit.errors import UnsupportedError
from lmkit.model import UNK, LanguageModel

BATCH_TOKENS = 20_000
"""About how many tokens are searched together."""
MOST_RUNNERS_UP = 4
UNLIKELY = 0.001
"""Readings with a lower posterior are not mentioned."""


@dataclass(frozen=True, slots=True)
class Change:
    """``length`` characters at ``offset`` of the line, ``original``, become ``replacement``.
    ``posterior``: how likely that is what was meant; ``runners_up``: other readings (the original
    may be one of them) with theirs, the likeliest first."""

    offset: int
    length: int
    original: str
    replacement: str
    posterior: float
    runners_up: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """A line and what it was corrected to."""

    line: str
    corrected: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word that may have been meant: log p(typed | it), log p(it | its place), and its
    posterior among all readings, the typed word itself with them."""

    text: str
    log_channel: float
    log_source: float
    posterior: float


class Corrector:
    """Corrects text with a source model behind a channel.

    ``model`` is a noisy channel (its ``source``, ``channel`` and ``weights`` are taken), or any
    language model of words with a ``channel`` given. ``lexicon``: a word list with or without
    counts, a file or a mapping; ``dictionary``: the user's own words, a file or words.
    ``threshold``: changes with a lower posterior are not made. ``beam``: hypotheses kept at each
    place.

    Raises `UnsupportedError` for a source model whose tokens are no words.
    """

    def __init__(
        self,
        model: Any,
        *,
        channel: ErrorModel | None = None,
        lexicon: str | Path | Mapping[str, float] | None = None,
        dictionary: str | Path | Iterable[str] | None = None,
        beam: int = BEAM,
        behind: float = BEHIND,
        threshold: float = 0.0,
        channel_weight: float | None = None,
        weights: Weights | None = None,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        self.source: LanguageModel = getattr(model, "source", model)
        self.channel: ErrorModel = channel if channel is not None else model.channel
        if self.source.unit != "word":
            raise UnsupportedError(
                f"the source model's tokens are {self.source.unit}s: text is corrected word by word",
                "a source model of words (--tokenizer word)",
            )
        self.weights = weights or Weights()
        if channel_weight is not None:
            self.weights = replace(self.weights, channel=channel_weight)
        if lexicon is not None and not isinstance(lexicon, Mapping):
            lexicon = read_word_list(lexicon)
        if isinstance(dictionary, str | Path):
            dictionary = list(read_word_list(dictionary))
        self.lexicon = Lexicon.of(self.source, lexicon, dictionary or ())
        self.finder = CandidateFinder(self.lexicon, self.channel)
        self._beam = beam
        self._behind = behind
        self._threshold = threshold
        self._batch_tokens = batch_tokens
        self._unknown = self._expected_unknown()
        self._surface = Surface(self.source, self.lexicon)
        self._readings = Readings(self.source, self.finder)
        self._builder = LatticeBuilder(self._surface, self._readings, self.weights)

    def correct(self, lines: Sequence[str]) -> list[Correction]:
        """What each line was meant to be."""
        return list(self.correct_stream(lines))

    def correct_stream(self, lines: Iterable[str]) -> Iterator[Correction]:
        """The same, line by line, reading no further ahead than a batch."""
        read: list[Line] = []
        size = 0
        for line in lines:
            read.append(self._surface.read(line))
            size += len(read[-1].tokens)
            if size >= self._batch_tokens:
                yield from self._correct(read)
                read, size = [], 0
        yield from self._correct(read)

    def _correct(self, lines: list[Line]) -> Iterator[Correction]:
        pieces = [
            p for number, line in enumerate(lines) for p in pieces_of(line, number, self._surface)
        ]
        if not pieces:
            return
        lattice = self._builder.build(lines, pieces)
        search = self.search(lattice)
        posterior = search.posteriors(len(lattice.arcs))
        changes: list[list[Change]] = [[] for _ in lines]
        first = 0
        for number, piece in enumerate(pieces):
            path = search.path(number)
            self._read_changes(
                lines[piece.line], piece, first, path, lattice, posterior, changes[piece.line]
            )
            first += piece.end - piece.begin
        for line, made in zip(lines, changes, strict=True):
            yield _corrected(line.text, made)

    def search(self, lattice: Lattice, by_total: bool = False) -> Search:
        """The beam search of ``lattice``."""
        pricing = Pricing(self.weights.source, self.lexicon.mix, self._unknown)
        return BeamSearch(lattice, self.source, pricing, self._beam, self._behind, by_total).run()

    def _read_changes(self, line, piece, first, path, lattice, posterior, changes) -> None:
        arcs = lattice.arcs
        i = 0
        while i < len(path):
            arc = path[i]
            i += 1
            if arcs.kind[arc] != CHANGED:
                continue
            many = [arc]
            while i < len(path) and arcs.typed[path[i]] == arcs.typed[arc]:
                many.append(path[i])
                i += 1
            sure = float(posterior[arc])
            if sure < self._threshold:
                continue
            begin = piece.begin + int(arcs.typed[arc]) - first
            start, stop, original = self._span(line, begin, arc, lattice)
            runners = self._runners_up(line, begin, arc, lattice, posterior)
            text = self._text(many, line, begin, arcs)
            changes.append(Change(start, stop - start, original, text, sure, runners))

    def _span(self, line: Line, begin: int, arc: int, lattice: Lattice) -> tuple[int, int, str]:
        last = begin + max(1, _width(lattice, arc)) - 1
        start = line.offsets[begin]
        stop = line.offsets[last] + len(self._surface.tokens[line.tokens[last]].text)
        return start, stop, line.text[start:stop]

    def _text(self, many: list[int], line: Line, begin: int, arcs: Any) -> str:
        token = self._surface.tokens[line.tokens[begin]]
        words = [
            dressed(
                self.lexicon.words[arcs.label[arc]],
                token.pattern if place == 0 or token.pattern == 2 else 0,
                token.text,
                bool(self.lexicon.capitals[arcs.label[arc]]),
            )
            for place, arc in enumerate(many)
        ]
        return " ".join(words)

    def _runners_up(
        self, line: Line, begin: int, chosen: int, lattice: Lattice, posterior: Any
    ) -> tuple[tuple[str, float], ...]:
        """Other readings from the place where ``chosen`` begins."""
        arcs = lattice.arcs
        node = int(arcs.source[chosen])
        here = range(int(lattice.first_arc[node]), int(lattice.first_arc[node + 1]))
        others = [arc for arc in here if arc != chosen and posterior[arc] >= UNLIKELY]
        others.sort(key=lambda arc: -posterior[arc])
        found = []
        for arc in others[:MOST_RUNNERS_UP]:
            if arcs.label[arc] < 0:
                text = self._surface.tokens[line.tokens[begin]].text
            else:
                many = [arc]
                if _width(lattice, arc) == 0:
                    many.append(int(lattice.first_arc[arcs.target[arc]]))
                text = self._text(many, line, begin, arcs)
            found.append((text, float(posterior[arc])))
        return tuple(found)

    def _expected_unknown(self) -> float:
        """What to add to log p(<unk> | h): a vocabulary that was never limited has met no
        unknown word, and as many are to be expected as it has words seen once (Good 1953)."""
        if self.weights.unknown is not None:
            return self.weights.unknown
        counts = np.asarray(self.source.vocabulary.counts)
        once = int((counts[3:] == 1).sum())
        if not once or counts[UNK]:
            return 0.0
        learnt = float(self.source.log_probs_of(self.source.start(1), np.array([[UNK]]))[0, 0])
        return max(0.0, float(np.log(once / counts.sum())) - learnt)


def _width(lattice: Lattice, arc: int) -> int:
    """How many typed tokens an arc spans; 0 for a part of one."""
    time = lattice.time
    return int(time[lattice.arcs.target[arc]] - time[lattice.arcs.source[arc]]) // STEP


def _corrected(text: str, changes: list[Change]) -> Correction:
    parts, place = [], 0
    for change in changes:
        parts += [text[place : change.offset], change.replacement]
        place = change.offset + change.length
    return Correction(text, "".join([*parts, text[place:]]), tuple(changes))
