"""What tokenizers that learn subwords of bytes have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS
from lmkit.text.lexicon import Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.subwords.patterns import Splitter
from lmkit.text.subwords.pieces import PieceCache
from lmkit.text.tokenizers.base import Tokenizer

Encoded = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Numbers of tokens, concatenated, and how many each piece has."""


class SubwordTokenizer(Tokenizer):
    """Learns its vocabulary from text, and loses nothing of any bytes."""

    unit: ClassVar[str] = "subword"
    default_normalize: ClassVar[str] = "none"
    end_width: ClassVar[int] = 1
    keeps_spaces: ClassVar[bool] = True
    reads_bytes: ClassVar[bool] = True
    learns: ClassVar[bool] = True


class SubwordBulk:
    """Whole texts, each distinct piece encoded once, but if that is ``by_chance``.

    ``encode`` gives pieces as numbers of ``spelt``, the spellings of all tokens. A line end is
    the number of its byte, 10, there, and stands in no piece.
    """

    def __init__(
        self,
        splitter: Splitter,
        encode: Callable[[Sequence[bytes]], Encoded],
        spelt: Sequence[str],
        by_chance: bool,
        normalize: Normalizer | None,
        lexicon: Lexicon,
    ) -> None:
        self._splitter = splitter
        self._encode = encode
        self._spelt = spelt
        self._by_chance = by_chance
        self._normalize = normalize
        self._lexicon = lexicon
        self._cache = PieceCache(self._numbers)
        self._table = np.full(len(spelt), -1, np.int32)
        self._table[ord("\n")] = EOS

    def __call__(self, text: bytes) -> NDArray[np.int32]:
        if self._normalize is not None:
            decoded = self._normalize(text.decode(errors="surrogateescape"))
            text = decoded.encode(errors="surrogateescape")
        if not self._by_chance:
            return self._cache.of_lines(text, self._splitter)
        slices = self._splitter.slices(text)
        return np.concatenate(
            [self._numbers(self._splitter.split_lines(part))[0] for part in slices]
        )

    def _numbers(self, pieces: Sequence[bytes]) -> Encoded:
        """The lexicon's numbers of the tokens of ``pieces``, and how many each has."""
        tokens, lengths = self._encode(pieces)
        numbers = self._table[tokens]
        if len(unseen := tokens[numbers < 0]):
            distinct, first = np.unique(unseen, return_index=True)
            distinct = distinct[np.argsort(first)]
            spelt = [self._spelt[token] for token in distinct.tolist()]
            self._table[distinct] = self._lexicon.numbers_of(spelt)
            numbers = self._table[tokens]
        return numbers, lengths
