"""Every code point of a line is a token, the space too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.text.lexicon import Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.tokenizers.base import Bulk, SymbolBulk, Tokenizer


class CharTokenizer(Tokenizer):
    """Tokens are code points."""

    name: ClassVar[str] = "char"
    unit: ClassVar[str] = "character"
    end_width: ClassVar[int] = 1
    keeps_spaces: ClassVar[bool] = True

    def tokenize(self, text: str) -> list[str]:
        return list(text)

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)

    def widths(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        return np.ones(len(tokens), np.int32)

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        return _CodePoints(normalize, lexicon)


class _CodePoints(SymbolBulk):
    def symbols(self, text: bytes) -> NDArray[np.integer]:
        if text.isascii():
            return np.frombuffer(text, np.uint8)
        return np.frombuffer(text.decode().encode("utf-32-le"), np.uint32)

    def token(self, symbol: int) -> str:
        return chr(symbol)
