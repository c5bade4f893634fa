"""Log-linear interpolation: Klakow 1998, "Log-linear interpolation of language models".

    log p(w|h) = sum over k of power_k log p_k(w|h) - log Z(h)

Z(h) sums over the whole vocabulary, so every token costs a distribution of each model. The powers
are at least 0 and need not sum to one. The likelihood of held-out text is concave in them: its
gradient is f(w) - E[f] and its Hessian -Cov[f] under the mixture, f_k = log p_k, and Newton's
method climbs it.

``V`` is the size of the vocabulary, ``M`` the number of models, ``B`` of streams, ``T`` of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UnsupportedError
from lmkit.mixture.member import Member
from lmkit.model import Batch

Floats = NDArray[np.float64]

ENTRIES_AT_ONCE = 1 << 22
"""Entries of each model's distributions that are worked on at once."""
MOST_STEPS = 30
TOLERANCE = 1e-5
"""Powers that a step of Newton's changes by less are final."""


class Product:
    """The product of the ``members``, each to its power of ``powers`` [M]."""

    def __init__(self, members: Sequence[Member], powers: Floats) -> None:
        self.members = members
        self.powers = powers

    def normalised(self, parts: Sequence[Floats]) -> Floats:
        """log p [B, V] from the log-probabilities of the members [B, V] each."""
        total = self._multiplied(parts)
        total -= _log_sum(total.copy())[:, None]
        return total

    def score(
        self, batch: Batch, state: Any = None, progress: Callable[[int], None] | None = None
    ) -> Floats:
        """log p [T] of the tokens of ``batch``; ``state`` is where the first sentence goes on.
        ``progress`` is called with the tokens that are done."""
        log_probs = np.empty(len(batch.ids))
        done = 0
        for places, parts in distributions(self.members, batch, state):
            total = self._multiplied(parts)
            found = total[np.arange(len(places)), batch.ids[places]]
            log_probs[places] = found - _log_sum(total)
            done += len(places)
            if progress is not None:
                progress(done)
        return log_probs

    def _multiplied(self, parts: Sequence[Floats]) -> Floats:
        total = np.zeros_like(parts[0])
        for power, log_probs in zip(self.powers.tolist(), parts, strict=True):
            if power > 0:
                total += power * log_probs
            else:
                # What any of them holds for impossible is impossible, whatever its power.
                total[np.isneginf(log_probs)] = -np.inf
        return total


def distributions(
    members: Sequence[Member], batch: Batch, state: Any = None
) -> Iterator[tuple[NDArray[np.int64], list[Floats]]]:
    """What the members expect at each place of ``batch``: places [B] and the log-probabilities
    [B, V] of each of them, until all places were there. Sentences go side by side, the longest
    first."""
    lengths = np.diff(batch.offsets)
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    if state is not None and len(batch) and lengths[0]:
        yield from _side_by_side(members, batch, order[order == 0], list(state.parts))
        order = order[order != 0]
    size = members[0].size
    together = max(1, ENTRIES_AT_ONCE // size)
    for first in range(0, len(order), together):
        chosen = order[first : first + together]
        parts = [member.model.start(len(chosen)) for member in members]
        yield from _side_by_side(members, batch, chosen, parts)


def _side_by_side(
    members: Sequence[Member], batch: Batch, chosen: NDArray[np.int64], parts: list[Any]
) -> Iterator[tuple[NDArray[np.int64], list[Floats]]]:
    starts, lengths = batch.offsets[chosen], np.diff(batch.offsets)[chosen]
    for step in range(int(lengths[0])):
        going = int((lengths > step).sum())
        if step:
            read = batch.ids[starts[:going] + step - 1].astype(np.int64)
            parts = [
                member.model.advance(part.select(np.arange(going)), member.ids(read))
                for member, part in zip(members, parts, strict=True)
            ]
        yield (
            starts[:going] + step,
            [member.next_log_probs(part) for member, part in zip(members, parts, strict=True)],
        )


def fit_powers(
    members: Sequence[Member],
    batch: Batch,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """The powers [M] under which the text ``batch`` is likeliest.

    Raises `UnsupportedError` where a model holds a token of the text for impossible.
    """
    powers = np.full(len(members), 1.0 / len(members))
    value, gradient, hessian = _moments(members, batch, powers)
    for step in range(MOST_STEPS):
        if progress is not None:
            progress(step, MOST_STEPS)
        free = (powers > 0) | (gradient > 0)
        move = np.zeros_like(powers)
        bent = hessian[np.ix_(free, free)]
        # Where two models are the same, so are their columns.
        ridge = 1e-9 * max(float(np.trace(bent)), 1e-12) * np.eye(len(bent))
        move[free] = np.linalg.solve(bent + ridge, gradient[free])
        length, better = 1.0, None
        while length > 1e-4:
            tried = np.maximum(powers + length * move, 0.0)
            better = _moments(members, batch, tried)
            if better[0] >= value - 1e-12 * abs(value):
                break
            length /= 2
        if better is None or better[0] < value:
            break
        change = float(np.abs(tried - powers).max())
        powers, (value, gradient, hessian) = tried, better
        if change < TOLERANCE:
            break
    return powers


def _moments(
    members: Sequence[Member], batch: Batch, powers: Floats
) -> tuple[float, Floats, Floats]:
    """The log-likelihood of ``batch``, its gradient [M], and minus its Hessian [M, M]."""
    count = len(members)
    value, gradient, bent = 0.0, np.zeros(count), np.zeros((count, count))
    for places, parts in distributions(members, batch):
        rows, ids = np.arange(len(places)), batch.ids[places]
        found = np.stack([part[rows, ids] for part in parts], axis=1)
        if np.isneginf(found).any():
            bad = int(np.flatnonzero(np.isneginf(found).any(axis=0))[0])
            raise UnsupportedError(
                f"{members[bad].name} holds a token of the held-out text for impossible, and so "
                "would its product with any model",
                "--kind linear",
            )
        probs = Product(members, powers).normalised(parts)
        value += float(probs[rows, ids].sum())
        np.exp(probs, out=probs)
        features = [np.where(probs > 0, part, 0.0) for part in parts]
        means = np.stack([np.einsum("bv,bv->b", probs, f) for f in features], axis=1)
        gradient += (found - means).sum(axis=0)
        for i in range(count):
            for j in range(i, count):
                second = np.einsum("bv,bv,bv->", probs, features[i], features[j])
                bent[i, j] += second - means[:, i] @ means[:, j]
                bent[j, i] = bent[i, j]
    return value, gradient, bent


def _log_sum(values: Floats) -> Floats:
    """log of the sum of exp over each row of ``values`` [B, V], which are overwritten."""
    peak = values.max(axis=1)
    peak[~np.isfinite(peak)] = 0.0
    values -= peak[:, None]
    np.exp(values, out=values)
    with np.errstate(divide="ignore"):
        total: Floats = np.log(values.sum(axis=1))
    total += peak
    return total
