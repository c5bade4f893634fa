"""A running text read in parts side by side, with the result of one reading.

A recurrent network forgets. Where a part begins, the state is found by reading some tokens before
it, from two beginnings of which one lies twice as far back: once both lead to the same state, that
is the state of a reading from the very beginning, up to rounding. A network that does not forget
within a part is refused.

The parts are read in groups of fixed size, shared out to worker threads, so that their number
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lmkit.neural.tree import State, join, leaves, repeat, select
from lmkit.neural.use.scoring import Scorer
from lmkit.threads import Team

LOOK_BACK = 256
"""Tokens before a part that are read at first."""
TOLERANCE = 1e-5
"""Two states are the same where they differ by less, relative to entries above 1."""
SHORTEST = 1024
"""No part has fewer tokens."""
GROUP = 16
"""Parts that are read side by side in one thread."""
MOST = 64
"""At most so many parts in all."""
WINDOW = 64
"""Steps of one pass."""


def read_in_parts(
    scorer: Scorer,
    ids: NDArray[np.int32],
    token: int,
    layers: State,
    fresh: State,
    team: Team,
    tell: Callable[[int], None],
) -> tuple[NDArray[np.float64], State] | None:
    """log p of the first tokens of ``ids``, all but fewer than `MOST`, and the states [H, 1] after
    them; None where the text is short or the network does not forget, as one with attention.

    ``layers`` are the states before ``token``, the one before the text, is read; ``fresh`` those
    of any stream to look back from. ``tell`` is called with numbers of tokens that are done.
    """
    count = min(MOST, len(ids) // SHORTEST)
    if count < 2 or scorer.network.context is not None:
        return None
    length = len(ids) // count
    before = np.concatenate((np.array([token], ids.dtype), ids[:-1]))
    groups = [
        length * np.arange(first, min(first + GROUP, count)) for first in range(0, count, GROUP)
    ]
    entries = team.share(
        [partial(_entry, scorer, before, starts, layers, fresh, length) for starts in groups]
    )
    states = [entry for entry in entries if entry is not None]
    if len(states) < len(groups):
        return None
    log_probs = np.empty(count * length)
    readers = [scorer.in_room() for _ in groups]

    def window(group: int, step: int) -> None:
        steps = np.arange(step, min(step + WINDOW, length))
        places = groups[group] + steps[:, None]
        h, states[group] = readers[group].read(before[places], states[group])
        found = scorer.log_prob(h, ids[places].reshape(-1))
        log_probs[places] = found.reshape(places.shape)

    for step in range(0, length, WINDOW):
        team.share([partial(window, group, step) for group in range(len(groups))])
        tell(count * (min(step + WINDOW, length) - step))
    return log_probs, select(states[-1], slice(-1, None))


def _entry(
    scorer: Scorer,
    before: NDArray[np.int32],
    starts: NDArray[np.int64],
    layers: State,
    fresh: State,
    length: int,
) -> State | None:
    """The states in which the parts that begin at ``starts`` read their first token; ``layers``
    for one at 0. None where looking back a whole part is not enough."""
    behind = starts[starts > 0]
    found = _look_back(scorer, before, behind, fresh, LOOK_BACK)
    distance = 2 * LOOK_BACK
    while distance <= length:
        farther = _look_back(scorer, before, behind, fresh, distance)
        if _same(found, farther):
            return farther if len(behind) == len(starts) else join(layers, farther)
        found, distance = farther, 2 * distance
    return None


def _look_back(
    scorer: Scorer,
    before: NDArray[np.int32],
    starts: NDArray[np.int64],
    fresh: State,
    distance: int,
) -> State:
    scorer = scorer.in_room()
    states = repeat(fresh, len(starts))
    for step in range(-distance, 0, WINDOW):
        steps = np.arange(step, min(step + WINDOW, 0))
        _, states = scorer.advance(before[starts + steps[:, None]], states)
    return states


def _same(some: State, others: State) -> bool:
    return all(
        bool((np.abs(a - b) <= TOLERANCE * np.maximum(np.abs(b), 1)).all())
        for a, b in zip(leaves(some), leaves(others), strict=True)
    )
