"""A learnt tokenizer from outside, as small as one can be: the most frequent pairs of bytes are
tokens beside the bytes themselves. It is one file and one line in the registry, and uses all that
a learnt tokenizer may use of the model file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from lmkit.registry import BUILT_IN
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.byte import TOKENS

TARGET = f"{__name__}:Pairs"


def register(patch: pytest.MonkeyPatch) -> None:
    """The one line."""
    patch.setitem(BUILT_IN["tokenizer"], "pairs", TARGET)


class Pairs(Tokenizer):
    """Bytes, and the ``size`` most frequent pairs of them, from left to right."""

    name: ClassVar[str] = "pairs"
    unit: ClassVar[str] = "subword"
    default_normalize: ClassVar[str] = "none"
    end_width: ClassVar[int] = 1
    keeps_spaces: ClassVar[bool] = True
    reads_bytes: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    tables: ClassVar[tuple[str, ...]] = ("merges", "pieces")

    def __init__(self, size: int, merges: Iterable[Sequence[str]], pieces: Any) -> None:
        self.size = size
        self.merges = tuple((str(left), str(right)) for left, right in merges)
        self.pieces = tuple((str(piece), log_prob) for piece, log_prob in pieces)
        byte_of = {token: bytes([byte]) for byte, token in enumerate(TOKENS)}
        self._bytes = {**byte_of, **{a + b: byte_of[a] + byte_of[b] for a, b in self.merges}}
        self._tokens = {piece: token for token, piece in self._bytes.items()}
        pairs = [re.escape(self._bytes[left + right]) for left, right in self.merges]
        self._cut = re.compile(b"|".join([*pairs, b"."]), re.DOTALL)

    @classmethod
    def learn(
        cls,
        chunks: Iterable[bytes],
        *,
        progress: Callable[..., Any] | None = None,
        size: int = 20,
    ) -> Self:
        counts: Counter[tuple[int, int]] = Counter()
        for chunk in chunks:
            for line in chunk.split(b"\n"):
                counts.update(pairwise(line))
        best = sorted(counts, key=lambda pair: (-counts[pair], pair))[:size]
        merges = [(TOKENS[left], TOKENS[right]) for left, right in best]
        total = sum(counts.values())
        log_probs = [math.log(counts[pair] / total) for pair in best]
        pieces = [(left + right, p) for (left, right), p in zip(merges, log_probs, strict=True)]
        return cls(size, merges, [("<0x00>", None), *pieces])

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return tuple(self._bytes)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "size": self.size,
            "merges": list(map(list, self.merges)),
            "pieces": list(map(list, self.pieces)),
        }

    def tokenize(self, text: str) -> list[str]:
        found = self._cut.findall(text.encode(errors="surrogateescape"))
        return [self._tokens[piece] for piece in found]

    def join(self, tokens: Sequence[str]) -> str:
        pieces = (self._bytes.get(token) or token.encode() for token in tokens)
        return b"".join(pieces).decode(errors="surrogateescape")

    def widths(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        begun = [
            sum(byte & 0xC0 != 0x80 for byte in self._bytes.get(token, b"")) for token in tokens
        ]
        return np.array(begun, np.int32)
