"""Beam search for the likeliest sentences of any model.

At each step a beam holds at most ``beam`` states, each with the best paths that lead to it.
States whose keys are equal have equal futures: they are recombined into one, which keeps the n
best paths, so that the n-best list is the same as without recombination (k-best Viterbi).

``G`` is the number of states, ``P`` of paths, ``t`` of tokens so far, ``C`` of candidates, ``V`` of
the vocabulary. Paths of a state follow each other, the best first; log-probabilities are natural.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError


class Stepping(Protocol):
    """What a search asks of a model (`lmkit.model.LanguageModel`)."""

    def advance(self, state: Any, tokens: NDArray[np.integer] | Sequence[int]) -> Any: ...

    def next_log_probs(self, state: Any) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A path: its token ids, their summed log-probability, and ``score``, which is that divided
    by a power of the length."""

    ids: tuple[int, ...]
    log_probability: float
    score: float


@dataclass(slots=True)
class _Beam:
    """``sums`` [P], ``ids`` [P, t], ``state_of`` [P]: the row of ``state`` that a path leads to."""

    state: Any
    sums: NDArray[np.float64]
    ids: NDArray[np.int64]
    state_of: NDArray[np.int64]


class BeamSearch:
    """The ``n`` best paths from a state to the token ``end``, or to ``max_tokens`` tokens.

    Paths are ranked by log p / tokens ** ``length_penalty``: 0 finds the likeliest ones, 1 those of
    the highest mean log-probability. ``mend`` changes next-token distributions [G, V] in place.

    Raises `UsageError` for a ``beam`` below ``n``, or a length penalty below 0.
    """

    def __init__(
        self,
        model: Stepping,
        end: int,
        *,
        beam: int,
        n: int = 1,
        max_tokens: int = 50,
        length_penalty: float = 0.0,
        mend: Callable[[NDArray[np.float64]], None] | None = None,
    ) -> None:
        if n < 1 or beam < n:
            raise UsageError(
                f"a beam of {beam} cannot hold the {n} best sentences", f"a beam of {max(n, 1)}"
            )
        if not 0 <= length_penalty < np.inf:
            raise UsageError(f"length penalty must be at least 0, not {length_penalty}", "1")
        self._model, self._end, self._mend = model, end, mend
        self._beam, self._n, self._longest = beam, n, max_tokens
        self._penalty = length_penalty
        self._best: list[Found] = []

    def run(self, state: Any) -> list[Found]:
        """The best paths from ``state``, of one stream, the best first. Among equals the one whose
        ids come first is the better one."""
        self._best = []
        beam = _Beam(state, np.zeros(1), np.empty((1, 0), np.int64), np.zeros(1, np.int64))
        while len(beam.sums):
            length = beam.ids.shape[1]
            if length == self._longest:
                self._end_with(beam.ids, beam.sums)
                break
            if not self._can_improve(float(beam.sums.max())):
                break
            beam = self._step(beam)
        return self._best

    def _score(self, log_probability: float, length: int) -> float:
        return log_probability / max(length, 1) ** self._penalty

    def _can_improve(self, highest: float) -> bool:
        """Whether a path with the sum ``highest`` may still end among the best: its sum can only
        fall, and counts the more the longer it gets."""
        if len(self._best) < self._n:
            return True
        return self._score(highest, self._longest) >= self._best[-1].score

    def _end_with(self, ids: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
        ended = [
            Found(tuple(path), total, self._score(total, len(path)))
            for path, total in zip(ids.tolist(), sums.tolist(), strict=True)
            if total > -np.inf
        ]
        self._best = sorted([*self._best, *ended], key=lambda found: (-found.score, found.ids))
        del self._best[self._n :]

    def _step(self, beam: _Beam) -> _Beam:
        log_probs = self._model.next_log_probs(beam.state)
        if self._mend is not None:
            self._mend(log_probs)
        ends = beam.sums + log_probs[beam.state_of, self._end]
        self._end_with(_with_token(beam.ids, np.full(len(ends), self._end)), ends)
        log_probs[:, self._end] = -np.inf
        # The first path of each state is its best one.
        firsts = np.flatnonzero(np.diff(beam.state_of, prepend=-1))
        keyed = beam.state.keys() is not None
        # Of states that can meet more are tried, since some will be recombined.
        rows, tokens = _highest(
            beam.sums[firsts, None] + log_probs, self._beam * (2 if keyed else 1)
        )
        state = self._model.advance(beam.state.select(rows), tokens)
        groups = _groups(state, len(rows))
        candidate, path = np.nonzero(rows[:, None] == beam.state_of)
        sums = beam.sums[path] + log_probs[rows, tokens][candidate]
        ids = _with_token(beam.ids[path], tokens[candidate])
        return self._recombined(state, sums, ids, groups[candidate], candidate)

    def _recombined(
        self,
        state: Any,
        sums: NDArray[np.float64],
        ids: NDArray[np.int64],
        groups: NDArray[np.int64],
        candidate: NDArray[np.int64],
    ) -> _Beam:
        """The best states, each with its ``n`` best paths, from all paths: the group [P] that each
        is in, and the row [P] of ``state`` that it leads to."""
        order = np.lexsort((-sums, groups))
        ranked = groups[order]
        starts = np.flatnonzero(np.diff(ranked, prepend=-1))
        rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
        best = np.argsort(-sums[order[starts]], kind="stable")[: self._beam]
        place = np.full(len(starts), -1)
        place[best] = np.arange(len(best))
        places = np.repeat(place, np.diff(starts, append=len(order)))
        kept = np.flatnonzero((rank < self._n) & (places >= 0))
        kept = kept[np.argsort(places[kept], kind="stable")]
        chosen = order[kept]
        return _Beam(
            state.select(candidate[order[starts[best]]]), sums[chosen], ids[chosen], places[kept]
        )


def _with_token(ids: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((ids, tokens[:, None]), axis=1)


def _highest(values: NDArray[np.float64], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns of the ``count`` highest of ``values`` [G, V] that are finite, the highest
    first; of equal ones the first in the matrix."""
    flat = values.reshape(-1)
    least = -np.inf
    if count < len(flat):
        least = float(np.partition(flat, -count)[-count])
    places = np.flatnonzero((flat >= least) & (flat > -np.inf))
    places = places[np.argsort(-flat[places], kind="stable")][:count]
    rows, columns = np.divmod(places, values.shape[1])
    return rows, columns


def _groups(state: Any, count: int) -> NDArray[np.int64]:
    """The number of the group [C] of each of ``count`` streams: equal where futures are."""
    keys = state.keys()
    if keys is None or not count:
        return np.arange(count)
    groups: NDArray[np.int64] = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    return groups
