"""What a lexicon is made of before it is priced: the words of a source model and of a word list.

Made of a source's vocabulary it takes a tenth of a second, of a long list several: a noisy channel
that is trained keeps it in its file (`lmkit.channel.files`). ``n`` is the number of words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.folding import LONGEST, fold, is_word, pattern_of
from lmkit.channel.candidates.words import PackedWords, WordRows
from lmkit.model import UNK, LanguageModel
from lmkit.text.spelling import SpellingModel

FEWEST_SPELT, MOST_SPELT = 1000, 300_000
"""Of so many words of a list their spelling can be learnt, and of no more it is."""


@dataclass(frozen=True, slots=True)
class Stock:
    """``words`` [n], folded and distinct. ``ids`` [4, n]: the source's token for each pattern of
    capitalisation, 0 where it knows none; ``counts`` [n]: how often it has seen the word, however
    it was written; ``capitals`` [n]: whether only capitalised; ``listing`` [n]: the count in a
    word list. ``token_counts``: how often the source has seen each of its tokens. ``spelling``:
    what `learn_spelling` made of the words of the list, where that is kept."""

    words: PackedWords
    ids: NDArray[np.int32]
    counts: NDArray[np.float64]
    capitals: NDArray[np.bool_]
    listing: NDArray[np.float64]
    token_counts: NDArray[np.float64]
    spelling: SpellingModel | None = None

    @classmethod
    def of(cls, source: LanguageModel) -> Stock:
        """The words of ``source``."""
        vocabulary = source.vocabulary
        tokens = list(vocabulary.tokens)
        rows: dict[str, int] = {}
        kept, row_of, patterns = [], [], []
        for number, token in enumerate(tokens[3:], 3):
            folded = token if token.islower() and token.isascii() else fold(token)
            if len(folded) <= LONGEST and is_word(folded):
                kept.append(number)
                row_of.append(rows.setdefault(folded, len(rows)))
                patterns.append(0 if folded is token else pattern_of(token))
        row, numbers = np.array(row_of, np.int64), np.array(kept, np.int32)
        weights = np.asarray(vocabulary.counts, float)
        if not weights[3:].any():
            weights = np.exp(source.next_log_probs(source.start(1))[0])
        counts = np.bincount(row, weights=weights[numbers], minlength=len(rows)).astype(float)
        best = np.zeros(len(rows), np.int32)
        rising = np.argsort(weights[numbers], kind="stable")
        best[row[rising]] = numbers[rising]
        ids = np.zeros((4, len(rows)), np.int32)
        ids[np.array(patterns, np.int64), row] = numbers
        capitals = (ids[0] == UNK) & (ids[1] != UNK)
        lower = np.where(ids[0] == UNK, best, ids[0])
        ids = np.where(ids == UNK, lower, ids)
        seen = np.asarray(vocabulary.counts, float)
        nothing = np.zeros(len(rows))
        return cls(PackedWords.of(list(rows)), ids, counts, capitals, nothing, seen)

    def with_list(self, listed: Mapping[str, float]) -> Stock:
        """The same with the words of a list and their counts. Beside a list with counts, words
        without any are as frequent as the one in its middle."""
        if not listed:
            return self
        stock, rows = self._with(listed)
        counts = np.fromiter(listed.values(), float, len(listed))
        if self.listing.any() and (counts == 1).all():
            counts *= np.median(self.listing[self.listing > 0])
        listing = stock.listing.copy()
        listing[rows] += counts
        return replace(stock, listing=listing, spelling=None)

    def learn_spelling(self) -> SpellingModel | None:
        """How the words of the list are spelt that the source lacks; None where these are few."""
        rows = np.flatnonzero((self.ids[0] == UNK) & (self.listing > 0))
        if len(rows) < FEWEST_SPELT:
            return None
        return SpellingModel.train(self.words.at(rows), most_words=MOST_SPELT)

    def with_words(self, words: Iterable[str]) -> tuple[Stock, NDArray[np.int64]]:
        """The same with ``words``, distinct ones, and their rows."""
        return self._with(dict.fromkeys(words))

    def _with(self, words: Mapping[str, object]) -> tuple[Stock, NDArray[np.int64]]:
        rows = WordRows(self.words).of(list(words))
        new = [word for word, row in zip(words, rows.tolist(), strict=True) if row < 0]
        rows[rows < 0] = len(self.words) + np.arange(len(new))
        if not new:
            return self, rows
        more = len(new)
        stock = Stock(
            self.words.with_more(new),
            np.pad(self.ids, ((0, 0), (0, more))),
            np.pad(self.counts, (0, more)),
            np.pad(self.capitals, (0, more)),
            np.pad(self.listing, (0, more)),
            self.token_counts,
            self.spelling,
        )
        return stock, rows

    def taken(self, order: NDArray[np.integer]) -> Stock:
        """The words in the rows ``order`` [n]."""
        if (np.diff(order) == 1).all():
            return self
        return Stock(
            self.words.taken(order),
            np.ascontiguousarray(self.ids[:, order]),
            self.counts[order],
            self.capitals[order],
            self.listing[order],
            self.token_counts,
            self.spelling,
        )
