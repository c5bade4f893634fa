"""What words cost beside the probability that the source model gives them.

Everything is a natural logarithm. The figures were chosen one after the other, each so that the
fewest boundaries were wrong, on 2,800 lines that had lost their spaces, half of them with typing
errors put in: sentences and titles of the articles of Wikipedia that gensim is tested with, and
sentences of WikiText-2 and of learners of English. The sources were trigrams of novels, as written
and in lower case, the word list was one of the web. Near these figures the result hardly changes:
another search for all of them, on 4,900 other sentences of Wikipedia with typing errors in 3.5 % of
the words, on WikiText-2, novels, and text without capitals, found one only (``split_capitals``)
that was better on sentences left out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.splitting.letters import LOWER, MIXED, TITLE, UPPER
from lmkit.model import UNK


@dataclass(frozen=True, slots=True)
class Prices:
    """``mix``: the word list's share in the probability of a word. ``joined``: part of the word
    pairs of raw text whose space is lost; a listed word is doubted that the counts of its halves
    explain.

    Unknown words: ``unknown`` is added to log p(spelling) of any, ``unknown_lower``,
    ``unknown_title``, ``unknown_upper`` of those that are written so; ``upper_letter`` is what a
    letter costs in capitals, as they are no words but initials. ``before_search`` stands for
    log p(<unk> | h) where nothing is known of h.

    Case: ``title`` is what a capital costs that nothing calls for, with a source that does not
    tell it from a small letter; ``lower_odd`` a small letter of a word which the source has with
    a capital only; ``lower_start`` a small letter where a sentence may begin; ``upper``
    a word in capitals, ``upper_known`` one that the source has so; ``mixed`` a capital inside a
    word, ``mixed_more`` any further one; ``mixed_unknown`` is added for an unknown word;
    ``split_capitals`` a boundary between two capitals.

    Words that only the list knows: ``listed_lower`` and ``listed_title``, as they are written;
    ``short``: words of two, three and four letters, which are mostly abbreviations, half of it if
    they have a capital. ``lone_rare`` divides single letters that are words from others by their
    log-priors; ``lone_lower`` and ``lone_title`` are what the others cost.

    ``possessive``: 's behind a word that is known without it; ``possessive_s``: an apostrophe
    behind its s; ``quote``: an apostrophe that is a quotation mark. ``slip``: a word with a typing
    error in it; ``slip_prior``: the log-prior of the rarest words that are looked for, and
    ``short_slip_prior`` the same of words of one, two and three letters, since almost any letters
    are one of these with a slip.
    """

    mix: float = 0.3
    joined: float = 0.0025
    unknown: float = 2.0
    unknown_lower: float = -3.5
    unknown_title: float = 0.0
    unknown_upper: float = -2.5
    upper_letter: float = -5.0
    before_search: float = -6.0
    title: float = -2.2
    lower_odd: float = -4.0
    lower_start: float = -2.0
    upper: float = -3.5
    upper_known: float = -0.5
    mixed: float = -11.0
    mixed_more: float = -3.0
    mixed_unknown: float = -2.0
    split_capitals: float = -5.0
    listed_lower: float = -0.25
    listed_title: float = -0.25
    short: tuple[float, float, float] = (-4.0, -2.5, -2.5)
    lone_rare: float = -6.0
    lone_lower: float = -12.0
    lone_title: float = -1.0
    possessive: float = -4.0
    possessive_s: float = -5.0
    quote: float = -7.0
    slip: float = -3.75
    slip_prior: float = -14.0
    short_slip_prior: tuple[float, float, float] = (-5.0, -6.0, -7.0)

    def of_words(self, lexicon: Lexicon) -> NDArray[np.float64]:
        """What each word of ``lexicon`` costs in each pattern of capitals [4, N], the same where a
        sentence may begin, and in a line without capitals: [12, N]."""
        known = lexicon.ids[0] != UNK
        lengths = lexicon.words.table.lengths
        short = np.concatenate([[0, 0], self.short, [0]])[np.minimum(lengths, 5)]
        single = self.are_rare_letters(lexicon)
        lower = np.where(known, self.lower_odd * lexicon.capitals, self.listed_lower + short)
        small = np.where(known, 0.0, self.listed_lower + short)
        lower[single] = small[single] = self.lone_lower
        listed = self.listed_title + short / 2
        title = np.full(len(lexicon), self.title)
        if lexicon.capitals.any():
            # The source tells capitals apart, and has its own probability of them.
            title[:] = 0.0
        title = np.where(known, title, listed)
        own = (lexicon.ids[UPPER] != lexicon.ids[LOWER]) & (
            lexicon.ids[UPPER] != lexicon.ids[TITLE]
        )
        upper = np.where(known & own, self.upper_known, self.upper)
        mixed = np.full(len(lexicon), self.mixed)
        start = np.where(known, 0.0, listed)
        title[single] += self.lone_title
        inside = [lower, title, upper, mixed]
        at_start = [lower + self.lower_start, start, upper, mixed]
        return np.stack([*inside, *at_start, small, title, upper, mixed])

    def rarest_with_slip(self, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """The log-prior of the rarest words of each of these ``lengths`` that are looked for."""
        return np.array([0.0, *self.short_slip_prior, self.slip_prior])[np.minimum(lengths, 4)]

    def are_rare_letters(self, lexicon: Lexicon) -> NDArray[np.bool_]:
        """Which words of ``lexicon`` are single letters that are hardly ever words [N]."""
        return (lexicon.words.table.lengths == 1) & (lexicon.log_prior < self.lone_rare)

    def of_unknown(self, pattern: NDArray[np.int64]) -> NDArray[np.float64]:
        """What an unknown word costs that is written in each ``pattern``."""
        prices = np.zeros(4)
        prices[LOWER], prices[TITLE] = self.unknown_lower, self.unknown_title
        prices[UPPER], prices[MIXED] = self.unknown_upper, self.mixed + self.mixed_unknown
        return prices[pattern]
