"""A cache of the words that a running text has used recently: Kuhn and De Mori 1990, "A cache-based
natural language model for speech recognition"; with pairs of words Jelinek, Merialdo, Roukos and
Strauss 1991, "A dynamic language model for speech recognition"; with decay Clarkson and Robinson
1997, "Language model adaptation using mixtures and an exponentially decaying cache".

At place t the ``size`` tokens before it count decay^(t - 1 - i) each, and

    p_words(w) is in proportion to the sum of that over the i where the token is w,
    p_pairs(w) is the same over the i where the token before i is that before t.

Both are distributions, and so are their mixtures with other models. How far they can be trusted
depends on how much there is to go by, so each place has one of `CLASSES` classes.

``N`` is the number of tokens of a text, ``B`` of streams, ``H`` of tokens of a history.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SOURCES = ("cache: words", "cache: pairs")
FILLED = np.array([1, 4, 16, 64, 256, 1024])
"""From how many tokens in the cache on a place is in the next class."""
FOLLOWED = np.array([1, 2, 4])
"""The same for how often the token before it stands there with another behind it."""
CLASSES = (len(FILLED) + 1) * (len(FOLLOWED) + 1)
_LEAST = 1e-200
"""No token counts for less: older ones have no say."""
NOBODY = -1
"""What fills the rows of histories that are shorter than others."""


def usable() -> NDArray[np.bool_]:
    """Which of the sources have anything to say in each class: [CLASSES, 2]."""
    filled, followed = np.divmod(np.arange(CLASSES), len(FOLLOWED) + 1)
    return np.stack((filled > 0, (filled > 0) & (followed > 0)), axis=1)


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache of ``size`` tokens."""

    size: int = 2000
    decay: float = 0.999

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"a cache holds at least 1 token, not {self.size}", "2000")
        if not 0 < self.decay <= 1:
            raise UsageError(
                f"the decay of a cache must be above 0 and at most 1, not {self.decay}", "0.999"
            )

    @property
    def reach(self) -> int:
        """How many tokens back the cache sees."""
        if self.decay == 1:
            return self.size
        return max(1, min(self.size, int(math.log(_LEAST) / math.log(self.decay))))

    @property
    def keeps(self) -> int:
        """How long a history has to be: the token before the oldest pair is part of it."""
        return self.reach + 1

    def masses(self, filled: Ints) -> Floats:
        """What ``filled`` tokens count together."""
        if self.decay == 1:
            return filled.astype(np.float64)
        return -np.expm1(filled * math.log(self.decay)) / (1 - self.decay)

    # -- a whole text ---------------------------------------------------------------------

    def of_text(self, ids: NDArray[np.integer], begins: Ints) -> tuple[Floats, Ints]:
        """log p [N, 2] of each token under both sources (-inf where they have nothing to say),
        and the class [N] of each place. At ``begins``, the first one 0, the cache is empty."""
        count = len(ids)
        lengths = np.diff(np.append(begins, count))
        since = np.arange(count) - np.repeat(begins, lengths)
        text = np.repeat(np.arange(len(begins)), lengths)
        words = _Occurrences(text * (int(ids.max(initial=0)) + 1) + ids)
        word_mass, word_count = words.before(self.reach, self.decay)
        pairs = np.empty(count, np.int64)
        pairs[1:] = words.number[:-1] * count + words.number[1:]
        # No two of these are equal: where a text begins there is no pair.
        pairs[begins] = -1 - np.arange(len(begins))
        pair_mass, _ = _Occurrences(pairs).before(self.reach, self.decay)
        followed_mass, followed = np.zeros(count), np.zeros(count, np.int64)
        # A token is followed wherever it stands before its last occurrence.
        followed_mass[1:], followed[1:] = word_mass[:-1], word_count[:-1]
        followed_mass[begins], followed[begins] = 0.0, 0
        filled = np.minimum(since, self.reach)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_probs = np.log(
                np.stack((word_mass / self.masses(filled), pair_mass / followed_mass), axis=1)
            )
        log_probs[np.isnan(log_probs)] = -np.inf
        return log_probs, _classes(filled, followed)

    # -- one token after the other ----------------------------------------------------------

    def next_probs(self, history: NDArray[np.integer], size: int) -> tuple[Floats, Ints]:
        """p [B, 2, size] of every token after ``history`` [B, H] under both sources, zeros where
        they have nothing to say, and the class [B]. A shorter history is filled up with `NOBODY`
        from the left."""
        streams = len(history)
        probs = np.zeros((streams, 2, size))
        recent = history[:, -self.reach :]
        before = history[:, -self.reach - 1 : -1]
        if recent.shape[1] > before.shape[1]:
            before = np.concatenate((np.full((streams, 1), NOBODY), before), axis=1)
        there = recent >= 0
        weights = self.decay ** np.arange(recent.shape[1] - 1, -1, -1.0)
        follows = there & (before >= 0) & (before == history[:, -1:])
        filled, followed = there.sum(axis=1), follows.sum(axis=1)
        for source, chosen in enumerate((there, follows)):
            rows, places = np.nonzero(chosen)
            flat = rows * size + recent[rows, places]
            masses = np.bincount(flat, weights[places], minlength=streams * size)
            table = masses.reshape(streams, size)
            totals = table.sum(axis=1, keepdims=True)
            probs[:, source] = table / np.where(totals > 0, totals, 1.0)
        return probs, _classes(filled, followed)

    def extended(
        self, history: NDArray[np.int32], tokens: NDArray[np.integer]
    ) -> NDArray[np.int32]:
        """``history`` [B, H] and one more token [B] each, as far back as the cache sees."""
        longer = np.concatenate((history, np.asarray(tokens, np.int32)[:, None]), axis=1)
        return longer[:, -self.keeps :]


