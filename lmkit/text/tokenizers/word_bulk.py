"""Whole texts through an imported tokenizer that keeps to words: each distinct word is cut once.

Most lines then are the tokens of their words (`lmkit.text.subwords.locality`). A line goes through
the tokenizer whole where a word of it

- holds an added token, or ends in white space once it is normalized: the next word may feel it;
- is cut in two ways that are so nearly equal that the rounding of the sums over the line decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError
from lmkit.model import EOS
from lmkit.text.growing import GrowingArray
from lmkit.text.lexicon import LINE_END, Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.subwords.foreign_bpe import ByWords
from lmkit.text.subwords.foreign_unigram import ForeignUnigram
from lmkit.text.subwords.locality import cuts_words, keeps_to_words
from lmkit.text.subwords.pieces import MOST_BYTES, MOST_PIECES, DistinctPieces, gather
from lmkit.text.subwords.words import BLANK, MARK, joins_next

if TYPE_CHECKING:
    from lmkit.text.tokenizers.imported import ImportedTokenizer

_BEFORE = "a"
"""The word that a word which begins with a space is normalized behind."""
_NEVER = -1.0
Words = list[list[str] | None]
"""The tokens of words; None where the line decides."""


class WordBulk:
    """A tokenizer that keeps to words (`of` says whether it does).

    A word holds the line end before it. Word ``i`` has the numbers
    ``_numbers[_starts[i]:_starts[i + 1]]``. It has them in every line whose words weigh
    (``_weights``) less together than it allows (``_allowed[i]``).
    """

    def __init__(
        self, tokenizer: ImportedTokenizer, normalize: Normalizer | None, lexicon: Lexicon
    ) -> None:
        self._tokenizer = tokenizer
        self._normalize = normalize
        self._lexicon = lexicon
        self._cuts = cuts_words(tokenizer.parts)
        self._before = self._stages(_BEFORE) or ""
        self._tokens_before = tokenizer.tokenize(_BEFORE)
        self._forget()

    @classmethod
    def of(
        cls, tokenizer: ImportedTokenizer, normalize: Normalizer | None, lexicon: Lexicon
    ) -> WordBulk | None:
        """That of ``tokenizer``, if it keeps to words."""
        encoder = tokenizer.encoder
        by_words = isinstance(encoder, ByWords) or (
            isinstance(encoder, ForeignUnigram) and encoder.keeps_to_words
        )
        if not (by_words or cuts_words(tokenizer.parts)):
            return None
        if not keeps_to_words(tokenizer.parts, tokenizer.added_tokens, tokenizer.finder):
            return None
        try:
            bulk = cls(tokenizer, normalize, lexicon)
        except TextError:  # it has no token for the word before others
            return None
        return bulk if bulk._before and bulk._before[-1] not in BLANK else None

    def _forget(self) -> None:
        self._distinct = DistinctPieces()
        self._numbers = GrowingArray(np.int32)
        self._starts = GrowingArray(np.int64, [0])
        self._allowed = GrowingArray(np.float64)
        self._weights = GrowingArray(np.float64)

    def __call__(self, text: bytes) -> NDArray[np.int32]:
        if self._normalize is not None:
            decoded = text.decode(errors="surrogateescape")
            text = self._normalize(decoded).encode(errors="surrogateescape")
        if not text:
            return np.zeros(0, np.int32)
        if self._distinct.bytes > MOST_BYTES or len(self._distinct.all) > MOST_PIECES:
            self._forget()
        text = b"\n" + text[:-1]
        symbols = np.frombuffer(text, np.uint8)
        begins_line = symbols == ord("\n")
        blank = symbols == ord(" ")
        begins = begins_line.copy()
        begins[1:] |= blank[1:] & ~(blank | begins_line)[:-1]
        words = np.flatnonzero(begins)
        known = len(self._distinct.all)
        which = self._distinct.numbers(text, words)
        if new := self._distinct.all[known:]:
            self._learn(new)
        flat = self._numbers.values
        starts, stops = self._starts.values[which], self._starts.values[which + 1]
        lines = np.flatnonzero(begins_line[words])
        if len(whole := self._undecided(which, lines)):
            flat = self._lines(text, words, lines, whole, flat, starts, stops)
        return np.append(gather(flat, starts, stops)[1:], np.int32(EOS))

    def _undecided(self, which: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """The lines, which begin at these words, that must go through the tokenizer whole."""
        allowed = self._allowed.values[which]
        if np.isposinf(allowed).all():
            return np.zeros(0, np.int64)
        weights = np.add.reduceat(self._weights.values[which], lines)
        return np.flatnonzero(np.minimum.reduceat(allowed, lines) <= weights)

    def _lines(
        self,
        text: bytes,
        words: NDArray[np.int64],
        lines: NDArray[np.int64],
        whole: NDArray[np.int64],
        flat: NDArray[np.int32],
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
    ) -> NDArray[np.int32]:
        """``flat`` and behind it the numbers of the lines ``whole``; ``starts`` and ``stops`` are
        changed, so that the first word of each has all of them."""
        ends = np.append(lines[1:], len(words))
        places = np.append(words, len(text))
        extra = [flat]
        size = len(flat)
        for line in whole.tolist():
            first, end = int(lines[line]), int(ends[line])
            content = text[places[first] + 1 : places[end]].decode(errors="surrogateescape")
            tokens = [LINE_END, *self._tokenizer.tokenize(content)]
            extra.append(self._lexicon.numbers_of(tokens))
            starts[first:end] = stops[first:end] = size
            size += len(tokens)
            stops[first] = size
        return np.concatenate(extra)

    def _learn(self, words: Sequence[bytes]) -> None:
        """Cut new words, in the order in which they were numbered."""
        texts = [word.decode(errors="surrogateescape") for word in words]
        encoder = self._tokenizer.encoder
        if isinstance(encoder, ForeignUnigram) and not self._cuts:
            found, allowed, weights = self._by_sums(texts, encoder)
        else:
            found = list(map(self._tokens, texts))
            allowed, weights = np.full(len(found), np.inf), np.zeros(len(found))
            allowed[[tokens is None for tokens in found]] = _NEVER
        tokens: list[str] = []
        ends = []
        for text, of_word in zip(texts, found, strict=True):
            if text[0] == "\n":
                tokens.append(LINE_END)
            tokens += of_word or ()
            ends.append(len(tokens))
        self._starts.extend(len(self._numbers) + np.array(ends))
        self._numbers.extend(self._lexicon.numbers_of(tokens))
        self._allowed.extend(allowed)
        self._weights.extend(weights)

    def _stages(self, text: str) -> str | None:
        """``text``, normalized, and cut if nothing but the model cuts words; None where it holds
        an added token, or is cut apart."""
        parts = list(self._tokenizer.finder.parts(text))
        if len(parts) != 1 or parts[0][1] is not None:
            return None if parts else ""
        if self._cuts:
            return parts[0][0]
        pieces = self._tokenizer.pieces_of(parts[0])
        return pieces[0] if len(pieces) == 1 else None if pieces else ""

    def _form(self, word: str) -> str | None:
        """What the model sees of ``word``; None where the line decides."""
        at_begin = word[0] == "\n"
        text = word[1:] if at_begin else _BEFORE + word
        form = None if joins_next(word) else self._stages(text)
        if form is None:
            return None
        if not at_begin:
            if not form.startswith(self._before):
                return None
            form = form[len(self._before) :]
            if form[:1] not in (("", MARK, " ") if self._cuts else ("", MARK)):
                return None
        if word.strip("\n "):  # else nothing follows in the line
            return form if form and form[-1] not in BLANK else None
        return form

    def _tokens(self, word: str) -> list[str] | None:
        form = self._form(word)
        if form is None:
            return None
        if word[0] == "\n":
            tokens = self._tokenizer.tokenize(word[1:])
        else:
            tokens = self._tokenizer.tokenize(_BEFORE + word)
            before = len(self._tokens_before)
            if tokens[:before] != self._tokens_before:
                return None
            tokens = tokens[before:]
        return None if "<unk>" in tokens else tokens

    def _by_sums(
        self, words: list[str], encoder: ForeignUnigram
    ) -> tuple[Words, NDArray[np.float64], NDArray[np.float64]]:
        """The tokens of each of ``words``, what they allow, and what they weigh."""
        forms = list(map(self._form, words))
        ids, allowed, weights = encoder.best([form or "" for form in forms])
        found: Words = []
        for place, (form, of_word) in enumerate(zip(forms, ids, strict=True)):
            tokens = None if form is None else self._tokenizer.spelt(form, of_word)
            if tokens is None or "<unk>" in tokens:
                tokens, allowed[place] = None, _NEVER
            found.append(tokens)
        return found, allowed, weights
