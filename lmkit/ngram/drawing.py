"""Drawing the next token of an n-gram model without looking at the whole vocabulary.

With the probability of the listed continuations of a context, draw one of them; else draw from
the shorter context, again and again until the token is one that the longer context does not
list. This is the model's own distribution exactly, as p(w|h) of an unlisted w is in proportion
to p(w|h').
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import UNK, avoid_unknown
from lmkit.ngram.state import NgramState
from lmkit.sampling import Sampling, draw

if TYPE_CHECKING:
    from lmkit.ngram.model import NgramModel

PATIENCE = 32
"""How many tokens are drawn in vain before the whole distribution is looked at."""
TRIES = 1024
"""How many in all contexts together: each order may try again for each try of the one above."""


def draw_by_backing_off(
    model: NgramModel, state: Any, generator: np.random.Generator, unknown: bool
) -> NDArray[np.int64]:
    """One token [B] on each stream; ``<unk>`` only where ``unknown``."""
    return np.array(
        [
            _draw_one(model, rows, generator, unknown, state, stream)
            for stream, rows in enumerate(state.rows.tolist())
        ],
        np.int64,
    )


def _draw_one(
    model: NgramModel,
    rows: list[int],
    generator: np.random.Generator,
    unknown: bool,
    state: Any,
    stream: int,
) -> int:
    tries = iter(range(TRIES))
    for _ in range(PATIENCE):
        token = _draw_at(model, len(rows) + 1, rows, generator, tries)
        if token >= 0 and (unknown or token != UNK):
            return token
    log_probs = model.next_log_probs(state.select([stream]))
    if not unknown:
        avoid_unknown(log_probs)
    return int(draw(log_probs, Sampling(), generator)[0])


def _draw_at(
    model: NgramModel,
    order: int,
    rows: list[int],
    generator: np.random.Generator,
    tries: Iterator[int],
) -> int:
    """A token after the context of ``order - 1`` tokens; -1 where none can follow. ``tries`` are
    those that are left in all contexts together.

    Goes down order by order until one draws a token, and up again past all orders that have
    passed the draw on: a token that one of them lists itself is drawn anew below it.
    """
    passed: list[tuple[int, NDArray[np.int32], int]] = []
    """Orders that passed the draw on, the tokens they list, and how often they were in vain."""
    while True:
        token, listed = _draw_listed(model, order, rows, generator)
        while token is None:
            if listed is not None:
                passed.append((order, listed, 0))
            order -= 1
            token, listed = _draw_listed(model, order, rows, generator)
        while passed:
            order, tokens, vain = passed.pop()
            place = np.searchsorted(tokens, token)
            if token < 0 or place == len(tokens) or tokens[place] != token:
                continue
            if vain + 1 < PATIENCE and next(tries, None) is not None:
                passed.append((order, tokens, vain + 1))
                order -= 1
                break
            token = _draw_unlisted(model, order, rows, tokens, generator)
        else:
            return token


def _draw_listed(
    model: NgramModel, order: int, rows: list[int], generator: np.random.Generator
) -> tuple[int | None, NDArray[np.int32] | None]:
    """A token that ``order`` lists after its context, and all that it lists (None for a context
    that the model has not, and for the unigrams). No token where a lower order has to draw."""
    if order == 1:
        cumulative = model.cumulative_unigrams
        point = generator.random() * cumulative[-1]
        return int(np.searchsorted(cumulative, point, side="right")), None
    context = rows[order - 2]
    if context < 0:
        return None, None
    tokens, cumulative = model.continuations(order, context)
    point = generator.random()
    if len(tokens) and point >= cumulative[-1] and not model.leaves_rest(order, context):
        point = np.nextafter(cumulative[-1], 0.0)  # that is the rounding of the sum
    if len(tokens) and point < cumulative[-1]:
        return int(tokens[np.searchsorted(cumulative, point, side="right")]), tokens
    return None, tokens


def _draw_unlisted(
    model: NgramModel,
    order: int,
    rows: list[int],
    listed: NDArray[np.int32],
    generator: np.random.Generator,
) -> int:
    """A token that is not ``listed`` after the context of ``order - 2`` tokens; -1 where there
    is none. Looks at the whole vocabulary: drawing anew from the top instead would make the
    unlisted tokens rarer than they are."""
    shorter = NgramState(np.array([rows[: order - 2]], np.int64), np.array([order - 2]))
    log_probs = model.next_log_probs(shorter)
    log_probs[:, listed] = -np.inf
    if np.isneginf(log_probs).all():
        return -1
    return int(draw(log_probs, Sampling(), generator)[0])
