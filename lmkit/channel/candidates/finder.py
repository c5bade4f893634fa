"""Which words may have been meant by a typed one, and what the channel makes of each.

Candidates come from the deletion index (two edits; a scan of the lexicon where few words are
asked about) and, where those are few or poor, from a beam search of the lexicon's trie that the
channel's own edits drive (`search.py`). They are thinned out
by a crude price, then by the channel's own. Found once for each distinct typed word and kept:
`Candidates` of ``T`` typed words are flat arrays with ``starts`` [T + 1].
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.base import ErrorModel
from lmkit.channel.candidates.deletions import DeletionIndex
from lmkit.channel.candidates.distance import distances
from lmkit.channel.candidates.folding import LONGEST
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.candidates.scan import WordScan
from lmkit.channel.candidates.search import BEAM, TrieSearch
from lmkit.channel.candidates.trie import WordTrie
from lmkit.channel.candidates.wordtable import WordTable
from lmkit.channel.groups import best_of_groups
from lmkit.threads import shared

MOST_INDEXED = 500_000
"""Words of the lexicon beyond these, by prior, are known but never candidates."""
MOST_SCORED = 50
"""Candidates of a typed word that the channel looks at."""
MOST_ASKED = 120
"""The same of one that somebody asks about."""
MOST_OF_KNOWN = 25
"""The same of one that is a word itself: only likely words can be meant by another word."""
MOST_KEPT = 30
"""Candidates of a typed word that reach the lattice."""
SLIPS_ASKED = 0.05
"""The most that slips are of the errors in a word that somebody asks about: who asks does not know
how it is spelt."""
SLIPS = (0.8, 0.2)
"""How many of the slips are one edit, and two."""
PER_EDIT = 4.0
"""Crude price of an edit, in nats: what thins candidates out before the channel sees them."""
POOR = -24.0
"""Where log p(typed | word) p(word) of all near candidates of an unknown word is below this, the
trie is searched."""
POOR_ASKED = -20.0
BEAM_ASKED = 64
"""The same for a word that somebody asks about, and the hypotheses of that search."""
RAREST_ASKED = POOR_ASKED + 4.0
"""Words that are rarer (log-prior) are left to that search where somebody asks: near words that
keep it from being made are likelier than these, as an edit costs some four nats."""
FEW_NEAR = 3
"""Where fewer likely words are near, rare ones are looked at too."""
BEHIND, BEHIND_ASKED = 12.0, 24.0
"""A candidate so many nats behind the best, context left out, is dropped; the same for a word that
somebody asks about."""
CRUDELY_BEHIND = 7.0
"""One so many nats behind the best by the crude price alone is not looked at: without these as many
errors are fixed and no more words broken, in a fifth less time."""
_REACH = np.array([0, 2_000, 5_000, 10_000, 25_000, 60_000, MOST_INDEXED])
"""So many of the likeliest words may be meant by a typed word of 0, 1, ... letters: short words
have neighbours without number."""
MOST_SCANNED = 500
"""From so many typed words on a deletion index pays; before that all of the lexicon is scanned."""
MOST_REMEMBERED = 1_000_000
FEWEST_AT_ONCE, MOST_AT_ONCE = 512, 4096
"""Typed words that are looked up together."""
LOOKED_UP = 512
"""Of these, so many at a time in the index: most of what it finds is not near."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Of typed word ``t``: ``rows[starts[t]:starts[t + 1]]`` of the lexicon, the best first, and
    log p(typed | row). The typed word itself is not among them."""

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    log_channel: NDArray[np.float64]


class CandidateFinder:
    """Finds and remembers candidates of typed (folded) words."""

    def __init__(
        self,
        lexicon: Lexicon,
        channel: ErrorModel,
        thorough: bool = False,
        slips: float = 0.0,
        threads: int = 1,
        crudely_behind: float = CRUDELY_BEHIND,
    ) -> None:
        """``thorough``: the channel looks at more candidates, of words of the lexicon too, as
        somebody has asked for them.
        ``slips``: the part of the errors that no channel can have learnt, one or two edits of any
        kind at any place; it is mixed with the channel. ``threads`` share the words of a call.
        ``crudely_behind``: so much worse than the best candidate another one may seem."""
        self.slips = slips
        self._crudely_behind = crudely_behind
        self.threads = threads
        self.thorough = thorough
        self.lexicon = lexicon
        self.channel = channel
        self._table = lexicon.table(MOST_INDEXED)
        self._index: DeletionIndex | None = None
        self._scan: WordScan | None = None
        self._scanned = 0
        self._search: TrieSearch | None = None
        self._known: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        self._lock = threading.Lock()

    @property
    def behind(self) -> float:
        """So many nats behind the best a candidate may be."""
        return BEHIND_ASKED if self.thorough else BEHIND

    def thorough_one(self) -> CandidateFinder:
        """A finder that is thorough, for single words, with what this one has built."""
        other = copy.copy(self)
        other.thorough = True
        other.slips = min(self.slips, SLIPS_ASKED)
        other._known = {}
        return other

    def find(self, typed: Sequence[str]) -> Candidates:
        """Candidates of each of ``typed`` words [T]; none for those that are too long."""
        new = [word for word in dict.fromkeys(typed) if word not in self._known]
        if len(self._known) + len(new) > MOST_REMEMBERED:
            self._known.clear()
            new = list(dict.fromkeys(typed))
        size = min(max(-(-len(new) // (2 * self.threads)), FEWEST_AT_ONCE), MOST_AT_ONCE)
        blocks = [new[start : start + size] for start in range(0, len(new), size)]
        shared(self._learn, blocks, self.threads)
        found = [self._known[word] for word in typed]
        sizes = np.fromiter((len(rows) for rows, _ in found), np.int64, len(found))
        starts = np.concatenate(([0], np.cumsum(sizes)))
        rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in found)])
        scores = np.concatenate([np.zeros(0), *(scores for _, scores in found)])
        return Candidates(starts, rows, scores)

    def _learn(self, words: list[str]) -> None:
        nothing = np.zeros(0, np.int64), np.zeros(0)
        self._known.update(dict.fromkeys(words, nothing))
        words = [word for word in words if 0 < len(word) <= LONGEST]
        if not words:
            return
        typed = WordTable.of(words, self._table.alphabet)
        own = self.lexicon.rows.of(words)
        queries, rows, apart = self._near(typed, own >= 0)
        other = rows != own[queries]
        queries, rows, apart = queries[other], rows[other], apart[other]
        scores = self._scored(words, queries, rows, apart)
        best = np.full(len(words), -np.inf)
        np.maximum.at(best, queries, scores + self.lexicon.log_prior[rows])
        limit = POOR_ASKED if self.thorough else POOR
        far = np.flatnonzero((best < limit) & (own < 0) & (typed.lengths > 2))
        if len(far):
            beam = BEAM_ASKED if self.thorough else BEAM
            of_far, found = self.search.find([words[i] for i in far.tolist()], beam)
            of_far = far[of_far]
            new = ~np.isin((of_far << 32) | found, (queries << 32) | rows)
            of_far, found = of_far[new], found[new]
            apart = distances(typed, self._table, of_far, found)
            more = self._scored(words, of_far, found, apart)
            queries = np.concatenate((queries, of_far))
            rows = np.concatenate((rows, found))
            scores = np.concatenate((scores, more))
        value = scores + self.lexicon.log_prior[rows]
        keep = best_of_groups(queries, value, MOST_KEPT, self.behind)
        queries, rows, scores = queries[keep], rows[keep], scores[keep]
        starts = np.searchsorted(queries, np.arange(len(words) + 1))
        for i, word in enumerate(words):
            here = slice(int(starts[i]), int(starts[i + 1]))
            self._known[word] = rows[here], scores[here]

    def _scored(
        self,
        words: Sequence[str],
        queries: NDArray[np.int64],
        rows: NDArray[np.int64],
        apart: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """log p(typed | row) of each pair of words so far ``apart``."""
        intended = self.lexicon.words.at(rows)
        scores = self.channel.log_probs([words[i] for i in queries.tolist()], intended)
        return self._with_slips(rows, apart, scores) if self.slips else scores

    def _lookup(
        self, typed: WordTable, reach: NDArray[np.integer] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (typed word, row) that are within two edits, and their distances."""
        if self.thorough:
            likely = self._likely_scan.near(typed, reach)
            if np.bincount(likely[0], minlength=len(typed)).min(initial=FEW_NEAR) >= FEW_NEAR:
                return likely
        with self._lock:
            self._scanned += len(typed)
            scan = self.thorough or (self._index is None and self._scanned <= MOST_SCANNED)
            if scan and self._scan is None:
                self._scan = WordScan(self._table)
            if not scan and self._index is None:
                self._index = DeletionIndex(self._table, self.threads)
        if scan and self._scan is not None:
            return self._scan.near(typed, reach)
        assert self._index is not None
        found = []
        for start in range(0, len(typed), LOOKED_UP):
            some = np.arange(start, min(start + LOOKED_UP, len(typed)))
            words = typed.taken(some)
            queries, rows = self._index.lookup(words, None if reach is None else reach[some])
            apart = distances(words, self._table, queries, rows)
            near = np.flatnonzero(apart <= 2)
            found.append((queries[near] + start, rows[near], apart[near]))
        queries, rows, apart = map(np.concatenate, zip(*found, strict=True))
        return queries, rows, apart

    @cached_property
    def _likely_scan(self) -> WordScan:
        """Of the words that are not too rare, and those of the user."""
        lexicon = self.lexicon
        likely = int((lexicon.log_prior[: len(self._table)] > RAREST_ASKED).sum())
        own = lexicon.rows.of(sorted(lexicon.own))
        return WordScan(self._table.first(max(likely, int(own.max(initial=-1)) + 1)))

    @property
    def search(self) -> TrieSearch:
        with self._lock:
            if self._search is None:
                size = len(self._table)
                order = self.lexicon.words.order
                trie = WordTrie(self._table, self.lexicon.log_prior[:size], order[order < size])
                self._search = TrieSearch(trie, self.channel)
            return self._search

    def _near(
        self, typed: WordTable, known: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pairs within two edits, at most `MOST_SCORED` a typed word (`MOST_OF_KNOWN` for the
        ``known`` ones, `MOST_ASKED` where somebody asks), and their distances."""
        reach = None if self.thorough else _REACH[np.minimum(typed.lengths, len(_REACH) - 1)]
        queries, rows, apart = self._lookup(typed, reach)
        value = self.lexicon.log_prior[rows] - PER_EDIT * apart
        if self.thorough:
            keep = best_of_groups(queries, value, MOST_ASKED)
            return queries[keep], rows[keep], apart[keep]
        is_known = known[queries]
        keep = np.concatenate(
            [
                some[best_of_groups(queries[some], value[some], most, self._crudely_behind)]
                for some, most in (
                    (np.flatnonzero(is_known), MOST_OF_KNOWN),
                    (np.flatnonzero(~is_known), MOST_SCORED),
                )
            ]
        )
        return queries[keep], rows[keep], apart[keep]

    def _with_slips(
        self,
        rows: NDArray[np.int64],
        apart: NDArray[np.int64],
        scores: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """``scores`` mixed with slips. A word of n letters has at most 54 (n + 1) others at one
        edit of 26 letters, and at most the square of that at two: they share what there is."""
        share = np.array([0.0, *SLIPS])[np.where(apart <= len(SLIPS), apart, 0)]
        with np.errstate(divide="ignore"):
            slip = np.log(share * self.slips * (1 - self.channel.keep))
        slip -= apart * np.log(54.0 * (self._table.lengths[rows] + 1))
        return np.logaddexp(np.log1p(-self.slips) + scores, slip)
