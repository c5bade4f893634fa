"""What an unknown word is worth that is kept as it was typed: log p(its spelling | <unk>).

The source's spelling model has learnt from the rare words of its text. Text from elsewhere has
names and words of other languages, accents, and new compounds, of which it knows nothing; without
them, anything strange would be taken for an error of something known. A word list has many words of
those kinds, and how they are spelt tells more of those that even the list lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.folding import without_marks
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.decoding.surface import Token
from lmkit.model import LanguageModel
from lmkit.text.spelling import SpellingModel

PER_LETTER = float(np.log(1 / 64))
"""Spelling of a word where the source has no model of spellings."""
FOREIGN, FOREIGN_LETTER = float(np.log(0.1)), -2.9
"""Part (log) of the unknown words that are of other languages, and a letter of theirs: letters
drawn one by one from a text have some 2.9 nats."""
LISTED = float(np.log(0.5))
"""Part (log) of the unknown words that are spelt like those of a list that the source lacks."""
SLIP = 30.0
"""What accents cost on a word that everybody writes without them."""
COMPOUND = float(np.log(0.1))
"""Part (log) of the unknown words that are two words of this one's kind written together."""
SHORTEST_PART = 3
COMPOUNDED = (-14.0, -7.0)
"""Log-priors of words that are parts of compounds: known, but no words of grammar, which are run
together by mistake."""


class UnknownWords:
    """Prices unknown words of one ``source``, beside the ``lexicon``."""

    def __init__(self, source: LanguageModel, lexicon: Lexicon, exact: bool = False) -> None:
        """``exact``: the spelling model's own probabilities, which sum to one."""
        self._source = source
        self._lexicon = lexicon
        self._exact = exact

    def log_probs(self, tokens: Sequence[Token]) -> NDArray[np.float64]:
        """log p(spelling | <unk>) [T] of each of ``tokens``."""
        words = [token.spelling for token in tokens]
        lengths = np.array([len(word) + 1 for word in words], float)
        spelling = self._source.encoder.spelling_log_probs(words)
        spelt = spelling is not None
        prices = np.array(spelling, float) if spelt else PER_LETTER * lengths
        if not self._exact:
            if spelt:
                self._allow_marks(prices, tokens)
            np.maximum(prices, FOREIGN + FOREIGN_LETTER * lengths, out=prices)
            if self._of_list is not None:
                folded = [token.folded for token in tokens]
                np.maximum(prices, LISTED + self._of_list.log_probs(folded), out=prices)
            compounds = np.array([self._compound(token) for token in tokens])
            np.maximum(prices, COMPOUND + compounds, out=prices)
        return prices + np.log(self._lexicon.spelling_share) if spelt else prices

    @cached_property
    def _of_list(self) -> SpellingModel | None:
        """How the words of the word list are spelt that the source lacks."""
        stock = self._lexicon.stock
        return stock.spelling or stock.learn_spelling()

    def _allow_marks(self, prices: NDArray[np.float64], tokens: Sequence[Token]) -> None:
        """Accents that the source's text never had make no word less likely to be one, but those
        on a common word are a slip."""
        plain = [without_marks(token.spelling) for token in tokens]
        marked = [i for i, token in enumerate(tokens) if plain[i] != token.spelling]
        if marked:
            other = self._source.encoder.spelling_log_probs([plain[i] for i in marked])
            slips = [tokens[i].pattern == 0 and self._is_common(plain[i]) for i in marked]
            prices[marked] = np.maximum(prices[marked], np.asarray(other) - SLIP * np.array(slips))

    def _is_common(self, word: str) -> bool:
        """Whether ``word``, in lower case, surely is a word of the lexicon."""
        row = self._lexicon.rows.get(word, -1)
        return row >= 0 and bool(self._lexicon.certain[row])

    def _compound(self, token: Token) -> float:
        """log p of the likeliest two words that the token may be made of, -inf for none."""
        best, prior = -np.inf, self._lexicon.log_prior
        rarest, commonest = COMPOUNDED
        if token.correctable:
            for _, *parts in self._lexicon.halves(token.folded, SHORTEST_PART, rarest):
                if all(prior[row] < commonest for row in parts):
                    best = max(best, float(prior[parts].sum()))
        return best