def _classes(filled: Ints, followed: Ints) -> Ints:
    rows = np.searchsorted(FILLED, filled, side="right")
    return rows * (len(FOLLOWED) + 1) + np.searchsorted(FOLLOWED, followed, side="right")


class _Occurrences:
    """The places of each of the ``keys`` [N] in their order. ``number`` [N]: of the key at each
    place among the distinct ones."""

    def __init__(self, keys: Ints) -> None:
        self.size = len(keys)
        self.places = np.argsort(keys, kind="stable")
        ordered = keys[self.places]
        is_first = np.ones(self.size, bool)
        np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
        self.group = np.cumsum(is_first) - 1
        firsts = np.flatnonzero(is_first)
        self.first = firsts[self.group] if self.size else self.group
        self.number = np.empty(self.size, np.int64)
        self.number[self.places] = self.group

    def before(self, reach: int, decay: float) -> tuple[Floats, Ints]:
        """For each place t [N] the sum of decay^(t - 1 - i) over the places i of the same key
        among the ``reach`` before it, and their number."""
        slope = math.log(decay)
        sums = self._running(slope)
        rank = np.arange(self.size)
        # The first place that is near enough: keys with their places are in ascending order.
        order = self.group * (self.size + 1) + self.places
        near = np.searchsorted(order, self.group * (self.size + 1) + self.places - reach)
        near = np.maximum(near, self.first)
        some = np.flatnonzero(rank > near)
        here = self.places[some]
        last, behind = some - 1, near[some] - 1
        newest = np.exp(slope * (here - 1 - self.places[last]))
        found = newest * sums[last]
        far = np.flatnonzero(behind >= self.first[some])
        age = here[far] - 1 - self.places[behind[far]]
        found[far] -= np.exp(slope * age) * sums[behind[far]]
        masses, counts = np.zeros(self.size), np.zeros(self.size, np.int64)
        masses[here] = np.maximum(found, newest)
        counts[here] = some - near[some]
        return masses, counts

    def _running(self, slope: float) -> Floats:
        """For each place, in the order of the keys, the sum of decay^(t - i) over the places i
        of its key up to itself. Adds twice as many at each step (Hillis and Steele 1986), so
        nothing can overflow, and nothing is lost in long texts."""
        sums = np.ones(self.size)
        step = 1
        active = np.flatnonzero(np.arange(self.size) - self.first >= step)
        while len(active):
            gaps = self.places[active] - self.places[active - step]
            sums[active] += np.exp(slope * gaps) * sums[active - step]
            step *= 2
            active = active[active - self.first[active] >= step]
        return sums
