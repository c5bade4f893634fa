"""Whole texts through an imported tokenizer that keeps to words: each distinct word is cut once.

Most lines then are the tokens of their words (`lmkit.text.subwords.locality`). A line goes through
the tokenizer whole where a word of it

- holds an added token, or ends in white space once it is normalized: the next word may feel it;
- is cut in two ways that are so nearly equal that the rounding of the sums over the line decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS
from lmkit.text.growing import GrowingArray, gather
from lmkit.text.lexicon import LINE_END, Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.subwords.foreign_bpe import ByWords, ForeignBpe, SymbolBpe
from lmkit.text.subwords.foreign_unigram import ForeignUnigram
from lmkit.text.subwords.locality import cuts_words, keeps_to_words, leaves_ascii
from lmkit.text.subwords.pieces import MOST_BYTES, MOST_PIECES, DistinctPieces
from lmkit.text.subwords.rows import UNKNOWN
from lmkit.text.subwords.words import BLANK, MARK, stands_alone

if TYPE_CHECKING:
    from lmkit.text.tokenizers.imported import ImportedTokenizer

_BEFORE = "a"
"""The word that a word which begins with a space is normalized behind."""
_NEVER = -1.0
_PLAIN = re.compile(" [!-~]+")


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
        self._encoder = tokenizer.encoder
        self._leaves_ascii = leaves_ascii(tokenizer.parts)
        added = {
            text
            for token in tokenizer.added_tokens
            for text in (token.content, tokenizer.finder.found_as(token))
        } - {""}
        self._added = re.compile("|".join(map(re.escape, added)) or r"(?!)")
        form, self._pieces_before = self._stages(_BEFORE)
        self._form_before = form or ""
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
        bulk = cls(tokenizer, normalize, lexicon)
        before = bulk._form_before
        usable = before and before[-1] not in BLANK and bulk._pieces_before
        return bulk if usable else None

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
        cut = list(map(self._pieces, texts))
        allowed, weights = np.full(len(texts), np.inf), np.zeros(len(texts))
        encoder = self._encoder
        if isinstance(encoder, ForeignUnigram) and not self._cuts:
            best, allowed, weights = encoder.best(["".join(pieces or ()) for pieces in cut])
            found = [[ids] for ids in best]
        else:
            every = [piece for pieces in cut for piece in pieces or ()]
            if isinstance(encoder, (ByWords, ForeignBpe, SymbolBpe)):
                of_pieces = iter(encoder.encode_many(every))
            else:
                of_pieces = map(encoder.encode, every)
            found = [list(islice(of_pieces, len(pieces or ()))) for pieces in cut]
        spelt = self._tokenizer.spelt
        tokens: list[str] = []
        ends = []
        for place, (text, pieces, ids) in enumerate(zip(texts, cut, found, strict=True)):
            if text[0] == "\n":
                tokens.append(LINE_END)
            known = len(tokens)
            for piece, of_piece in zip(pieces or (), ids, strict=False):
                tokens += spelt(piece, of_piece)
            if pieces is None or UNKNOWN in tokens[known:]:  # a line may spell what is unknown
                allowed[place] = _NEVER
            ends.append(len(tokens))
        self._starts.extend(len(self._numbers) + np.array(ends))
        self._numbers.extend(self._lexicon.numbers_of(tokens))
        self._allowed.extend(allowed)
        self._weights.extend(weights)

    def _pieces(self, word: str) -> list[str] | None:
        """The pieces of ``word`` that the model sees, one at most if nothing else cuts words. None
        where the line decides."""
        if self._leaves_ascii and _PLAIN.fullmatch(word):
            form = MARK + word[1:]
            if not (self._added.search(word) or self._added.search(form)):
                return [form]
        at_begin = word[0] == "\n"
        # sentencepiece takes a mark that stands in the text itself for a space at the end alone.
        if MARK in word or not stands_alone(word):
            return None
        part, pieces = self._stages(word[1:] if at_begin else _BEFORE + word)
        if part is None:
            return None
        is_last = not word.strip("\n ")  # in its line
        if not (at_begin or self._is_behind(part, pieces)):
            return None
        form = part if at_begin else part[len(self._form_before) :]
        if not (is_last or (form and form[-1] not in BLANK)):
            return None
        if at_begin:
            return pieces
        if self._cuts:
            return pieces[len(self._pieces_before) :]
        rest = pieces[0][len(self._pieces_before[0]) :]
        return [rest] if rest else []

    def _stages(self, text: str) -> tuple[str | None, list[str]]:
        """``text``, normalized, and the pieces that the pre-tokenizer makes of it; None where it
        holds an added token, or is cut where words do not have to be."""
        parts = list(self._tokenizer.finder.parts(text))
        if not parts:
            return "", []
        if len(parts) > 1 or parts[0][1] is not None:
            return None, []
        pieces = self._tokenizer.pieces_of(parts[0])
        return (parts[0][0] if self._cuts or len(pieces) < 2 else None), pieces

    def _is_behind(self, form: str, pieces: list[str]) -> bool:
        """Whether these stages of a word behind another one leave that one as it is alone."""
        before, form_before = self._pieces_before, self._form_before
        if not form.startswith(form_before):
            return False
        if self._cuts:
            return form[len(form_before) :][:1] in ("", MARK, " ") and (
                pieces[: len(before)] == before
            )
        return (
            len(pieces) == 1
            and pieces[0].startswith(before[0])
            and pieces[0][len(before[0]) :][:1] in ("", MARK)
        )
