"""What may have been meant by each distinct token of a text, found once and kept.

Three kinds of readings: the token as it was typed, another word (of the candidates), and several
words typed without the space between them. ``T`` is the number of tokens, ``R`` of readings as one
word, the first of each token being the token itself, ``W`` of readings as several words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.base import ErrorModel
from lmkit.channel.candidates.finder import CandidateFinder, Candidates
from lmkit.channel.candidates.folding import LONGEST, without_marks
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.candidates.marks import find_candidates
from lmkit.channel.decoding.lattice import CHANGED, FIXED, KEPT
from lmkit.channel.decoding.surface import Token
from lmkit.channel.decoding.unknown import UnknownWords
from lmkit.channel.groups import log_sums, stretches
from lmkit.model import UNK, LanguageModel
from lmkit.text.growing import GrowingArray

MOST_SPLITS = 4
RUN_TOGETHER = -2.0
"""Added to log p(typed | two words): pairs to learn from have more of these than texts do."""
LIKELY_PART = -12.5
"""What a part of a split word must be worth, as a log-prior; one letter, far more."""
LIKELY_LETTER = -7.0
WHOLE = -11.2
"""A word that a list has more often than that (log of its part of all words) is no two words run
together, though the source may lack it: a text that has *any more* has no *anymore*."""
RARE, RARER = np.log(3e-6), np.log(1e-5)
"""A word of such a frequency (log) is as likely not to have been meant, where it is the nearest to
one that nobody knows, and where it is near to another known word: names and words of other
languages are near to rare words more often than these are typed wrongly, and what a source has seen
once or twice it has seen in too few contexts to tell where it belongs."""
FAMILIAR = -13.0
"""Log-prior of words that a list does not have because they are somebody's name."""
NAME_MARKS = 10.0
"""What it costs that the marks of a word with a capital were not meant: Orléans is no Orleans."""
DOUBTFUL = -1.0
"""Log-probability of being no error, below which a rare word is doubtful."""
TYPO_ODDS = (-6.7, 0.83, -0.535)
"""Log-odds that a listed word is itself a typing error: a constant, and what multiplies how much
its neighbours explain of its frequency (log of what the channel makes of them if every word went
through the edits, minus that of its own) and the log of its frequency: the rarer a word is, the
likelier it is an error. Logistic regression on misspellings and words of another text."""


