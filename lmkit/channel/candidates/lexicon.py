"""The words that a correction may choose from, and what each is worth without its context.

Words are *folded*: lower case, NFC, straight apostrophes. A lexicon joins the vocabulary of the
source model, a word list with or without counts, and a personal dictionary. ``N`` is the number of
its words; they are sorted by their prior, the likeliest first.

The price of a word in context is

    p(w | h) = (1 - mix) p_source(w | h) + mix p_list(w),

where for a word that the source does not know p_source(w | h) = p(<unk> | h) p(w | <unk>), and
p(w | <unk>) is itself mixed: of the word list's counts over the words that the source lacks, of the
personal dictionary, and of the source's spelling model of unknown words, which covers all strings.

A word that the source knows, but that is more frequent in the list, or less, is worth more in all
contexts, or less: a power of the ratio of its two frequencies (fast marginal adaptation: Kneser,
Peters & Klakow 1997, without its normalisation, as words compete for one place).
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.folding import LONGEST, fold, is_word
from lmkit.channel.candidates.stock import Stock
from lmkit.channel.candidates.words import PackedWords, WordRows
from lmkit.channel.candidates.wordtable import WordTable
from lmkit.model import UNK, LanguageModel

MIX = 0.1
"""Weight of the word list's own distribution, beside the source."""
ALONE = 4.0
"""So many times that weight where a word stands alone: the source says less there."""
ADAPTED, MOST_ADAPTED = 0.35, 1.4
"""The power of the ratio of a word's frequencies in the list and in the source by which its
probability is changed, and the most that this makes, in nats: a source is of one time and kind of
text, a list mostly of others."""
UNCOUNTED = 1e-7
"""What is added to the frequency of a word in the source for this."""
UNKNOWN_SHARES = {"list": 0.5, "dictionary": 0.2, "spelling": 0.3}
"""What an unknown word is, where all of these are there."""
CERTAIN, CERTAIN_PART = 10, 1.5e-6
"""A word that the source has so often, and as such a part of its text, is no typing error of it:
in a billion words there are thousands of the common ones."""

RARE_FACE = 0.05
"""Within a sentence, a word with other capitals counts as the same where it is not as rare."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``stock``: what it is made of, in the order of the words. ``words`` [N], folded and
    distinct. ``log_prior`` [N]: log p(word) without context. ``ids`` [4, N]: the source's token
    for each pattern of capitalisation, 0 where it knows none; ``token`` [N]: the one that it has
    most often, ``twin`` [N]: the one that it has next, 0 for none, and ``twin_inside`` [N]: the
    same where that is no rare one. ``log_given_unknown`` [N]: log
    p(word | <unk>) from lists, -inf without; ``log_list`` [N]: log of ``mix`` times the list's
    probability, -inf without; ``log_adapted`` [N]: what is added to the source's log p(word | h)
    for the word's frequency in the list. ``spelling_share`` is what the spelling model has of the
    unknown words; ``capitals`` [N] says which words the source has only capitalised, ``certain``
    [N] which are surely words, not errors of the text they are from, and ``counted`` [N] those
    whose prior is of their own frequency: not of the dictionary, or of a list without counts.
    ``own`` are the words of the personal dictionary.
    """

    stock: Stock
    words: PackedWords
    rows: WordRows
    log_prior: NDArray[np.float64]
    ids: NDArray[np.int32]
    token: NDArray[np.int64]
    twin: NDArray[np.int64]
    twin_inside: NDArray[np.int64]
    log_given_unknown: NDArray[np.float64]
    log_list: NDArray[np.float64]
    log_adapted: NDArray[np.float64]
    capitals: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    spelling_share: float
    mix: float
    own: frozenset[str]

    def __len__(self) -> int:
        return len(self.words)

    def table(self, most: int | None = None) -> WordTable:
        """The likeliest ``most`` words as arrays of letters."""
        return self.words.table if most is None else self.words.table.first(most)

    def halves(
        self, word: str, shortest: int = 1, rarest: float = -np.inf
    ) -> Iterator[tuple[int, int, int]]:
        """Where ``word`` can be cut into two words of ``shortest`` letters or more, both with a
        log-prior above ``rarest``: the place, and the rows of both."""
        rows: Mapping[str, int] = self.rows
        if rarest > self.log_prior[-1:].max(initial=-np.inf):
            rows = self.rows.first(bisect_left(self.log_prior, -rarest, key=operator.neg))
        for cut in range(shortest, len(word) - shortest + 1):
            left = rows.get(word[:cut], -1)
            right = rows.get(word[cut:], -1) if left >= 0 else -1
            if right >= 0:
                yield cut, left, right

    def case_sensitive(self) -> Lexicon:
        """The same with each word in lower case, where the source has it so, and no other."""
        none = np.zeros(len(self), np.int64)
        return replace(self, token=self.ids[0].astype(np.int64), twin=none, twin_inside=none)

    @classmethod
    def of(
        cls,
        source: LanguageModel,
        listed: Mapping[str, float] | None = None,
        dictionary: Iterable[str] = (),
        mix: float = MIX,
        stock: Stock | None = None,
    ) -> Lexicon:
        """The lexicon of ``source``, a word list (folded words and counts) and a personal
        dictionary. ``stock``: that of the source, where it is there already, and perhaps of
        another list, to which this one is added."""
        own = {fold(word.strip()) for word in dictionary}
        own = {word for word in own if len(word) <= LONGEST and is_word(word)}
        stock = stock or Stock.of(source)
        stock, own_rows = stock.with_list(listed or {}).with_words(sorted(own))
        ids, counts, listing = stock.ids, stock.counts, stock.listing
        is_own = np.zeros(len(counts), bool)
        is_own[own_rows] = True
        unlisted = np.where(ids[0] == UNK, listing, 0.0)
        shares = _shares(source, bool(unlisted.any()), bool(own))
        given_unknown = shares["list"] * _normalised(unlisted)
        given_unknown += shares["dictionary"] * _normalised(is_own * (ids[0] == UNK))
        of_list = _normalised(listing)
        mix = mix if listing.any() else 0.0
        floor = 0.1 / max(float(counts.sum()), 1e6)
        alone = min(ALONE * mix, 1.0)
        prior = (1 - alone) * _normalised(counts) + alone * of_list
        prior = np.maximum(prior, np.where(is_own, 10 * floor, floor))
        counted = ((counts > 0) | (_has_counts(listing) & (listing > 0))) & ~is_own
        order = np.argsort(-prior, kind="stable")
        stock = stock.taken(order)
        with np.errstate(divide="ignore"):
            return cls(
                stock,
                stock.words,
                WordRows(stock.words),
                np.log(prior[order]),
                stock.ids,
                *_faces(stock.ids, stock.token_counts),
                np.log(given_unknown)[order],
                np.log(mix * of_list)[order],
                _adaptation(stock),
                stock.capitals,
                ((counts >= max(CERTAIN, CERTAIN_PART * counts.sum())) | is_own)[order],
                counted[order],
                shares["spelling"],
                mix,
                frozenset(own),
            )


