"""Probabilities of edits from their counts, smoothed, in the shape in which pairs are scored.

Shapes are those of `lmkit.channel.edits.counts`; contexts are the first axis of single letters, the
last one of longer edits.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.edits.counts import CODE_POINTS, STRANGE, Counts, Floats, Ints
from lmkit.channel.edits.keyboard import neighbours
from lmkit.channel.edits.strings import letter_numbers, string_keys

RATES = {"insert": 0.01, "delete": 0.01, "substitute": 0.01, "transpose": 0.002}
"""How often each happens at a letter, where nothing is known."""
SPACES = (0.99, 0.009, 0.001)
"""The same for an intended space: typed, dropped, typed as something else."""

SPARE = 16
"""Places of the filter of longer edits for each of them."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How much is believed before anything is seen, in counts (pseudo-counts of a Dirichlet
    prior); all zero, and `transpose` off, is maximum likelihood."""

    context: float = 8.0
    """What all contexts together weigh in each of them."""
    longer: float = 2.0
    """What "pass on to the shorter ones" has been seen more often than it was."""
    discount: float = 1.0
    """What is taken off the count of each longer edit, and left to the shorter ones."""
    single: float = 2.0
    """What all letters together weigh in each of them."""
    rates: float = 50.0
    """What `RATES` and `SPACES` weigh."""
    letters: float = 5.0
    """What all contexts, and then all letters of the alphabet alike, weigh in the letters
    inserted."""
    keyboard: float = 0.5
    """Part of the letters typed for another, where no such case is known, that are its
    neighbours on the keyboard."""
    transpose: bool = True
    """Whether any two letters may change places."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


UNSMOOTHED = Smoothing(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False)


def _ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, and 0 where both are 0."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.zeros(shape), where=np.asarray(below) > 0)


