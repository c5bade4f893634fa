"""States of a language model behind each other.

The interface lets a state's streams be selected, but not those of two states be joined, which a
search needs where ways of different lengths meet. A state that can do it itself has ``join``;
any other is kept in parts. ``B`` is the number of streams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import LanguageModel


def joined(states: Sequence[Any]) -> Any:
    """The streams of all ``states`` behind each other."""
    if len(states) == 1:
        return states[0]
    if hasattr(states[0], "join") and not any(isinstance(state, Parts) for state in states):
        return states[0].join(states[1:])
    return Parts.of(states)


class Parts:
    """Streams that are kept in several states: stream ``b`` is row ``row[b]`` of
    ``parts[part[b]]``."""

    def __init__(
        self, parts: Sequence[Any], part: NDArray[np.int64], row: NDArray[np.int64]
    ) -> None:
        self.parts = parts
        self.part = part
        self.row = row

    @classmethod
    def of(cls, states: Sequence[Any]) -> Parts:
        parts: list[Any] = []
        places, rows = [], []
        for state in states:
            if isinstance(state, Parts):
                places.append(state.part + len(parts))
                rows.append(state.row)
                parts += state.parts
            else:
                places.append(np.full(len(state), len(parts), np.int64))
                rows.append(np.arange(len(state)))
                parts.append(state)
        return cls(parts, np.concatenate(places), np.concatenate(rows))

    def __len__(self) -> int:
        return len(self.part)

    def select(self, rows: NDArray[np.integer] | Sequence[int]) -> Parts:
        places = np.asarray(rows, np.int64)
        used, part = np.unique(self.part[places], return_inverse=True)
        return Parts([self.parts[i] for i in used.tolist()], part, self.row[places])

    def keys(self) -> NDArray[np.int64] | None:
        every = [state.keys() for state in self.parts]
        if not every or any(keys is None for keys in every):
            return None
        result = np.zeros((len(self), every[0].shape[1]), np.int64)
        for number, keys in enumerate(every):
            mine = self.part == number
            result[mine] = keys[self.row[mine]]
        return result

    def advance(self, step: Callable[..., Any], tokens: NDArray[np.integer]) -> Parts:
        """Each part after ``step`` with its own of the ``tokens`` [B]."""
        parts = []
        row = np.zeros(len(self), np.int64)
        for number, state in enumerate(self.parts):
            mine = np.flatnonzero(self.part == number)
            parts.append(step(state.select(self.row[mine]), tokens[mine]))
            row[mine] = np.arange(len(mine))
        return Parts(parts, self.part, row)

    def log_probs_of(
        self, ask: Callable[..., NDArray[np.float64]], tokens: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """What ``ask`` answers about the ``tokens`` [B, K], each part about its own: [B, K]."""
        answers = np.zeros(tokens.shape)
        for number, state in enumerate(self.parts):
            mine = np.flatnonzero(self.part == number)
            answers[mine] = ask(state.select(self.row[mine]), tokens[mine])
        return answers


def advance(source: LanguageModel, state: Any, tokens: NDArray[np.integer]) -> Any:
    """``source.advance`` for any state, joined or not."""
    if isinstance(state, Parts):
        return state.advance(source.advance, tokens)
    return source.advance(state, tokens)


def log_probs_of(
    source: LanguageModel, state: Any, tokens: NDArray[np.integer]
) -> NDArray[np.float64]:
    """``source.log_probs_of`` for any state, joined or not."""
    if isinstance(state, Parts):
        return state.log_probs_of(source.log_probs_of, tokens)
    return source.log_probs_of(state, tokens)
