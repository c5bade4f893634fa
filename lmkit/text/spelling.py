"""How unknown words are spelt: a character n-gram model over words.

It turns the one token ``<unk>`` into a code for any word at all, so that models with
different vocabularies can be compared in bits per character. Interpolated Witten-Bell
smoothing (Witten and Bell 1991; Chen and Goodman 1998, section 2.5) over the characters
of a word and the end of the word. Below it stands the uniform distribution over all known
characters, the end, and an escape; an escape is followed by the UTF-8 bytes of a
character never seen, at 1/256 each. The probabilities of all words sum to at most one
(what is missing: escapes before known characters, and bytes that are no UTF-8).

An n-gram is a row number: n-grams of one length are sorted by the key (row of the n-gram
without its last symbol) * symbols + last symbol, a trie in sorted arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORDER = 5
MOST_WORDS = 100_000
"""Training takes a sample, evenly spread, of more words than this, unless told otherwise."""
_ESCAPE, _BEGIN, _END, _FIRST_CHARACTER = 0, 1, 2, 3
_MOST_BINS = 8_000_000
_LITERAL = "<unk>"


@dataclass(frozen=True, slots=True)
class _Level:
    """The n-grams of one length: sorted ``keys`` [n] and their ``counts`` [n]; ``totals``
    and ``types`` [rows of the level below] sum and number the n-grams of each context."""

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    totals: NDArray[np.float64]
    types: NDArray[np.float64]


class SpellingModel:
    """p(spelling | unknown word). Make one with `train` or `from_arrays`.

    ``characters`` [C] are the known code points, ascending. ``literal_weight`` is the
    probability that an unknown word is a literal ``<unk>``.
    """

    def __init__(
        self,
        characters: NDArray[np.uint32],
        ngrams: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
        literal_weight: float,
    ) -> None:
        self.characters = characters
        self.literal_weight = literal_weight
        self._symbols = len(characters) + _FIRST_CHARACTER
        self.levels: list[_Level] = []
        for keys, counts in ngrams:
            self.levels.append(self._level(keys, counts))

    @classmethod
    def train(
        cls,
        words: Sequence[str],
        literal_unknowns: int = 0,
        *,
        unknowns: int | None = None,
        order: int = ORDER,
        most_words: int | None = None,
    ) -> SpellingModel:
        """A model of ``words``, one count each.

        ``literal_unknowns`` is how often a literal ``<unk>`` stood in the training text, and
        ``unknowns`` how many other unknown words are to be expected in as much text (the
        words seen once are the usual estimate of that, hence the default, their number).
        ``most_words``: a sample, evenly spread, is taken of more.
        """
        most_words = most_words or MOST_WORDS
        expected = max(len(words) if unknowns is None else unknowns, 1)
        if len(words) > most_words:
            spread = np.linspace(0, len(words) - 1, most_words).astype(np.int64)
            words = [words[i] for i in spread.tolist()]
        points, lengths = _code_points(words)
        characters = _distinct(points)
        symbols, _ = _layout(points, lengths, characters)
        ngrams = _count(symbols, len(characters) + _FIRST_CHARACTER, order)
        return cls(characters, ngrams, literal_unknowns / (literal_unknowns + expected))

    def log_probs(self, spellings: Sequence[str]) -> NDArray[np.float64]:
        """Natural log p(spelling | unknown word) of each [n]: [n]; -inf for an empty one."""
        if not len(spellings):
            return np.zeros(0)
        points, lengths = _code_points(spellings)
        symbols, starts = _layout(points, lengths, self.characters)
        log_probs = np.log(self._probabilities(symbols))
        # A word is never empty: what the end would get at the beginning goes to the others.
        at_once = self._probabilities(np.array([_BEGIN, _END]))[1]
        log_probs[starts] = -np.log1p(-at_once)
        totals = np.add.reduceat(log_probs, starts)
        totals += self._escape_costs(points, lengths)
        totals[lengths == 0] = -np.inf
        totals += np.log1p(-self.literal_weight)
        if self.literal_weight > 0:
            literal = np.fromiter((s == _LITERAL for s in spellings), bool, len(spellings))
            totals[literal] = np.logaddexp(totals[literal], np.log(self.literal_weight))
        return totals

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """All there is to store; `from_arrays` is the way back."""
        arrays: dict[str, NDArray[Any]] = {
            "characters": self.characters,
            "literal_weight": np.array([self.literal_weight]),
        }
        for length, level in enumerate(self.levels, 1):
            arrays[f"keys_{length}"] = _narrow(level.keys)
            arrays[f"counts_{length}"] = _narrow(level.counts)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> SpellingModel:
        """The model that `as_arrays` gave. Raises `ValueError` where it cannot have."""
        order = sum(name.startswith("keys_") for name in arrays)
        _check(arrays, order)
        return cls(
            np.asarray(arrays["characters"], np.uint32),
            [
                (
                    np.asarray(arrays[f"keys_{length}"], np.int64),
                    np.asarray(arrays[f"counts_{length}"], np.int64),
                )
                for length in range(1, order + 1)
            ],
            float(np.asarray(arrays["literal_weight"]).reshape(-1)[0]),
        )

    def _level(self, keys: NDArray[np.int64], counts: NDArray[np.int64]) -> _Level:
        if not self.levels:
            outcomes = counts[keys != _BEGIN]
            return _Level(
                keys, counts, np.array([outcomes.sum()], float), np.array([len(outcomes)], float)
            )
        rows = len(self.levels[-1].keys)
        contexts = keys // self._symbols
        return _Level(
            keys,
            counts,
            np.bincount(contexts, weights=counts, minlength=rows).astype(float),
            np.bincount(contexts, minlength=rows).astype(float),
        )

    def _probabilities(self, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
        """p(symbol | the word up to it) of each symbol [n] of words laid out; 1 for the
        beginning of a word."""
        probabilities = np.full(len(symbols), 1.0 / (self._symbols - 1))
        begins = symbols == _BEGIN
        rows = np.zeros(len(symbols), np.int64)
        for length, level in enumerate(self.levels, 1):
            contexts = np.zeros(len(symbols), np.int64) if length == 1 else _behind(rows)
            if length > 1:
                contexts[begins] = -1
            rows = _find(level.keys, np.where(contexts < 0, -1, contexts * self._symbols + symbols))
            seen = np.flatnonzero(contexts >= 0)
            if len(level.totals):
                seen = seen[level.totals[contexts[seen]] > 0]
            if not len(seen):
                break
            counts = np.where(rows[seen] < 0, 0, level.counts[rows[seen]])
            totals, types = level.totals[contexts[seen]], level.types[contexts[seen]]
            probabilities[seen] = (counts + types * probabilities[seen]) / (totals + types)
        probabilities[begins] = 1.0
        return probabilities

    def _escape_costs(
        self, points: NDArray[np.uint32], lengths: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Log-probability [n] of the bytes of each word's unknown characters."""
        unknown = _find(self.characters, points) < 0
        size = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
        costs = np.concatenate(([0], np.cumsum(size * unknown)))
        ends = np.cumsum(lengths)
        return -np.log(256.0) * (costs[ends] - costs[ends - lengths])