class EditTable:
    """Everything that scoring looks up.

    ``insert`` [3, A+1]; ``stop``, ``spaces`` [3]; ``single`` [3, A+1, A+1], in whose row and
    column 0 are letters without a number, different ones; ``same`` [3]: such a letter kept;
    ``delete`` [3, A+1]; ``longer`` [R, 3]; ``passes`` [N, 3]; ``swap`` [3].
    """

    def __init__(self, counts: Counts, smoothing: Smoothing) -> None:
        self.counts, self.smoothing = counts, smoothing
        self.letters = counts.letters
        self.A = len(self.letters)
        self.numbers = letter_numbers(self.letters)
        uniform = np.full(self.A + 1, STRANGE / CODE_POINTS)
        if self.A:
            uniform[1:] += (1 - STRANGE) / self.A
        self.uniform = uniform
        self._longer_edits()
        self._insertions()
        self._single_letters()
        self._spaces()
        self._swaps()
        self._index()

    def _longer_edits(self) -> None:
        """``longer``, ``passes``, and the numbers of their substrings."""
        counts, s = self.counts, self.smoothing
        wide = [n for n, y in enumerate(counts.intended) if len(y) > 1]
        self.ones = np.array(
            [n for n, y in enumerate(counts.intended) if len(y) == 1], dtype=np.int64
        )
        known = sorted({*counts.substrings, *counts.intended})
        number = {y: n for n, y in enumerate(known)}
        self.substrings = known
        self.intended = np.array([number[y] for y in counts.intended], dtype=np.int64)
        results = sorted(set(counts.typed))
        result = {x: n for n, x in enumerate(results)}
        self.results = results
        self.typed = np.array([result[x] for x in counts.typed], dtype=np.int64)
        seen = np.zeros((len(known), 3))
        for y, row in zip(counts.substrings, counts.seen, strict=True):
            seen[number[y]] = row
        used = np.zeros((len(known), 3))
        np.add.at(used, self.intended[wide], counts.longer[wide])
        # A row that somebody raised above what was seen of its substring.
        seen = np.maximum(seen, used)
        total = seen.sum(axis=1) + s.longer
        counted = counts.longer.sum(axis=1)
        believed = _ratio(np.maximum(counted - s.discount, 0.0), counted)[:, None] * counts.longer
        pooled = _ratio(believed.sum(axis=1), total[self.intended])
        below = seen + s.context
        self.longer = _ratio(believed + s.context * pooled[:, None], below[self.intended])
        self.longer[self.ones] = 0.0
        taken = np.zeros((len(known), 3))
        np.add.at(taken, self.intended, self.longer)
        self.passes = np.maximum(1 - taken, 0.0)
        self.substring_keys = string_keys(known, self.numbers)
        self.result_keys = string_keys(results, self.numbers)

    def _insertions(self) -> None:
        counts, s = self.counts, self.smoothing
        wide = counts.longer.sum(axis=0)
        goes_on = counts.single.sum(axis=(1, 2)) + counts.delete.sum(axis=1) + wide
        others = np.array([goes_on[0], goes_on[1] + goes_on[2], counts.stop])
        inserted = counts.insert.sum(axis=1)
        rate = RATES["insert"]
        self.insert_rate = _ratio(inserted + s.rates * rate, inserted + others + s.rates)
        pooled = counts.insert.sum(axis=0)
        letters = _ratio(pooled + s.letters * self.uniform, pooled.sum() + s.letters)
        shares = _ratio(counts.insert + s.letters * letters, inserted[:, None] + s.letters)
        self.insert = self.insert_rate[:, None] * shares
        self.stop = 1 - self.insert_rate[2]
        self.on = 1 - self.insert_rate

    def _single_letters(self) -> None:
        """``single``, ``delete``, ``same`` and the ones: what happens to one letter."""
        counts, s = self.counts, self.smoothing
        more = counts.longer[self.ones]
        first = np.array(
            [self.letters.index(counts.intended[n]) + 1 for n in self.ones.tolist()],
            dtype=np.int64,
        )
        total = counts.single.sum(axis=2) + counts.delete
        np.add.at(total.T, first, more)
        everywhere = total.sum(axis=0) + s.single
        left = _ratio(np.asarray(s.single), everywhere)
        below = total + s.context
        pass_on = _ratio(s.context * left, below)
        # Where nothing is known of a letter, all is left to what all letters do.
        pass_on[below == 0] = 1.0
        delete, same, other = self._pooled_rates()
        self.rest = pass_on
        self.delete = pass_on * delete[:, None] + _ratio(
            counts.delete + s.context * _ratio(counts.delete.sum(axis=0), everywhere), below
        )
        spread = self._spread()
        known = counts.single + s.context * _ratio(counts.single.sum(axis=0), everywhere[:, None])
        self.single = _ratio(known, below[:, :, None])
        self.single += (pass_on * other[:, None])[:, :, None] * spread
        diagonal = np.arange(1, self.A + 1)
        self.single[:, diagonal, diagonal] += (pass_on * same[:, None])[:, 1:]
        self.same = pass_on[:, 0] * same
        pooled = _ratio(more.sum(axis=1), everywhere[first])
        self.longer[self.ones] = _ratio(more + s.context * pooled[:, None], below[:, first].T)

    def _pooled_rates(self) -> tuple[Floats, Floats, Floats]:
        """How often, in each context, a letter of which nothing is known is deleted, kept, and
        typed as another one: three times [3], which sum to one."""
        counts, s = self.counts, self.smoothing
        deleted = counts.delete.sum(axis=1)
        kept = np.trace(counts.single, axis1=1, axis2=2)
        other = counts.single.sum(axis=(1, 2)) - kept
        total = deleted + kept + other + s.rates
        delete = _ratio(deleted + s.rates * RATES["delete"], total)
        substitute = _ratio(other + s.rates * RATES["substitute"], total)
        return delete, 1 - delete - substitute, substitute

    def _spread(self) -> Floats:
        """[A+1, A+1]: the letters that are typed for each letter when it is typed as another, if
        nothing is known about it; rows sum to one, with all of Unicode in column 0."""
        A = self.A
        even = np.tile(self.uniform, (A + 1, 1))
        inside = np.arange(1, A + 1)
        even[inside, inside] = 0.0
        even /= 1 - np.concatenate(([self.uniform[0]], self.uniform[1:]))[:, None]
        near = np.zeros((A + 1, A + 1))
        near[1:, 1:] = neighbours(self.letters)
        weight = np.where(near.sum(axis=1) > 0, self.smoothing.keyboard, 0.0)[:, None]
        return weight * near + (1 - weight) * even

    def _spaces(self) -> None:
        counts, s = self.counts, self.smoothing
        prior = np.array(SPACES)
        weight = s.rates or 1e-9
        self.spaces = (counts.spaces + weight * prior) / (counts.spaces.sum() + weight)
        # What stands for a space is any other letter alike.
        code = int(self.numbers[ord(" ")])
        self.at_space = self.spaces[2] * self.uniform / (1 - self.uniform[code])
        self.at_space[code] = self.spaces[0]

    def _swaps(self) -> None:
        """``swap`` [3]: two letters of which nothing is known change places."""
        counts, s = self.counts, self.smoothing
        self.swap = np.zeros(3)
        if not s.transpose:
            return
        swapped = np.array(
            [
                y == x[::-1] and len(y) == 2
                for y, x in zip(counts.intended, counts.typed, strict=True)
            ],
            dtype=bool,
        )
        found = counts.longer[swapped].sum(axis=0) if len(swapped) else np.zeros(3)
        letters = counts.single.sum(axis=(1, 2)) + counts.delete.sum(axis=1)
        self.swap = (found + s.rates * RATES["transpose"]) / (letters + s.rates + found)

    def _index(self) -> None:
        """What finds longer edits by their substrings: exactly, and fast where there is none."""
        self.results_known = max(len(self.results), 1)
        keys = self.intended * self.results_known + self.typed
        order = np.argsort(keys, kind="stable")
        self.edit_keys = (keys[order], order)
        # The edits that give result n are ``by_typed[typed_starts[n] : typed_starts[n + 1]]``.
        self.by_typed = np.argsort(self.typed, kind="stable")
        self.typed_starts = np.searchsorted(
            self.typed[self.by_typed], np.arange(len(self.results) + 1)
        )
        lengths = np.fromiter(map(len, self.results), np.int64, len(self.results))
        self.result_lengths = lengths[self.typed]
        # What takes a substring away whole, by its number; the last one stands for none.
        self.gone = np.full(len(self.substrings) + 1, -1)
        gone = np.flatnonzero(self.result_lengths == 0)
        self.gone[self.intended[gone]] = gone
        self.mask = np.int32((1 << max(int(len(keys) * SPARE).bit_length(), 10)) - 1)
        sizes = len(self.substrings) + 1, len(self.results) + 1
        self.intended_hash, self.typed_hash = (
            _scattered(size, salt) & self.mask for salt, size in enumerate(sizes, 1)
        )
        places = (self.intended_hash[self.intended] + self.typed_hash[self.typed]) & self.mask
        self.maybe = np.zeros(self.mask + 1, dtype=bool)
        self.maybe[places] = True
        # Of edits that share a place one is found there, the others by their keys.
        self.first = np.full(self.mask + 1, -1, dtype=np.int32)
        self.first[places] = np.arange(len(places))
        self.alone = np.bincount(places, minlength=self.mask + 1) < 2
        self.shapes = sorted(
            {(len(y), len(x)) for y, x in zip(self.counts.intended, self.counts.typed, strict=True)}
        )

    def edit_numbers(self, intended: Ints, typed: Ints, places: Ints) -> Ints:
        """The longer edit from each substring to each result, by their numbers and the sums of
        their hashes; -1 for none."""
        found = self.first[places].astype(np.int64)
        right = (self.intended[found] == intended) & (self.typed[found] == typed)
        found[~right] = -1
        others = np.flatnonzero(~right & ~self.alone[places] & (intended >= 0) & (typed >= 0))
        if len(others):
            keys = intended[others] * self.results_known + typed[others]
            found[others] = _find(self.edit_keys, keys)
        return found

    def rows_of(self, typed: str) -> list[int]:
        """The longer edits that give ``typed``."""
        number = bisect_left(self.results, typed)
        if number == len(self.results) or self.results[number] != typed:
            return []
        low, high = self.typed_starts[number : number + 2]
        rows: list[int] = self.by_typed[low:high].tolist()
        return rows

    @cached_property
    def numbers_of_results(self) -> dict[str, int]:
        """The number of each result of a longer edit."""
        return {result: number for number, result in enumerate(self.results)}

    def substring_numbers(self, keys: Ints) -> Ints:
        """The number of each substring by its key; -1 where it is not known."""
        return _find(self.substring_keys, keys)

    def result_numbers(self, keys: Ints) -> Ints:
        """The number of each result of a longer edit by its key; -1 where there is none."""
        return _find(self.result_keys, keys)


def _scattered(size: int, salt: int) -> NDArray[np.int32]:
    """``size`` numbers that have nothing to do with each other (Steele et al. 2014, splitmix64):
    without the half of NumPy that draws random ones, which takes time to import."""
    mixed = np.arange(size, dtype=np.uint64) + np.uint64(salt << 32)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(33)).astype(np.int32)


def _find(pair: tuple[Ints, Ints], keys: Ints) -> Ints:
    ordered, numbers = pair
    if not len(ordered):
        return np.full(keys.shape, -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.where(ordered[at] == keys, numbers[at], -1)
