"""Log-probabilities of text under a network: many texts side by side, or one long one.

Sentences that start anew are sorted by length, so that those side by side end together; a text
that carries its state is read as one stream.
"""

from __future__ import annotations

from copy import copy
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import ModelFileError
from lmkit.model import EOS
from lmkit.neural.arrays import Array, Room, Weights, unwarned
from lmkit.neural.layer import FRESH, Pass
from lmkit.neural.networks.language import Network
from lmkit.neural.tree import State, kept, repeat, select
from lmkit.threads import Team

SIDE_BY_SIDE = 64
"""Sentences that are scored at once: the gates of a step stay in the cache."""
WINDOW = 32
"""Steps of one pass."""
PIECE = 256
"""Steps of one pass over one long text."""
COLUMNS = 512
"""Positions whose softmax is formed at once."""

ASKED = 64
"""The same where some tokens of each are asked for."""


def numbers(log_probs: NDArray[np.float64], hint: str = "training it again") -> None:
    """Raises `ModelFileError` where ``log_probs`` has what is no number: weights of some 1e19 are
    finite, and their products are not."""
    if np.isnan(log_probs).any():
        raise ModelFileError(
            "the network gives probabilities that are no numbers (NaN): weights are too large", hint
        )


class Scorer:
    """A network with its weights, ready to be asked."""

    def __init__(self, network: Network, weights: Weights) -> None:
        self.network = network
        self.weights = weights
        self._ready = network.ready(weights)
        self._room: Room = FRESH
        self._dtype = next(iter(weights.values())).dtype

    def in_room(self, room: Room | None = None) -> Scorer:
        """The same network with memory, ``room`` or its own, that every `read` uses again: what it
        returns, but for the states, lasts until the next one."""
        twin = copy(self)
        twin._room = Room() if room is None else room
        return twin

    def zero(self, batch: int) -> State:
        """The states of streams that have read nothing."""
        return self.network.start(batch, self._dtype)

    def read(self, inputs: Array, states: State) -> tuple[Array, State]:
        """What the softmax reads [H, N] after each of ``inputs`` [T, B], and the last states."""
        h, last = self.advance(inputs, states)
        return self.network.project(self._ready, h), last

    def read_long(self, inputs: Array, states: State) -> tuple[Array, State]:
        """As `read`, in pieces, so that memory is bounded by what comes out."""
        found = []
        for start in range(0, len(inputs), PIECE):
            h, states = self.read(inputs[start : start + PIECE], states)
            found.append(h.copy())
        return np.concatenate(found, axis=1), states

    def advance(self, inputs: Array, states: State) -> tuple[Array, State]:
        """As `read`, but for the states alone: the columns are not projected."""
        pass_ = Pass(len(inputs), room=self._room)
        with unwarned():
            h, last, _ = self.network.forward(self._ready, inputs, states, pass_)
        return h, kept(last)

    def log_prob(self, h: Array, targets: Array, team: Team | None = None) -> NDArray[np.float64]:
        """log p of ``targets`` [N] after ``h`` [H, N]; the columns are shared by ``team``."""
        if team is None or team.workers == 1 or len(targets) <= COLUMNS:
            return self._log_prob(h, targets).astype(np.float64)
        pieces = [slice(k, k + COLUMNS) for k in range(0, len(targets), COLUMNS)]
        found = team.share([partial(self._log_prob, h[:, p], targets[p]) for p in pieces])
        return np.concatenate(found).astype(np.float64)

    def _log_prob(self, h: Array, targets: Array) -> Array:
        with unwarned():
            return self.network.softmax.log_prob(self.weights, h, targets)

    def log_probs_of(self, h: Array, tokens: Array, workers: int = 1) -> NDArray[np.float64]:
        """log p of the ``tokens`` [N, K] after ``h`` [H, N]: [N, K]; the same for any number of
        ``workers``, which are threads."""
        pieces = [slice(k, k + ASKED) for k in range(0, len(tokens), ASKED)]
        tasks = [partial(self._asked, h[:, p], tokens[p]) for p in pieces]
        with Team(min(workers, max(len(tasks), 1))) as team:
            found = team.share(tasks)
        return np.concatenate([np.zeros((0, tokens.shape[1])), *found]).astype(np.float64)

    def _asked(self, h: Array, tokens: Array) -> Array:
        return self.network.softmax.log_probs_of(self.weights, h, tokens)

    def stream(
        self, inputs: NDArray[np.int32], targets: NDArray[np.int32], states: State
    ) -> tuple[NDArray[np.float64], State, Array]:
        """log p [N] of one text read as one stream, the states after it, and the last column
        [H, 1] that the softmax read."""
        log_probs = np.empty(len(targets))
        top = np.zeros((0, 1), self._dtype)
        for start in range(0, len(targets), PIECE):
            here = slice(start, start + PIECE)
            h, states = self.read(inputs[here, None], states)
            log_probs[here] = self.log_prob(h, targets[here])
            top = h[:, -1:]
        return log_probs, states, top

    def sentences(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        start: State,
        workers: int = 1,
    ) -> NDArray[np.float64]:
        """log p [T] of the tokens of sentences that each begin in the states ``start`` (of one
        stream), having read ``</s>``; the same for any number of ``workers``, which are threads."""
        log_probs = np.empty(len(ids))
        lengths = np.diff(offsets)
        order = np.argsort(-lengths, kind="stable")
        order = order[lengths[order] > 0]
        groups = [order[k : k + SIDE_BY_SIDE] for k in range(0, len(order), SIDE_BY_SIDE)]
        with Team(min(workers, max(len(groups), 1))) as team:
            team.share(
                [
                    partial(self._side_by_side, ids, offsets[g], lengths[g], start, log_probs)
                    for g in groups
                ]
            )
        return log_probs

    def _side_by_side(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        start: State,
        log_probs: NDArray[np.float64],
    ) -> None:
        """Sentences of ``lengths`` [B], longest first; fills their places of ``log_probs``."""
        scorer = self.in_room()
        states = repeat(start, len(starts))
        for begin in range(0, int(lengths[0]), WINDOW):
            active = int((lengths > begin).sum())
            steps = min(WINDOW, int(lengths[0]) - begin)
            places = starts[:active] + begin + np.arange(steps)[:, None]
            inside = begin + np.arange(steps)[:, None] < lengths[:active]
            inputs = ids[np.minimum(np.maximum(places - 1, 0), len(ids) - 1)]
            if begin == 0:
                inputs[0] = EOS
            h, states = scorer.read(inputs, select(states, slice(active)))
            wanted = places[inside]
            log_probs[wanted] = self.log_prob(h[:, inside.reshape(-1)], ids[wanted])
