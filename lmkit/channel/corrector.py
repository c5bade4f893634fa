"""Correction of text: `Corrector`, from lines to corrected lines.

A line is cut into tokens (`lmkit.channel.decoding.surface`), each distinct token gets its readings
(`readings`), the readings of many sentences make one lattice (`building`), which is searched with
the source model (`decoder`). The best way says what was meant; the sums over all ways kept say
how sure that is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmkit.channel.base import ErrorModel
from lmkit.channel.candidates.finder import CandidateFinder
from lmkit.channel.candidates.folding import fold, read_word_list
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.corrections import Change, Correction, Suggestion
from lmkit.channel.decoding.building import LatticeBuilder, pieces_of
from lmkit.channel.decoding.changes import ChangeReader, corrected
from lmkit.channel.decoding.decoder import BEAM, BEHIND, BeamSearch, Pricing
from lmkit.channel.decoding.lattice import Lattice
from lmkit.channel.decoding.noise import read_at_levels
from lmkit.channel.decoding.passes import HOPELESS, two_passes
from lmkit.channel.decoding.readings import Readings
from lmkit.channel.decoding.search import Search
from lmkit.channel.decoding.suggesting import suggestions
from lmkit.channel.decoding.surface import Line, Surface
from lmkit.channel.weights import Weights
from lmkit.cores import available_cores
from lmkit.errors import UnsupportedError
from lmkit.model import UNK, LanguageModel
from lmkit.registry import resolve
from lmkit.text.encodings import Encoded
from lmkit.text.reading import Source

if TYPE_CHECKING:
    from lmkit.channel.splitting.splitter import Splitter

DEFAULT_CHANNEL = "brill-moore"
SLIPS = 0.3
"""Part of the errors that are slips of any kind, unlike what the channel has learnt."""
ELSEWHERE = 4.0
"""So many times as many unknown words are expected as in more text of the source's own kind."""
BATCH_TOKENS = 80_000
"""About how many tokens are searched together."""


