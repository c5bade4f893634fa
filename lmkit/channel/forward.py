"""The probability of an observed text: the sum over all that may have been meant.

p(x) = Σ_y p(y) p(x | y), y over the paths of the lattice, by the forward algorithm over the
hypotheses that a beam keeps. Paths that the lattice has not or the beam drops are missing from the
sum, so it is a lower bound. All weights are one here: every arc pays what its events cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.finder import CandidateFinder
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.decoding.building import LatticeBuilder, Piece
from lmkit.channel.decoding.decoder import BeamSearch, Pricing
from lmkit.channel.decoding.lattice import Lattice
from lmkit.channel.decoding.readings import Readings
from lmkit.channel.decoding.surface import Line, Surface
from lmkit.channel.weights import Weights

BEAM = 16
BATCH_TOKENS = 20_000


class ForwardScorer:
    """Scores observed sentences under a channel over ``source``. Only lower-case words are taken
    to be typed wrongly, and only the source's own words to be meant instead."""

    def __init__(self, source: Any, channel: Any, beam: int | None = None) -> None:
        self._source = source
        self._beam = beam or BEAM
        self._lexicon = Lexicon.of(source).case_sensitive()
        self._surface = Surface(source, self._lexicon)
        # A sum has a use for what is unlikely, too.
        finder = CandidateFinder(self._lexicon, channel, crudely_behind=np.inf)
        readings = Readings(source, finder, spell_all=True)
        weights = Weights.exact(channel.keep)
        self._builder = LatticeBuilder(self._surface, readings, weights, all_pay=True)
        tokens = source.vocabulary.tokens
        self._as_spelt = np.array(
            [
                tokens[number] == word
                for number, word in zip(
                    self._lexicon.ids[0].tolist(), self._lexicon.words, strict=True
                )
            ],
            bool,
        )

    def log_probs(self, sentences: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """log p [S] of sentences as the source's tokenizer cut them, joined by single spaces."""
        values = np.zeros(len(sentences))
        begin = 0
        while begin < len(sentences):
            end, size = begin, 0
            while end < len(sentences) and size < BATCH_TOKENS:
                size += len(sentences[end])
                end += 1
            values[begin:end] = self._batch(sentences[begin:end])
            begin = end
        return values

    def _batch(self, sentences: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        lines = [self._line(sentence) for sentence in sentences]
        pieces = [Piece(number, 0, len(line.tokens)) for number, line in enumerate(lines)]
        lattice = self._possible(self._builder.build(lines, pieces))
        search = BeamSearch(lattice, self._source, Pricing(), self._beam, by_total=True).run()
        return search.total[search.final]

    def _line(self, tokens: Sequence[str]) -> Line:
        numbers = [self._surface.number(token) for token in tokens]
        lengths = np.fromiter(map(len, tokens), np.int64, len(tokens)) + 1
        known = self._surface.tokens
        opened = [known[n].correctable and known[n].folded == known[n].text for n in numbers]
        offsets = (np.cumsum(lengths) - lengths).tolist()
        return Line(" ".join(tokens), numbers, offsets, opened)

    def _possible(self, lattice: Lattice) -> Lattice:
        """``lattice`` without words that the source has in capitals only: the channel would have
        to pay for these."""
        label, cost = lattice.arcs.label, lattice.arcs.cost.copy()
        words = np.flatnonzero(label >= 0)
        cost[words[~self._as_spelt[label[words]]]] = -np.inf
        return replace(lattice, arcs=replace(lattice.arcs, cost=cost))


def sentence_log_probs(
    model: Any, sentences: Sequence[Sequence[str]], beam: int | None = None
) -> tuple[NDArray[np.float64], bool]:
    """log p [S] of observed ``sentences`` under the noisy channel ``model``, and whether that is
    exact (it never is: see above). What the search needs is made once for each channel and
    source, and kept with the model."""
    key = (id(model.channel), model.channel.keep, beam)
    kept = getattr(model, "_forward", None)
    if kept is None or kept[0] != key:
        kept = key, ForwardScorer(model.source, model.channel, beam)
        model._forward = kept
    return kept[1].log_probs(sentences), False
