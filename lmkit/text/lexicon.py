"""The distinct tokens of a text under work, numbered as they are first seen.

Bulk tokenizers speak in these numbers; the encoder maps them to vocabulary ids, and
building a vocabulary makes ids of them. 0 is a literal ``<unk>``, 2 the end of a
sentence; 1 (``<s>``) stands in no text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError
from lmkit.model import EOS

LINE_END = "\n"
"""What ends a line among the tokens given to `Lexicon.numbers_of`."""
RESERVED = ("<s>", "</s>")


class SpecialTokenError(TextError):
    """A literal ``<s>`` or ``</s>`` in a text that must not have one."""

    def __init__(self, token: str, where: str | None = None) -> None:
        super().__init__(
            f"{where + ': ' if where else ''}the text has a literal {token}, which marks the"
            f" {'beginning' if token == '<s>' else 'end'} of a sentence",
            "--special-tokens drop (the marks that are added anyway), --special-tokens word (an"
            " ordinary word) or --special-tokens unknown",
        )
        self.token = token


class Lexicon:
    """Distinct tokens and their numbers.

    ``tokens`` are their spellings in the text. ``special_tokens`` is the policy of
    `lmkit.text.settings.TextSettings` for a literal ``<s>`` or ``</s>``.
    """

    def __init__(self, special_tokens: str = "error") -> None:
        self.tokens: list[str] = ["<unk>", "<s>", "</s>"]
        self._special_tokens = special_tokens
        self._numbers: defaultdict[str, int] = defaultdict(count(3).__next__)
        self._numbers["<unk>"] = 0
        self._numbers[LINE_END] = EOS

    def __len__(self) -> int:
        return len(self.tokens)

    def numbers_of(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """The number of each of ``tokens`` [n]: [n]; new ones get the next numbers.

        Raises `SpecialTokenError` (and is then of no further use) where the policy is
        ``error`` and one of them is reserved.
        """
        known = len(self._numbers)
        numbers = np.fromiter(map(self._numbers.__getitem__, tokens), np.int32, len(tokens))
        if new := newest(self._numbers, known):
            if self._special_tokens == "error":
                for token in RESERVED:
                    if token in new:
                        raise SpecialTokenError(token)
            self.tokens += new
        return numbers


def newest(dictionary: dict[Any, int], known: int) -> list[Any]:
    """The keys that ``dictionary`` got since it had ``known`` of them, in order."""
    new = list(islice(reversed(dictionary), len(dictionary) - known))
    new.reverse()
    return new


def vocabulary_token(token: str, special_tokens: str) -> str:
    """The vocabulary's name for a token of the text.

    It is the token, except for a literal ``<s>`` or ``</s>``: as a word it gets a
    backslash in front (and what already looks like that gets one more, so that
    `text_token` finds the way back), as an unknown word it is ``<unk>``. Where marks are
    dropped there is none, but for one that normalization made: that is an unknown word too.
    """
    if not token.endswith("s>"):
        return token
    if special_tokens in ("unknown", "drop"):
        return "<unk>" if token in RESERVED else token
    if special_tokens == "word" and token.lstrip("\\") in RESERVED:
        return "\\" + token
    return token


def text_token(token: str, special_tokens: str) -> str:
    """The spelling in the text of a vocabulary's token."""
    if special_tokens == "word" and token.startswith("\\") and token.lstrip("\\") in RESERVED:
        return token[1:]
    return token