class Corrector:
    """Corrects text with a source model behind a channel.

    ``model`` is a noisy channel (its ``source``, ``channel`` and ``weights`` are taken), or any
    language model of words, with a ``channel`` or that of English. ``lexicon``: a word list with
    or without counts, a file or a mapping, besides the one that the model keeps; ``dictionary``:
    the user's own words, a file or words, which are never changed; ``errors``: what bytes do that
    are not of the encoding of these files (`TextReader`). ``threshold``: changes with a
    lower posterior are not made. ``beam``: hypotheses kept at each place. ``weights``: in place
    of the model's. ``explain``: changes come with their candidates and edits. ``split_words``:
    spaces are put into text that has lost them, and nothing else is changed. ``levels``:
    sentences may be noisier or cleaner than the average (`lmkit.channel.decoding.noise`).
    ``threads`` share the look-up of new words, one a core if not given; the answers do not depend
    on them.

    Raises `UnsupportedError` for a source model whose tokens are no words.
    """

    def __init__(
        self,
        model: Any,
        *,
        channel: ErrorModel | None = None,
        lexicon: Source | Mapping[str, float] | None = None,
        dictionary: str | Path | Encoded | Iterable[str] | None = None,
        errors: str = "strict",
        beam: int = BEAM,
        behind: float = BEHIND,
        threshold: float | None = None,
        channel_weight: float | None = None,
        weights: Weights | None = None,
        split_words: bool = False,
        explain: bool = False,
        levels: bool = True,
        slips: float = SLIPS,
        batch_tokens: int = BATCH_TOKENS,
        threads: int | None = None,
    ) -> None:
        self.source: LanguageModel = getattr(model, "source", model)
        self._coarse = self.source.coarse
        channel = channel or getattr(model, "channel", None)
        self.channel: ErrorModel = channel or resolve("channel", DEFAULT_CHANNEL).english()
        if self.source.unit != "word":
            raise UnsupportedError(
                f"the source model's tokens are of the unit {self.source.unit!r}, not words",
                "lmkit train TEXT --tokenizer word, to make a model of words",
            )
        self.source.require_sentence_marks("the source of corrections has to know sentences")
        self._weights = weights or Weights.of(getattr(model, "weights", None), self.channel.keep)
        if channel_weight is not None:
            self._weights = replace(self._weights, channel=channel_weight)
        if lexicon is not None and not isinstance(lexicon, Mapping):
            lexicon = read_word_list(lexicon, errors)
        if isinstance(dictionary, str | Path | Encoded):
            dictionary = read_word_list(dictionary, errors)
        own = frozenset(map(fold, dictionary or ()))
        stock = getattr(model, "stock", None)
        self.lexicon = Lexicon.of(self.source, lexicon, sorted(own), stock=stock)
        self._threads = threads or available_cores()
        self.finder = CandidateFinder(
            self.lexicon, self.channel, slips=slips, threads=self._threads
        )
        self._beam = beam
        self._behind = behind
        self._threshold = threshold or 0.0
        self.explain = explain
        self.split_words = split_words
        self._levels = levels
        self._batch_tokens = batch_tokens
        self._unknown = self._expected_unknown(self.source)
        self._coarse_unknown = self._expected_unknown(self._coarse)
        self._splitter: Splitter | None = None
        self._thorough: CandidateFinder | None = None
        self.surface = Surface(self.source, self.lexicon, own)
        self.readings = Readings(self.source, self.finder)
        self.builder = LatticeBuilder(self.surface, self.readings, self.weights)

    def reweighted(self, weights: Weights) -> Corrector:
        """The same corrector with other weights; what it has found out about words is shared."""
        other = copy.copy(self)
        other.weights = weights
        return other

    @property
    def weights(self) -> Weights:
        """May be set: later corrections go by the new ones."""
        return self._weights

    @weights.setter
    def weights(self, weights: Weights) -> None:
        self._weights = weights
        self._unknown = self._expected_unknown(self.source)
        self._coarse_unknown = self._expected_unknown(self._coarse)
        self.builder = LatticeBuilder(self.surface, self.readings, weights)

    def correct(self, lines: Sequence[str]) -> list[Correction]:
        """What each line was meant to be."""
        return list(self.correct_stream(lines))

    def correct_stream(self, lines: Iterable[str]) -> Iterator[Correction]:
        """The same, line by line, reading no further ahead than a batch."""
        if self.split_words:
            yield from self._split_stream(lines)
            return
        read: list[Line] = []
        size = 0
        for line in lines:
            read.append(self.surface.read(line))
            size += len(read[-1].tokens)
            if size >= self._batch_tokens:
                yield from self._correct(read)
                read, size = [], 0
        yield from self._correct(read)

    def _split_stream(self, lines: Iterable[str]) -> Iterator[Correction]:
        from lmkit.channel.splitting.splitter import Splitter

        if self._splitter is None or self._splitter.corrector is not self:
            self._splitter = Splitter(self)
        splitter = self._splitter
        block: list[str] = []
        size = 0
        for line in lines:
            block.append(line)
            size += len(line)
            if size >= 4 * self._batch_tokens:
                yield from splitter.split(block)
                block, size = [], 0
        if block:
            yield from splitter.split(block)

    def _correct(self, lines: Sequence[Line]) -> list[Correction]:
        """What ``lines`` were meant to be."""
        pieces = [
            p for number, line in enumerate(lines) for p in pieces_of(line, number, self.surface)
        ]
        if not pieces:
            return []
        lattice = self.builder.build(lines, pieces)
        # Where candidates are explained, the source's score of the sentence is told.
        search = self.search(lattice, relative=not self.explain)
        if self._levels:
            search = read_at_levels(search, lattice, self.weights.keep)
        reader = ChangeReader(self, lattice, search)
        changes: list[list[Change]] = [[] for _ in lines]
        first = 0
        for number, piece in enumerate(pieces):
            made = reader.changes(lines[piece.line], piece, first, number)
            changes[piece.line] += [c for c in made if c.posterior >= self._threshold]
            first += piece.end - piece.begin
        return [
            corrected(line.text, made_here) for line, made_here in zip(lines, changes, strict=True)
        ]

    def search(
        self,
        lattice: Lattice,
        beam: int | None = None,
        behind: float | None = None,
        mix: float | None = None,
        relative: bool = False,
    ) -> Search:
        """The beam search of ``lattice``. ``mix``: the share of the word list in its arcs, if not
        that of the lexicon. ``relative``: scores need only be nearly right, beside each other."""
        mix = self.lexicon.mix if mix is None else mix
        source = self.source.quick if relative else self.source
        pricing = Pricing(self.weights.source, mix, self._unknown)
        beam, behind = beam or self._beam, behind or self._behind
        if self._coarse is self.source:
            return BeamSearch(lattice, source, pricing, beam, behind).run()
        first = Pricing(self.weights.source, mix, self._coarse_unknown)
        # A wide search is wide in both passes.
        hopeless = HOPELESS if behind <= BEHIND else behind
        return two_passes(
            lattice, self._coarse, first, source, pricing, beam, behind, hopeless, relative
        )

    def suggest(self, word: str, left: str = "", right: str = "", n: int = 5) -> list[Suggestion]:
        """The ``n`` likeliest readings of ``word`` other than itself, between ``left`` and
        ``right``; none for what is no word. Without any context, the lexicon's priors stand for
        the source."""
        if self._thorough is None:
            self._thorough = self.finder.thorough_one()
        asked = copy.copy(self)
        asked.finder = self._thorough
        asked.surface = self.surface.fresh()
        return suggestions(asked, word, left, right, n)

    def _expected_unknown(self, source: LanguageModel) -> float:
        """What to add to log p(<unk> | h) of ``source``: a vocabulary that was never limited has
        met no unknown word, and as many are to be expected as it has words seen once (Good
        1953)."""
        if self.weights.unknown is not None:
            return self.weights.unknown
        counts = self.lexicon.stock.token_counts
        once = int((counts[3:] == 1).sum())
        if not once or counts[UNK]:
            return 0.0
        learnt = float(source.log_probs_of(source.start(1), np.array([[UNK]]))[0, 0])
        if learnt == -np.inf:
            return 0.0
        return max(0.0, float(np.log(ELSEWHERE * once / counts.sum())) - learnt)
