"""Parts of stretches of letters that may be words, and what each is worth.

Every part of up to `LONGEST_WORD` letters is looked up in the lexicon; any part may be an unknown
word, at the price of its spelling, or a word with a slip. What is hopeless by the priors of single
words alone is left out (`ways`).

``n`` is the number of letters, ``L`` the longest part, ``P`` the number of parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.groups import Columns, best_of_groups
from lmkit.channel.splitting.hashing import WordHashes
from lmkit.channel.splitting.lettering import Lettering
from lmkit.channel.splitting.letters import LOWER, MIXED, UPPER, Letters
from lmkit.channel.splitting.prices import Prices
from lmkit.channel.splitting.slips import SlipFinder
from lmkit.channel.splitting.ways import Ways
from lmkit.model import UNK

LONGEST_WORD = 24
HOPELESS = 7.0
"""Parts are left out whose best way is so much worse than the best one, by the priors. More than
that changes nothing but the time it takes."""
SLIPS = (2, 16)
"""Lengths of what is read as a word with a slip."""
MOST_SLIPS = 3
"""Words with a slip that one part is read as."""
IMPOSSIBLE = -30.0
"""Price (log) of a letter that can be part of no word."""


@dataclass(frozen=True, slots=True)
class Parts(Columns):
    """``start`` and ``length`` in letters; ``row`` in the lexicon, -1 for an unknown word;
    ``token`` of the source model, ``log_unknown``, ``log_list`` and ``cost`` as in `Arcs`;
    ``prior``: what all that is worth without context. All [P]."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    row: NDArray[np.int64]
    token: NDArray[np.int64]
    log_unknown: NDArray[np.float64]
    log_list: NDArray[np.float64]
    cost: NDArray[np.float64]
    prior: NDArray[np.float64]


