"""Every byte of a line is a token, whatever file it is: nothing is decoded.

A byte from 0x21 to 0x7E is its own character; any other is written ``<0xNN>``. Only LF ends a
line. As Python text, a byte that is no part of UTF-8 is a lone surrogate (PEP 383).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lmkit.text.lexicon import Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.tokenizers.base import Bulk, SymbolBulk, Tokenizer

TOKENS = tuple(chr(byte) if 0x21 <= byte <= 0x7E else f"<0x{byte:02X}>" for byte in range(256))
"""The token of each byte."""
_BYTES = {token: bytes([byte]) for byte, token in enumerate(TOKENS)}
_CONTINUATIONS = frozenset(TOKENS[0x80:0xC0])


class ByteTokenizer(Tokenizer):
    """Tokens are bytes."""

    name: ClassVar[str] = "byte"
    unit: ClassVar[str] = "byte"
    default_normalize: ClassVar[str] = "none"
    end_width: ClassVar[int] = 1
    keeps_spaces: ClassVar[bool] = True
    reads_bytes: ClassVar[bool] = True

    def tokenize(self, text: str) -> list[str]:
        return [TOKENS[byte] for byte in text.encode(errors="surrogateescape")]

    def join(self, tokens: Sequence[str]) -> str:
        """The text of these bytes. What is no UTF-8 becomes lone surrogates, so that
        ``text.encode(errors="surrogateescape")`` gives the bytes again."""
        return b"".join(
            _BYTES[token] if token in _BYTES else token.encode() for token in tokens
        ).decode(errors="surrogateescape")

    def widths(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """1 for the first byte of a code point, 0 for the others."""
        return np.array([token not in _CONTINUATIONS for token in tokens], np.int32)

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        return _Bytes(normalize, lexicon)


class _Bytes(SymbolBulk):
    def symbols(self, text: bytes) -> NDArray[np.integer]:
        return np.frombuffer(text, np.uint8)

    def token(self, symbol: int) -> str:
        return TOKENS[symbol]