def _faces(
    ids: NDArray[np.int32], counts: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """`Lexicon.token`, `twin` and `twin_inside` by the ``counts`` of the tokens ``ids``."""
    faces = np.zeros((3, ids.shape[1]), np.int64)
    faces[0] = ids[0]
    # Most words have one face only.
    several = np.zeros(ids.shape[1], bool)
    for row in ids[1:]:
        several |= row != ids[0]
    some = np.flatnonzero(several)
    ids = ids[:, some]
    known = counts[ids] + (ids != UNK)
    token = np.take_along_axis(ids, known.argmax(axis=0)[None], 0)[0].astype(np.int64)
    others = np.where(ids == token, 0.0, known)
    twin = np.take_along_axis(ids, others.argmax(axis=0)[None], 0)[0].astype(np.int64)
    twin = np.where(others.any(axis=0), twin, 0)
    common = others.max(axis=0) > RARE_FACE * known.max(axis=0)
    faces[:, some] = token, twin, np.where(common, twin, 0)
    return faces[0], faces[1], faces[2]


def _adaptation(stock: Stock) -> NDArray[np.float64]:
    """`Lexicon.log_adapted` of the words of ``stock``, by their frequencies among the words that
    both the source and the list know; 0 for others, and where the list has no counts."""
    adapted = np.zeros(len(stock.words))
    both = np.flatnonzero((stock.ids[0] != UNK) & (stock.listing > 0))
    listed, counted = stock.listing[both], stock.counts[both]
    if _has_counts(listed):
        ratio = np.log(_normalised(listed)) - np.log(_normalised(counted) + UNCOUNTED)
        adapted[both] = np.clip(ADAPTED * ratio, -MOST_ADAPTED, MOST_ADAPTED)
    return adapted


def _has_counts(listing: NDArray[np.float64]) -> bool:
    """Whether the words of a list, those above 0, have different counts."""
    listed = listing[listing > 0]
    return bool(listed.min(initial=np.inf) < listed.max(initial=0.0))


def _shares(source: LanguageModel, listed: bool, own: bool) -> dict[str, float]:
    """How the probability of unknown words is shared out."""
    spelt = source.encoder.spelling_log_probs(["a"]) is not None
    there = {"list": listed, "dictionary": own, "spelling": spelt}
    shares = {name: share * there[name] for name, share in UNKNOWN_SHARES.items()}
    total = sum(shares.values()) or 1.0
    return {name: share / total for name, share in shares.items()}


def _normalised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(weights.sum())
    return weights / total if total else weights
