"""Cutting a corpus into stretches to train on.

`Streams`: the corpus as B texts side by side, read stretch by stretch with the state carried over
(Mikolov et al. 2010). `Sentences`: each sentence by itself, from the start state.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError
from lmkit.model import EOS
from lmkit.neural.networks.language import Stretch

SHORTEST = 5
"""No stretch of random length is shorter."""


def all_ids(chunks: Iterable[NDArray[np.int32]]) -> NDArray[np.int32]:
    """A corpus as one array; raises `TextError` where there is nothing to learn from."""
    ids = np.concatenate([np.empty(0, np.int32), *chunks])
    if len(ids) < 2:
        raise TextError(
            f"the text has {len(ids)} tokens, too few to train a network on", "a longer text"
        )
    return ids


def shifted(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """What is read before each of ``ids`` [N] is predicted: the token before it, ``</s>`` before
    the first."""
    return np.concatenate((np.array([EOS], np.int32), ids[:-1]))


class Streams:
    """``ids`` [N] as a ring, cut into ``batch`` streams of equal length.

    Each epoch begins at another place of the ring, so that the cuts are never the same. The
    batch is made smaller where the text is too short to fill stretches of ``bptt`` steps.
    """

    def __init__(self, ids: NDArray[np.int32], batch: int, bptt: int, random: bool = False) -> None:
        self.batch = max(1, min(batch, len(ids) // bptt))
        self.bptt = min(bptt, len(ids) // self.batch)
        self.random = random
        self.text(ids)

    def text(self, ids: NDArray[np.int32]) -> None:
        """Put another text in the place of the one before; it is not shorter."""
        self.length = len(ids) // self.batch
        self._inputs, self._targets = shifted(ids), ids

    def begin(self, generator: np.random.Generator, first: bool) -> int:
        """Where the streams of an epoch begin; the first epoch begins at the beginning."""
        return 0 if first else int(generator.integers(self.length))

    def step_length(self, position: int, generator: np.random.Generator) -> int:
        """How many steps to take next (Merity et al. 2018: now and then half, with noise)."""
        length = self.bptt
        if self.random:
            mean = length if generator.random() < 0.95 else length / 2
            length = max(SHORTEST, round(generator.normal(mean, 5)))
        return min(length, self.length - position)

    def stretch(self, begin: int, position: int, steps: int) -> Stretch:
        """``steps`` steps at ``position`` of each stream."""
        starts = begin + position + self.length * np.arange(self.batch)
        places = (starts + np.arange(steps)[:, None]) % len(self._inputs)
        return Stretch(self._inputs[places], self._targets[places])


class Sentences:
    """Whole sentences of about equal length side by side, padded; the order of the batches is
    drawn anew each epoch. Longer ones than ``longest`` go on, with a new state, in a piece of
    their own."""

    def __init__(self, ids: NDArray[np.int32], batch: int, longest: int) -> None:
        ends = np.flatnonzero(ids == EOS) + 1
        if not len(ends) or ends[-1] != len(ids):
            ends = np.append(ends, len(ids))
        starts = np.concatenate(([0], ends[:-1]))
        pieces = -(-(ends - starts) // longest)
        first = np.repeat(np.cumsum(pieces) - pieces, pieces)
        self._starts = np.repeat(starts, pieces) + longest * (np.arange(pieces.sum()) - first)
        self._stops = np.minimum(self._starts + longest, np.repeat(ends, pieces))
        self._inputs, self._targets = shifted(ids), ids
        self.batch = max(1, min(batch, len(self._starts)))
        self.tokens = len(ids)

    def order(self, generator: np.random.Generator) -> list[NDArray[np.int64]]:
        """The batches of an epoch: indices of sentences."""
        shuffled = generator.permutation(len(self._starts))
        lengths = (self._stops - self._starts)[shuffled]
        # Sentences are sorted by length within pools only, so that batches differ each epoch.
        pool = self.batch * 64
        batches = []
        for start in range(0, len(shuffled), pool):
            here = slice(start, start + pool)
            ranked = shuffled[here][np.argsort(lengths[here], kind="stable")]
            batches += [ranked[k : k + self.batch] for k in range(0, len(ranked), self.batch)]
        return [batches[k] for k in generator.permutation(len(batches))]

    def stretch(self, chosen: NDArray[np.int64]) -> Stretch:
        """The sentences ``chosen``, in columns of equal length."""
        starts, stops = self._starts[chosen], self._stops[chosen]
        steps = int((stops - starts).max())
        places = starts + np.arange(steps)[:, None]
        inside = places < stops
        places = np.minimum(places, len(self._targets) - 1)
        return Stretch(self._inputs[places], self._targets[places], inside.astype(np.float32))