class PartFinder:
    """Finds parts with the words of ``lexicon``. ``mix`` is the share of its word list,
    ``log_list`` [N] log of what that gives each word."""

    def __init__(self, lexicon: Lexicon, prices: Prices) -> None:
        self._lexicon, self._prices = lexicon, prices
        table = lexicon.words.table
        points = np.concatenate(([0], table.alphabet))[table.codes]
        self._words = WordHashes(points, table, LONGEST_WORD)
        self._lettering = Lettering(points, table)
        self._known = lexicon.ids[0] != UNK
        self._case = prices.of_words(lexicon)
        self.mix = prices.mix if lexicon.mix else 0.0
        self.log_list = lexicon.log_list + np.log(prices.mix / (lexicon.mix or prices.mix))
        lengths = table.lengths
        rarest = prices.rarest_with_slip(lengths)
        common = (lexicon.log_prior > rarest) & (lengths < SLIPS[1])
        self._slips = SlipFinder(points, table, np.flatnonzero(common))
        best = np.full(LONGEST_WORD + 2, -np.inf)
        np.maximum.at(best, np.minimum(lengths, LONGEST_WORD + 1), lexicon.log_prior)
        self._best_prior = best

    def find(self, letters: Letters, entries: Sequence[tuple[int, int, float]]) -> Parts:
        """The promising parts of ``letters``. ``entries``: letter, length and price of parts that
        belong to what stands before their stretch."""
        rows = self._rows(letters)
        spelt = self._lettering.log_probs(
            self._lettering.symbols(letters.plain), letters.room, LONGEST_WORD
        )
        suffix = self._possessives(letters, rows, spelt)
        length, start = np.nonzero(np.arange(LONGEST_WORD + 1)[:, None] <= letters.room)
        length, start = length[length > 0], start[length > 0]
        row = rows[length, start].astype(np.int64)
        doubt = self._doubt(rows, start, length, row)
        spelling, more = spelt[length, start], suffix[length, start]
        parts = self._priced(letters, start, length, row, spelling, doubt, more)
        price = np.full(rows.shape, -np.inf)
        price[length, start] = parts.prior
        for letter, size, entry in entries:
            if size <= letters.room[letter]:
                price[size, letter] = max(price[size, letter], entry)
        slips = self._with_slips(letters, Ways(price, letters.room))
        np.maximum.at(price, (slips.length, slips.start), slips.prior)
        ways = Ways(price, letters.room)
        parts = Parts.joined([parts, slips])
        behind = ways.behind_best(parts.start, parts.length, parts.prior)
        return parts.at(np.flatnonzero(behind >= -HOPELESS))

    def _rows(self, letters: Letters) -> NDArray[np.int32]:
        """Rows of the lexicon [L + 1, n], -1 for none: of words as they are, else without their
        marks, which many lists lack."""
        rows = self._words.rows(letters.folded, letters.room)
        marked = np.flatnonzero(letters.folded != letters.plain)
        if len(marked):
            near = np.zeros(len(letters), bool)
            for back in range(LONGEST_WORD):
                near[np.maximum(marked - back, 0)] = True
            plain = self._words.rows(letters.plain, np.where(near, letters.room, 0))
            rows = np.where(rows < 0, plain, rows)
        return rows

    def _possessives(
        self, letters: Letters, rows: NDArray[np.int32], spelt: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Give parts that end in 's or s' the rows and spellings of what stands before them, and
        other parts with apostrophes that are no word none: what that costs [L + 1, n]."""
        prices, many = self._prices, len(letters)
        cost = np.zeros(rows.shape)
        each = np.arange(many)
        s = letters.folded == ord("s")
        for length in range(1, LONGEST_WORD + 1):
            start = each[letters.room >= length]
            last = start + length - 1
            strange = letters.apostrophes(start, np.full(len(start), length))
            strange = strange - letters.is_elided(start, np.full(len(start), length))
            ends = s[last] & letters.apostrophe[last - 1] & (length > 2)
            after = letters.apostrophe[last] & s[last - 1] & (length > 2)
            for short, price, such in (
                (2, prices.possessive, ends),
                (1, prices.possessive_s, after),
            ):
                place = start[such & (rows[length, start] < 0)]
                rows[length, place] = rows[length - short, place]
                spelt[length, place] = spelt[length - short, place]
                cost[length, place] = price
                strange = strange - such
            spelt[length, start[(strange > 0) & (rows[length, start] < 0)]] = -np.inf
        return cost

    def _priced(
        self,
        letters: Letters,
        start: NDArray[np.int64],
        length: NDArray[np.int64],
        row: NDArray[np.int64],
        spelt: NDArray[np.floating],
        doubt: NDArray[np.float64],
        suffix: NDArray[np.float64],
    ) -> Parts:
        """What each part is worth, as a word of the lexicon or an unknown one. ``spelt`` [P]:
        log p(spelling), ``doubt`` [P] of listed words, ``suffix`` [P]: added to its cost."""
        lexicon, prices = self._lexicon, self._prices
        pattern, rises = letters.patterns(start, length)
        more = prices.mixed_more * np.maximum(rises - 1, 0) * (pattern == MIXED)
        of_word = np.where(row >= 0, self._case[pattern + 4 * letters.place[start], row], 0.0)
        of_unknown = prices.of_unknown(pattern)
        of_unknown[(length == 1) & (pattern == LOWER)] = prices.lone_lower
        share = np.log(max(lexicon.spelling_share, 1e-9)) + prices.unknown
        spelling = np.where(pattern == UPPER, prices.upper_letter * length, spelt) + share
        known = (row >= 0) & self._known[row]
        listed = (row >= 0) & ~known
        token = np.where(known, lexicon.ids[pattern, row], UNK)
        cost = np.where(row >= 0, of_word, of_unknown)
        given = np.where(listed, lexicon.log_given_unknown[row] + doubt, -np.inf)
        unknown = np.logaddexp(given, np.where(known, 0.0, spelling + of_unknown - cost))
        log_list = np.where(row >= 0, self.log_list[row] + doubt, -np.inf)
        of_list = np.where(listed, log_list, -np.inf)
        prior = np.where(
            known, lexicon.log_prior[row], np.logaddexp(of_list, unknown + prices.before_search)
        )
        cost += more + suffix + prices.split_capitals * letters.behind_capital[start]
        alone = (length == 1) & letters.apostrophe[start]
        prior[alone], cost[alone], unknown[alone], row[alone] = prices.quote, prices.quote, 0.0, -1
        return self._possible(
            letters, Parts(start, length, row, token, unknown, log_list, cost, prior + cost)
        )

    def _possible(self, letters: Letters, parts: Parts) -> Parts:
        """``parts`` without those that begin or end between a letter and its marks. A letter that
        is part of none is one by itself, so that there is always a way."""
        end = parts.start + parts.length
        goes_on = letters.room[parts.start] > parts.length
        cut = letters.mark[parts.start]
        cut |= goes_on & letters.mark[np.minimum(end, len(letters) - 1)]
        parts.prior[cut] = -np.inf
        lost = np.flatnonzero((parts.length == 1) & (parts.prior == -np.inf))
        parts.row[lost], parts.token[lost] = -1, UNK
        parts.prior[lost] = parts.log_unknown[lost] = IMPOSSIBLE
        parts.log_list[lost], parts.cost[lost] = -np.inf, 0.0
        return parts

    def _doubt(
        self,
        rows: NDArray[np.int32],
        start: NDArray[np.int64],
        length: NDArray[np.int64],
        row: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """log p(one word rather than two run together) [P] of parts that are words which only the
        list knows, else 0.

        A pair of words cannot be more frequent than its rarer word. Where the part of these counts
        that loses its space comes near the count of the whole, it is no word.
        """
        lexicon, doubt = self._lexicon, np.zeros(len(row))
        asked = np.flatnonzero((row >= 0) & ~self._known[row] & (length > 2))
        frequency = lexicon.log_list[row[asked]]
        asked, frequency = asked[np.isfinite(frequency)], frequency[np.isfinite(frequency)]
        explained = np.full(len(asked), -np.inf)
        rare = self._prices.are_rare_letters(lexicon)
        for cut in range(1, LONGEST_WORD):
            mine = np.flatnonzero(length[asked] > cut)
            if not len(mine):
                break
            begin, size = start[asked[mine]], length[asked[mine]]
            left, right = rows[cut, begin], rows[size - cut, begin + cut]
            both = (left >= 0) & (right >= 0) & ~rare[left] & ~rare[right]
            pair = np.minimum(lexicon.log_list[left], lexicon.log_list[right])
            explained[mine] = np.logaddexp(explained[mine], np.where(both, pair, -np.inf))
        doubt[asked] = -np.logaddexp(0.0, np.log(self._prices.joined) + explained - frequency)
        return doubt

    def _with_slips(self, letters: Letters, ways: Ways) -> Parts:
        """Words with a slip that may be on a promising way, be the part a word itself or not: a
        source knows many rare ones that are far less likely here than a slip."""
        prices, lexicon = self._prices, self._lexicon
        starts, lengths = [], []
        for size in range(*SLIPS):
            start = np.flatnonzero(letters.room >= size)
            best = float(self._best_prior[size - 1 : size + 2].max()) + prices.slip
            start = start[ways.behind_best(start, size, best) >= -HOPELESS]
            starts.append(start)
            lengths.append(np.full(len(start), size))
        start, length = np.concatenate(starts), np.concatenate(lengths)
        plain = letters.apostrophes(start, length) == 0
        start, length = start[plain], length[plain]
        part, row, log_slip = self._slips.find(letters.plain, start, length)
        start, length = start[part], length[part]
        pattern, rises = letters.patterns(start, length)
        cost = self._case[pattern + 4 * letters.place[start], row] + log_slip + prices.slip
        cost += prices.mixed_more * np.maximum(rises - 1, 0) * (pattern == MIXED)
        token = lexicon.ids[pattern, row].astype(np.int64)
        unknown = np.where(token == UNK, lexicon.log_given_unknown[row], 0.0)
        prior = lexicon.log_prior[row] + cost
        slips = Parts(start, length, row, token, unknown, self.log_list[row], cost, prior)
        return slips.at(best_of_groups(part, prior, MOST_SLIPS))
