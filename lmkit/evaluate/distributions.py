"""What the whole distribution before a token says: its entropy, the token's rank, and how likely
it is that a word ends there.

Distributions are formed where they are asked for only, of all sentences side by side, and once for
streams with the same future (`lmkit.model.State.keys`). ``T`` is the number of tokens, ``V`` of
the vocabulary. Entropies are in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.model import Batch, LanguageModel, State

MOST_CELLS = 4_000_000
"""Log-probabilities that are held at once."""
MOST_STREAMS = 512


@dataclass(frozen=True, slots=True)
class Before:
    """Of each token [T]; nan (``rank``: 0) where nothing was asked for. ``ending`` is
    log p(the next token is one of ``ends``)."""

    entropy: NDArray[np.float64]
    rank: NDArray[np.int64]
    ending: NDArray[np.float64]


def distributions(
    model: LanguageModel,
    batch: Batch,
    wanted: NDArray[np.bool_],
    ends: NDArray[np.bool_] | None = None,
    state: State | None = None,
) -> tuple[Before, State | None]:
    """What stands before the ``wanted`` tokens [T]; ``ends`` [V] are the tokens that end a word.

    Each sentence starts anew. With a ``state`` (of one stream) the whole batch is one text that
    goes on from it over its line ends; the state behind it is returned.
    """
    found = Before(
        np.full(len(batch.ids), np.nan),
        np.zeros(len(batch.ids), np.int64),
        np.full(len(batch.ids), np.nan),
    )
    if state is not None:
        for place in range(len(batch.ids)):
            if wanted[place]:
                _fill(model, state, batch.ids, np.array([place]), ends, found)
            state = model.advance_through(state, batch.ids[place : place + 1])
        return found, state
    lengths = _last_wanted(wanted, batch.offsets)
    # Sentences of about the same length run side by side, so that few streams idle.
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    for first in range(0, len(order), MOST_STREAMS):
        group = order[first : first + MOST_STREAMS]
        starts, sizes = batch.offsets[group], lengths[group]
        streams = model.start(len(group))
        for step in range(int(sizes[0])):
            here = starts[: len(streams)] + step
            asked = np.flatnonzero(wanted[here])
            if len(asked):
                rows = streams if len(asked) == len(here) else streams.select(asked)
                _fill(model, rows, batch.ids, here[asked], ends, found)
            going = np.flatnonzero(sizes[: len(here)] > step + 1)
            if len(going):
                streams = model.advance(streams.select(going), batch.ids[here[going]])
    return found, None


def _last_wanted(wanted: NDArray[np.bool_], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many tokens of each sentence [S] lead up to its last wanted one, it included."""
    places = np.flatnonzero(wanted)
    last = np.searchsorted(places, offsets[1:]) - 1
    some = np.searchsorted(places, offsets[:-1]) <= last
    return np.where(some, (places[last] if len(places) else 0) + 1 - offsets[:-1], 0)


def _fill(
    model: LanguageModel,
    state: State,
    ids: NDArray[np.int32],
    places: NDArray[np.int64],
    ends: NDArray[np.bool_] | None,
    found: Before,
) -> None:
    """Fill in the ``places`` [B] before whose tokens the streams of ``state`` stand."""
    keys = state.keys()
    if keys is None:
        which, same = np.arange(len(places)), np.arange(len(places))
    else:
        _, which, same = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        same = same.reshape(-1)
    by_row = np.argsort(same, kind="stable")
    bounds = np.searchsorted(same[by_row], np.arange(len(which) + 1))
    size = max(1, MOST_CELLS // max(len(model.vocabulary.tokens), 1))
    for first in range(0, len(which), size):
        chosen = which[first : first + size]
        log_probs = model.next_log_probs(state.select(chosen))
        probs = np.exp(log_probs)
        weighted = np.multiply(probs, log_probs, where=probs > 0, out=np.zeros_like(probs))
        entropy = -weighted.sum(axis=1)
        for row in range(len(chosen)):
            streams = by_row[bounds[first + row] : bounds[first + row + 1]]
            at = places[streams]
            found.entropy[at] = entropy[row]
            own = log_probs[row, ids[at]]
            found.rank[at] = _ranks(log_probs[row], own)
            if ends is not None:
                with np.errstate(divide="ignore"):
                    found.ending[at] = np.log(probs[row, ends].sum())


def _ranks(log_probs: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of ``log_probs`` [V] are above each of ``own`` [B], and one."""
    if len(own) < 4:
        return np.array([np.count_nonzero(log_probs > value) + 1 for value in own])
    return len(log_probs) - np.searchsorted(np.sort(log_probs), own, side="right") + 1
