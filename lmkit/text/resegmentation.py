"""The text of a corpus cut up anew, by chance, as often as it is asked for (BPE-dropout, Provilkov
et al. 2020): a network that sees other tokens of the same text each time learns what they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import EOS
from lmkit.text.settings import TextSettings
from lmkit.text.stream import TokenStream

_CHUNK = 4 << 20


class Resegmented:
    """The text of ``ids`` [N], which are tokens of ``vocabulary``, with each merge of its tokenizer
    left out with the probability ``dropout``.

    No text has to be kept for it: that of a lossless tokenizer is in its ids.

    Raises `UsageError` where the tokenizer has no merges.
    """

    def __init__(
        self, settings: TextSettings, vocabulary: Any, ids: NDArray[np.int32], dropout: float
    ) -> None:
        tokenizer = settings.tokenizer
        if not hasattr(tokenizer, "with_dropout"):
            raise UsageError(
                f"the tokenizer {tokenizer} has no merges that could be dropped",
                "leaving out --tokenizer-dropout, or --tokenizer bpe",
            )
        self._tokenizer: Any = tokenizer
        self._settings = replace(settings, pre_tokenizer=None)
        self._vocabulary = vocabulary
        self._dropout = dropout
        spellings = [tokenizer.bytes_of(token) for token in vocabulary.tokens]
        spellings[EOS] = b"\n"
        self._text = b"".join(map(spellings.__getitem__, ids.tolist()))
        self._cut = not self._text.endswith(b"\n")

    def draw(self, generator: np.random.Generator) -> NDArray[np.int32]:
        """The ids of the text this time; the same for a generator in the same state."""
        tokenizer = self._tokenizer.with_dropout(self._dropout, generator)
        stream = TokenStream(replace(self._settings, tokenizer=tokenizer), prepared=True)
        numbers = np.concatenate([stream.numbers(chunk) for chunk in self._chunks()])
        ids: NDArray[np.int32] = self._vocabulary.ids_of(stream.lexicon.tokens)
        ids[EOS] = EOS
        drawn = ids[numbers]
        return drawn[:-1] if self._cut else drawn

    def _chunks(self) -> Iterator[bytes]:
        start = 0
        while start < len(self._text):
            stop = self._text.find(b"\n", start + _CHUNK) + 1 or len(self._text)
            chunk = self._text[start:stop]
            yield chunk if chunk.endswith(b"\n") else chunk + b"\n"
            start = stop
