"""Text that is tokenized already: tokens stand between white space, as KenLM reads it.

Only NUL, tab, LF, CR and space separate; a no-break space, a vertical tab or a form feed
is part of a token. Tokens stay untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lmkit.text.tokenizers.base import PieceTokenizer

_SEPARATORS = dict.fromkeys(map(ord, "\x00\t\r"), " ")


class WhitespaceTokenizer(PieceTokenizer):
    """Tokens between spaces."""

    name: ClassVar[str] = "whitespace"
    unit: ClassVar[str] = "word"
    default_normalize: ClassVar[str] = "none"

    def tokenize_lines(self, text: str) -> list[str]:
        spaced = text.translate(_SEPARATORS).replace("\n", " \n ")
        return [token for token in spaced.split(" ") if token]

    def join(self, tokens: Sequence[str]) -> str:
        return " ".join(tokens)