def _check(arrays: Mapping[str, Any], order: int) -> None:
    """Raises `ValueError` where ``arrays`` are not those of a model: each n-gram continues one of
    the level below, so that nothing is looked up outside."""
    characters = np.asarray(arrays["characters"])
    weight = np.asarray(arrays["literal_weight"], np.float64).reshape(-1)
    contexts, symbols = 1, len(characters) + _FIRST_CHARACTER
    good = order > 0 and len(weight) == 1 and 0 <= weight[0] < 1
    good = good and characters.ndim == 1 and bool((characters[1:] > characters[:-1]).all())
    for length in range(1, order + 1):
        keys, counts = np.asarray(arrays[f"keys_{length}"]), np.asarray(arrays[f"counts_{length}"])
        good = good and keys.ndim == 1 and keys.shape == counts.shape
        whole = not len(keys) or (keys.dtype.kind in "iu" and counts.dtype.kind in "iu")
        good = good and whole
        good = good and bool((keys[1:] > keys[:-1]).all()) and counts.min(initial=0) >= 0
        if len(keys):
            good = good and keys[0] >= 0 and int(keys[-1]) < contexts * symbols
        contexts = len(keys)
    if not good:
        raise ValueError("how unknown words are spelt is not told as it was written")


def _narrow(values: NDArray[np.int64]) -> NDArray[Any]:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _code_points(words: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """All code points of ``words``, and the number of them in each."""
    joined = "".join(words).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(joined, np.uint32), np.fromiter(map(len, words), np.int64, len(words))


def _distinct(points: NDArray[np.uint32]) -> NDArray[np.uint32]:
    if not len(points):
        return points
    return np.flatnonzero(np.bincount(points)).astype(np.uint32)


def _layout(
    points: NDArray[np.uint32], lengths: NDArray[np.int64], characters: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The symbols of words behind each other, each word between its beginning and its end,
    and where each word starts."""
    starts = np.cumsum(lengths + 2) - (lengths + 2)
    symbols = np.full(int((lengths + 2).sum()), _END, np.int64)
    symbols[starts] = _BEGIN
    rows = _find(characters, points)
    places = np.arange(len(points)) + np.repeat(2 * np.arange(len(lengths)) + 1, lengths)
    symbols[places] = np.where(rows < 0, _ESCAPE, rows + _FIRST_CHARACTER)
    return symbols, starts


def _find(keys: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """The row of each of ``wanted`` [n] in the sorted ``keys``; -1 where it is not there."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[rows] == wanted, rows, -1)


def _behind(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of the n-gram that ends just before each place; -1 before the first."""
    return np.concatenate(([-1], rows[:-1]))


def _count(
    symbols: NDArray[np.int64], size: int, order: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Keys and counts of the n-grams up to ``order`` of words laid out."""
    ngrams = []
    begins = symbols == _BEGIN
    keys, rows, contexts = symbols, symbols, 1
    for length in range(1, order + 1):
        places = np.arange(len(symbols))
        if length > 1:
            before = _behind(rows)
            places = np.flatnonzero((before >= 0) & ~begins)
            keys = before[places] * size + symbols[places]
        if contexts * size <= _MOST_BINS:
            bins = np.bincount(keys, minlength=1)
            distinct = np.flatnonzero(bins)
            counts = bins[distinct]
            row_of = np.zeros(len(bins), np.int64)
            row_of[distinct] = np.arange(len(distinct))
            found = row_of[keys]
        else:
            distinct, found, counts = np.unique(keys, return_inverse=True, return_counts=True)
        rows = np.full(len(symbols), -1, np.int64)
        rows[places] = found
        contexts = len(distinct)
        ngrams.append((distinct, counts))
    return ngrams
