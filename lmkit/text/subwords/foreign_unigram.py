"""Unigram segmentation as the files of others mean it (Kudo 2018): the best path, ties and
roundings included.

The package ``tokenizers`` adds scores as doubles. ``sentencepiece`` adds them as floats over the
whole line, so that where two segmentations are nearly equal, the rounding decides. Both keep the
earlier of equal paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import FormatError, one_line
from lmkit.text.subwords.foreign_bpe import fallback, unknown_text
from lmkit.text.subwords.parts import REWRITE
from lmkit.text.subwords.unigram_encoding import Segmenter
from lmkit.text.subwords.words import MARK, crosses

UNKNOWN_PENALTY = 10.0
"""By how much an unknown character is worse than the worst piece, in both packages."""
SYMBOL_BONUS = 0.1
"""The score of a user-defined piece in sentencepiece 0.2.3, for each byte but the first. (Until
0.2.0 it went by the best score of a piece, and a long one could lose.)"""


class ForeignUnigram:
    """What turns a piece of text into ids.

    ``pieces`` have a score each; their ids are their positions, but for those that are not
    ``usable``. ``symbols`` (positions of user-defined pieces) win over everything else.
    ``single`` precision is that of sentencepiece.
    """

    def __init__(
        self,
        pieces: Sequence[tuple[str, float]],
        *,
        unknown: int | None,
        byte_fallback: bool = False,
        usable: Iterable[int] | None = None,
        scored: Iterable[int] | None = None,
        symbols: Iterable[int] = (),
        single: bool = False,
    ) -> None:
        for piece, score in pieces:
            if not isfinite(score):
                raise FormatError(f"the score of the piece {one_line(piece)!r} is {score}", REWRITE)
        everything = range(len(pieces))
        scores = [pieces[k][1] for k in (everything if scored is None else scored)]
        self._unknown = unknown
        self._single = single
        worst = min(scores, default=inf)
        self._penalty = _float(worst - UNKNOWN_PENALTY) if single else worst - UNKNOWN_PENALTY
        self._ids = {pieces[k][0]: k for k in (everything if usable is None else usable)}
        symbols = frozenset(symbols)
        self._usable = list(self._ids)
        self._scores: list[float] = []
        self._known: dict[str, tuple[float, int] | None] = {}
        for piece, k in self._ids.items():
            score = pieces[k][1]
            if k in symbols:
                score = SYMBOL_BONUS * (len(piece.encode()) - 1)
            self._scores.append(score)
            for end in range(1, len(piece)):
                self._known.setdefault(piece[:end])
            self._known[piece] = (score, k)
        every = {piece: k for k, (piece, _) in enumerate(pieces)}
        self._bytes = (
            [every.get(f"<0x{byte:02X}>") for byte in range(256)] if byte_fallback else None
        )

    def encode(self, piece: str) -> list[int]:
        """The ids of ``piece``. Raises `TextError` if it holds a character that is in no piece,
        and there is no unknown one."""
        ids: list[int] = []
        for text, k in self._segments(piece):
            if k == self._unknown and (of_bytes := fallback(text, self._bytes)) is not None:
                ids += of_bytes
            else:
                ids.append(k)
        return ids

    @property
    def keeps_to_words(self) -> bool:
        """Whether no piece reaches from one word into the next, and what words begin with is a
        piece itself (and so never part of something unknown)."""
        return MARK in self._ids and not any(map(crosses, self._ids))

    @cached_property
    def _segmenter(self) -> Segmenter:
        return Segmenter(
            self._usable,
            np.array(self._scores),
            lambda symbols: np.full(len(symbols), self._penalty),
        )

    def best(
        self, words: Sequence[str]
    ) -> tuple[list[list[int]], NDArray[np.float64], NDArray[np.float64]]:
        """The ids of each of ``words`` [n] in every line whose weight is below what is allowed;
        what each allows [n]; and what it adds to the weight of its line [n]. Only for pieces that
        keep to words.

        All ways through a line go through the borders of its words. So a word has the segmentation
        with the best exact sum, if no other one can overtake it by rounding. A sum of ``n``
        scores, begun at ``B``, is wrong by ``n u M`` at most (Higham 2002, section 4.2): ``M`` is
        the largest number on the way, and ``u`` the rounding of one addition. ``M`` is at most
        ``|B| + n S`` with ``S`` the largest score, and ``|B|`` at most the absolute scores before,
        which are the weight. Rounding could make both larger by ``exp(N u)``, which is less than
        2 for lines of fewer than ten million tokens. The best and the other one each may be wrong
        by that, so a lead of more than ``4 n u (weight + n S)`` is safe.
        """
        codes = np.frombuffer("".join(words).encode("utf-32-le"), "<u4").astype(np.int64)
        sizes = np.fromiter(map(len, words), np.int64, len(words))
        (numbers, counts), leads, weights = self._segmenter.best_with_leads(codes, sizes)
        largest = max(abs(self._penalty), *map(abs, self._scores))
        rounding = 2.0**-24 if self._single else 2.0**-53
        allowed = leads / (4 * rounding * np.maximum(sizes, 1)) - sizes * largest
        ids_of = [self._ids[piece] for piece in self._usable]
        flat = numbers.tolist()
        ids = []
        stop = 0
        for word, count in zip(words, counts.tolist(), strict=True):
            start, stop = stop, stop + count
            some = flat[start:stop]
            is_known = min(some, default=0) >= 0
            ids.append([ids_of[k] for k in some] if is_known else self.encode(word))
        return ids, allowed, weights

    def unknown_texts(self, piece: str) -> list[str]:
        """What each unknown id in the result of `encode` stands for."""
        unknown = [text for text, k in self._segments(piece) if k == self._unknown]
        return [text for text in unknown if fallback(text, self._bytes) is None]

    def _segments(self, piece: str) -> list[tuple[str, int]]:
        segments = self._fused(self._path(piece))
        if self._single:
            return segments
        # In the package tokenizers several unknown characters in a row may spell a piece.
        return [(text, self._ids.get(text, k)) for text, k in segments]

    def _fused(self, path: list[tuple[str, int]]) -> list[tuple[str, int]]:
        result: list[tuple[str, int]] = []
        for text, k in path:
            if k == self._unknown and result and result[-1][1] == k:
                result[-1] = (result[-1][0] + text, k)
            else:
                result.append((text, k))
        return result

    def _path(self, text: str) -> list[tuple[str, int]]:
        """The best segmentation of ``text``: the pieces and their ids."""
        size = len(text)
        known, single = self._known.get, self._single
        totals = [0.0] * (size + 1)
        starts = [-1] * (size + 1)
        ids = [0] * (size + 1)
        missing = (0.0, -1)
        for start in range(size):
            before = totals[start]
            alone = False
            end = start + 1
            while end <= size:
                found = known(text[start:end], missing)
                if found is not None:
                    score, k = found
                    if k < 0:
                        break
                    total = _float(before + score) if single else before + score
                    if starts[end] < 0 or total > totals[end]:
                        totals[end] = total
                        starts[end], ids[end] = start, k
                    alone |= end == start + 1
                end += 1
            if not alone:
                if self._unknown is None:
                    raise unknown_text(text[start])
                total = _float(before + self._penalty) if single else before + self._penalty
                end = start + 1
                if starts[end] < 0 or total > totals[end]:
                    totals[end] = total
                    starts[end], ids[end] = start, self._unknown
        path = []
        end = size
        while end:
            start = starts[end]
            path.append((text[start:end], ids[end]))
            end = start
        path.reverse()
        return path


def _float(value: float) -> float:
    """``value``, rounded to single precision."""
    return float(np.float32(value))
