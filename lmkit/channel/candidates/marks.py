"""Candidates of typed words with accents and other marks, as what they are without them too.

A channel that has learnt from a language without marks takes a letter with one for any of the
letters of Unicode. But `diệd` is `died` with a mark on it: what may have been meant by the letters
alone may have been meant by the word, at the price of its marks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.finder import MOST_KEPT, CandidateFinder, Candidates
from lmkit.channel.candidates.folding import without_marks
from lmkit.channel.groups import best_of_groups, stretches

MARK = -4.0
"""Price (log) of a mark that was not meant."""


def find_candidates(finder: CandidateFinder, typed: Sequence[str]) -> Candidates:
    """The candidates of ``typed`` words [T] that ``finder`` finds, with or without their marks."""
    found = finder.find(typed)
    unmarked = [word if word.isascii() else _unmarked(word) for word in typed]
    places = [i for i, word in enumerate(typed) if unmarked[i] != word]
    if not places:
        return found
    marked = _of_marked(finder, [typed[i] for i in places], [unmarked[i] for i in places])
    begins, sizes = found.starts[:-1].copy(), np.diff(found.starts)
    begins[places], sizes[places] = len(found.rows) + marked.starts[:-1], np.diff(marked.starts)
    chosen = stretches(begins, sizes)
    return Candidates(
        np.concatenate(([0], np.cumsum(sizes))),
        np.concatenate([found.rows, marked.rows])[chosen],
        np.concatenate([found.log_channel, marked.log_channel])[chosen],
    )


def _of_marked(finder: CandidateFinder, typed: Sequence[str], plain: Sequence[str]) -> Candidates:
    """The same of words that all have marks, and are ``plain`` without them."""
    found, more = finder.find(typed), finder.find(plain)
    prices = np.array([MARK * _marks(*words) for words in zip(typed, plain, strict=True)])
    everyone = np.arange(len(typed))
    of_typed, of_plain = (np.repeat(everyone, np.diff(one.starts)) for one in (found, more))
    # The word without its marks is another one, and has itself for a candidate.
    own = finder.lexicon.rows.of(plain)
    known = np.flatnonzero(own >= 0)
    as_meant = np.full(len(known), np.log1p(-finder.channel.keep))
    query = np.concatenate([of_typed, of_plain, known])
    rows = np.concatenate([found.rows, more.rows, own[known]])
    scores = np.concatenate(
        [found.log_channel, more.log_channel + prices[of_plain], as_meant + prices[known]]
    )
    # What is near the plain word may be the typed one.
    other = rows != finder.lexicon.rows.of(typed)[query]
    return _merged(finder, query[other], rows[other], scores[other], len(typed))


def _unmarked(word: str) -> str:
    """``word`` without its marks; as it is where some are no part of a letter, which nobody types
    by mistake."""
    plain = without_marks(word)
    return plain if len(plain) == len(word) else word


def _marks(word: str, plain: str) -> int:
    """How many letters of ``word`` have marks that ``plain`` has not."""
    return sum(a != b for a, b in zip(word, plain, strict=True))


def _merged(
    finder: CandidateFinder,
    query: NDArray[np.int64],
    rows: NDArray[np.int64],
    scores: NDArray[np.float64],
    many: int,
) -> Candidates:
    """The likelier one of two candidates of a word that are the same, and of all the best."""
    order = np.lexsort((-scores, rows, query))
    query, rows, scores = query[order], rows[order], scores[order]
    new = np.ones(len(order), bool)
    new[1:] = (query[1:] != query[:-1]) | (rows[1:] != rows[:-1])
    query, rows, scores = query[new], rows[new], scores[new]
    best = best_of_groups(query, scores + finder.lexicon.log_prior[rows], MOST_KEPT, finder.behind)
    query, rows, scores = query[best], rows[best], scores[best]
    return Candidates(np.searchsorted(query, np.arange(many + 1)), rows, scores)
