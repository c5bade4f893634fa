"""The text of a training, stretch by stretch: streams whose state is carried, or sentences."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lmkit.model import UNK
from lmkit.neural.networks.language import Stretch
from lmkit.neural.training.batches import Sentences, Streams
from lmkit.neural.training.options import Options

LONGEST_SENTENCE = 200
"""A longer sentence is cut, for the memory that its steps take."""


class Drawn(Protocol):
    """A text that is not the same each epoch."""

    def draw(self, generator: np.random.Generator) -> NDArray[np.int32]:
        """The text for an epoch, of ``generator`` alone."""


class Unknowns:
    """What teaches a network of a whole vocabulary that there are words it does not know: where
    the text has no ``<unk>``, every second word of those seen once becomes one, other ones each
    epoch. Their mass is then half of Good and Turing's estimate for what was never seen."""

    def __init__(self, ids: NDArray[np.int32]) -> None:
        counts = np.bincount(ids)
        self._ids = ids
        self._places = np.empty(0, np.int64)
        if not counts[UNK]:
            self._places = np.flatnonzero(counts[ids] == 1)

    def draw(self, generator: np.random.Generator) -> NDArray[np.int32]:
        """The text for an epoch."""
        if not len(self._places):
            return self._ids
        ids = self._ids.copy()
        ids[self._places[generator.random(len(self._places)) < 0.5]] = UNK
        return ids


class StreamFeed:
    """Contiguous streams; ``length`` and positions count steps. ``drawn`` is ``ids`` as they are
    read, epoch by epoch; None: with unknown words among them."""

    def __init__(
        self, ids: NDArray[np.int32], options: Options, drawn: Drawn | None = None
    ) -> None:
        self._drawn = drawn or Unknowns(ids)
        self._streams = Streams(ids, options.batch_size, options.bptt, options.random_bptt)
        self.batch = self._streams.batch
        self.length = self._streams.length
        self.tokens = self.batch * self.length
        self._begin = 0

    def begin(self, seed: int, first: bool) -> None:
        """Begin an epoch; ``seed`` decides where."""
        generator = np.random.default_rng(seed)
        self._streams.text(self._drawn.draw(generator))
        self.length = self._streams.length
        self._begin = self._streams.begin(generator, first)

    def next(self, position: int, generator: np.random.Generator) -> tuple[Stretch, int, bool]:
        """The stretch at ``position``, where the next one is, and whether states start anew."""
        steps = self._streams.step_length(position, generator)
        return self._streams.stretch(self._begin, position, steps), position + steps, False

    def rate_factor(self, stretch: Stretch) -> float:
        """Short stretches of random length take short steps, so that all tokens count alike."""
        return stretch.steps / self._streams.bptt if self._streams.random else 1.0


class SentenceFeed:
    """Sentences by themselves; ``length`` and positions count batches. ``drawn`` is as in
    `StreamFeed`."""

    def __init__(
        self, ids: NDArray[np.int32], options: Options, drawn: Drawn | None = None
    ) -> None:
        self._drawn = drawn or Unknowns(ids)
        self._sentences = Sentences(ids, options.batch_size, LONGEST_SENTENCE)
        self.batch = self._sentences.batch
        self.tokens = self._sentences.tokens
        self.length = 1
        self.begin(0, True)

    def begin(self, seed: int, first: bool) -> None:
        """Begin an epoch; ``seed`` decides the order."""
        generator = np.random.default_rng(seed)
        ids = self._drawn.draw(generator)
        self._sentences = Sentences(ids, self.batch, LONGEST_SENTENCE)
        self._order = self._sentences.order(generator)
        self.length = len(self._order)

    def next(self, position: int, generator: np.random.Generator) -> tuple[Stretch, int, bool]:
        """The batch at ``position``, where the next one is, and that states start anew."""
        return self._sentences.stretch(self._order[position]), position + 1, True

    def rate_factor(self, stretch: Stretch) -> float:
        return 1.0