class Readings:
    """Readings of numbered tokens. ``starts`` [T + 1] into the arrays of single words,
    ``split_starts`` [T + 1] into those of several words.

    ``token``, ``twin``, ``log_unknown``, ``log_list``: as in `Arcs`; ``log_adapted``: as in
    `Lexicon`; ``twin_inside``: the twin where a word is not the first of its sentence;
    ``log_channel``: log p(typed | word), of the edits alone (the word is known not to be typed as
    it is), or the doubt in what is kept; ``label``: row in the lexicon, -1 for the token itself;
    ``kind`` as in `Arcs`. All [R].
    ``pattern`` and ``familiar`` [T]: how the token is capitalised, and whether it is a word of the
    lexicon that is no rare one; ``doubtful`` [T]: a rare one that is likely an error.
    ``split_rows`` [W, 2]: lexicon rows of the two words; ``split_log_channel`` [W].
    """

    def __init__(
        self,
        source: LanguageModel,
        finder: CandidateFinder,
        spell_all: bool = False,
        unknown: UnknownWords | None = None,
    ) -> None:
        """``spell_all``: unknown tokens that are no words pay for their spelling too, which a
        correction has no use for but the probability of a text needs. ``unknown``: those of other
        readings with the same lexicon, which take a while to make."""
        self._source = source
        self._spell_all = spell_all
        self.lexicon: Lexicon = finder.lexicon
        self.unknown = unknown or UnknownWords(source, finder.lexicon, exact=spell_all)
        self.channel: ErrorModel = finder.channel
        self._finder = finder
        self.starts = GrowingArray(np.int64, [0])
        self.token = GrowingArray(np.int64)
        self.twin = GrowingArray(np.int64)
        self.twin_inside = GrowingArray(np.int64)
        self.log_unknown = GrowingArray(np.float64)
        self.log_list = GrowingArray(np.float64)
        self.log_adapted = GrowingArray(np.float64)
        self.log_channel = GrowingArray(np.float64)
        self.label = GrowingArray(np.int64)
        self.kind = GrowingArray(np.int8)
        self.pattern = GrowingArray(np.int64)
        self.familiar = GrowingArray(np.bool_)
        self.doubtful = GrowingArray(np.bool_)
        self.split_starts = GrowingArray(np.int64, [0])
        self.split_rows = GrowingArray(np.int64)
        self.split_log_channel = GrowingArray(np.float64)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def learn(self, tokens: Sequence[Token], asked: NDArray[np.bool_] | None = None) -> None:
        """Readings of ``tokens``, the next ones in the numbering. ``asked``: which of them may be
        something else than they are, where that is known, as somebody asks; in a text all may."""
        in_text = asked is None and not self._spell_all
        rows = np.array([t.row for t in tokens], np.int64)
        correctable = np.array([token.correctable or token.shouted for token in tokens], bool)
        changing = correctable if asked is None else correctable & asked
        if in_text:
            changing = changing & ~np.array([_is_symbol(token) for token in tokens], bool)
        places = np.flatnonzero(changing)
        found = self._candidates([tokens[i].folded for i in places.tolist()])
        sizes = np.ones(len(tokens), np.int64)
        sizes[places] += np.diff(found.starts)
        starts = np.cumsum(sizes) - sizes
        owner = np.repeat(places, np.diff(found.starts))
        where = stretches(starts[places] + 1, np.diff(found.starts))
        total = int(sizes.sum())
        patterns = np.array([token.pattern for token in tokens], np.int64)
        token, twin, twin_inside = (np.zeros(total, np.int64) for _ in range(3))
        label = np.full(total, -1, np.int64)
        log_unknown, log_channel, log_adapted = (np.zeros(total) for _ in range(3))
        log_list = np.full(total, -np.inf)
        kind = np.full(total, CHANGED, np.int8)
        token[starts] = [t.source_id for t in tokens]
        token[where] = self.lexicon.token[found.rows]
        twin[where] = self.lexicon.twin[found.rows]
        twin_inside[where] = self.lexicon.twin_inside[found.rows]
        label[where] = found.rows
        log_channel[where] = found.log_channel - np.log1p(-self.channel.keep)
        log_list[where] = self.lexicon.log_list[found.rows]
        log_adapted[where] = self.lexicon.log_adapted[found.rows]
        if not self._spell_all:
            log_adapted[where] += self._log_meant(found.rows, rows[owner] >= 0)
        if in_text:
            marked = found.rows == self._without_marks(tokens)[owner]
            log_adapted[where[marked]] -= NAME_MARKS
        unknown = token[where] == UNK
        log_unknown[where[unknown]] = self.lexicon.log_given_unknown[found.rows[unknown]]
        kind[starts] = np.where(correctable, KEPT, FIXED)
        known = np.flatnonzero((rows >= 0) & correctable)
        if not self._spell_all:
            token[starts[known]] = self.lexicon.token[rows[known]]
            twin[starts[known]] = self.lexicon.twin[rows[known]]
            twin_inside[starts[known]] = self.lexicon.twin_inside[rows[known]]
        known = np.flatnonzero(rows >= 0)
        log_list[starts[known]] = self.lexicon.log_list[rows[known]]
        log_adapted[starts[known]] = self.lexicon.log_adapted[rows[known]]
        log_unknown[starts] = self._kept_prices(tokens, rows)
        log_channel[starts] = self.doubt(rows, owner, found.rows, log_channel[where])
        familiar = self._likelier(rows, FAMILIAR)
        for name, values in (
            ("token", token),
            ("twin", twin),
            ("twin_inside", twin_inside),
            ("label", label),
            ("log_unknown", log_unknown),
            ("log_list", log_list),
            ("log_adapted", log_adapted),
            ("log_channel", log_channel),
            ("kind", kind),
            ("pattern", patterns),
            ("familiar", familiar),
            ("doubtful", (log_channel[starts] < DOUBTFUL) & ~familiar),
        ):
            getattr(self, name).extend(values)
        self.starts.extend(self.starts.values[-1] + np.cumsum(sizes))
        if in_text:
            # Somebody who asks is told of the space, too.
            changing = changing & ~self._whole(rows)
        self._learn_splits(tokens, changing)

    def _candidates(self, typed: Sequence[str]) -> Candidates:
        """Those of ``typed`` words; by the channel alone where probabilities have to sum to one."""
        return self._finder.find(typed) if self._spell_all else find_candidates(self._finder, typed)

    def _log_meant(
        self, candidates: NDArray[np.int64], known: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """log p(a word so rare was meant) [R] of ``candidates`` for typed words that are
        themselves ``known``, or not; 0 where nothing tells how rare a word is."""
        rare = np.where(known, RARER, RARE)
        log_meant = -np.logaddexp(0.0, rare - self.lexicon.log_prior[candidates])
        return np.where(self.lexicon.counted[candidates], log_meant, 0.0)

    def _without_marks(self, tokens: Sequence[Token]) -> NDArray[np.int64]:
        """The row [T] of what each of ``tokens`` with a capital and with marks is without these, -1
        for none and for other tokens."""
        plain = np.full(len(tokens), -1, np.int64)
        for i, token in enumerate(tokens):
            if token.pattern and not token.folded.isascii():
                plain[i] = self.lexicon.rows.get(without_marks(token.folded), -1)
        return plain

    def _likelier(self, rows: NDArray[np.int64], than: float) -> NDArray[np.bool_]:
        """Which of ``rows`` [T] are in the lexicon, not -1, with a log-prior above ``than``."""
        likelier = rows >= 0
        likelier[likelier] = self.lexicon.log_prior[rows[likelier]] > than
        return likelier

    def _whole(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``rows`` [T] are common words of the list that the source hardly has."""
        whole = rows >= 0
        here = rows[whole]
        frequency = self.lexicon.log_list[here] - np.log(self.lexicon.mix or 1.0)
        whole[whole] = (frequency > WHOLE) & ~self.lexicon.certain[here]
        return whole

    def doubt(
        self,
        rows: NDArray[np.int64],
        owner: NDArray[np.int64],
        near: NDArray[np.int64],
        log_channel: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """log p(a word rather than a typing error) [T] of the tokens in ``rows`` of the lexicon,
        0 for those that are none of it or certain.

        Lists counted from raw text are full of errors, and so is a source's text. What the counts
        of the words ``near`` a token (the candidates, each with its ``owner``) would yield of it
        through the channel is compared with its own count: the nearer that is, the more likely it
        is an error.
        """
        lexicon = self.lexicon
        doubt = np.zeros(len(rows))
        known = np.flatnonzero(rows >= 0)
        asked = known[~lexicon.certain[rows[known]]]
        for frequency in (lexicon.log_list, lexicon.log_prior):
            own = frequency[rows[asked]]
            explained = log_sums(owner, frequency[near] + log_channel, len(rows))[asked]
            told = np.isfinite(own) & np.isfinite(explained)
            start, excess, rare = TYPO_ODDS
            odds = start + excess * (explained[told] - own[told]) + rare * own[told]
            doubt[asked[told]] = -np.logaddexp(0.0, odds)
            asked = asked[~np.isfinite(own)]
        return doubt

    def _kept_prices(self, tokens: Sequence[Token], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """log p(word | <unk>) [T] of those that the source does not know, else 0."""
        prices = np.zeros(len(tokens))
        unknown = np.array(
            [
                t.source_id == UNK and (t.correctable or t.shouted or self._spell_all)
                for t in tokens
            ],
            bool,
        )
        listed = unknown & (rows >= 0)
        prices[listed] = self.lexicon.log_given_unknown[rows[listed]]
        spelt = np.flatnonzero(unknown & ~np.isfinite(np.where(listed, prices, -np.inf)))
        if len(spelt):
            prices[spelt] = self.unknown.log_probs([tokens[i] for i in spelt.tolist()])
        return prices

    def _learn_splits(self, tokens: Sequence[Token], correctable: NDArray[np.bool_]) -> None:
        words = [
            token.folded if may_change else ""
            for token, may_change in zip(tokens, correctable.tolist(), strict=True)
        ]
        counts, rows, scores = self.splits(words)
        self.split_log_channel.extend(scores)
        self.split_rows.extend(rows.reshape(-1))
        self.split_starts.extend(self.split_starts.values[-1] + np.cumsum(counts))

    def splits(
        self, words: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Readings of each of ``words`` [T] as two words: how many [T], the `split_rows` [W, 2] of
        all, and their `split_log_channel` [W]."""
        counts = np.zeros(len(words), np.int64)
        typed: list[str] = []
        intended: list[str] = []
        rows: list[tuple[int, int]] = []
        prior = self.lexicon.log_prior
        for i, word in enumerate(words):
            if len(word) > LONGEST:
                continue
            found = sorted(
                (
                    (float(prior[left] + prior[right]), left, right, cut)
                    for cut, left, right in self.lexicon.halves(word, rarest=LIKELY_PART)
                    if (cut > 1 or prior[left] > LIKELY_LETTER)
                    and (cut < len(word) - 1 or prior[right] > LIKELY_LETTER)
                ),
                reverse=True,
            )
            for _, left, right, cut in found[:MOST_SPLITS]:
                counts[i] += 1
                typed.append(word)
                intended.append(f"{word[:cut]} {word[cut:]}")
                rows.append((left, right))
        scores = self.channel.log_probs(typed, intended) if typed else np.zeros(0)
        scores = scores - np.log1p(-self.channel.keep) + RUN_TOGETHER
        return counts, np.array(rows, np.int64).reshape(-1, 2), scores


def _is_symbol(token: Token) -> bool:
    """Whether ``token`` is a letter alone that nobody knows as a word. Those of ASCII may stand
    for a word, as *u* and *r* do."""
    return len(token.folded) == 1 and token.row < 0 and not token.folded.isascii()
