"""From chunks of text to lexicon numbers: segmenting, normalizing and tokenizing as the
settings say, for the encoder and the corpus alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from lmkit.text.lexicon import Lexicon, SpecialTokenError
from lmkit.text.reading import TextChunk
from lmkit.text.segmentation import segment
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.base import Tokenizer


class TokenStream:
    """Tokenizes text, chunk by chunk, into the numbers of its own ``lexicon``."""

    def __init__(self, settings: TextSettings) -> None:
        self.settings = settings
        self.tokenizer: Tokenizer = settings.make_tokenizer()
        self._normalize = settings.make_normalizer()
        self.forget()

    def forget(self) -> None:
        """Begin a new lexicon; numbers given before are of the old one."""
        self.lexicon = Lexicon(self.settings.special_tokens)
        self._bulk = self.tokenizer.bulk(self._normalize, self.lexicon)

    def numbers(self, sentences: bytes) -> NDArray[np.int32]:
        """The number of every token [n] of ``sentences``: UTF-8, each ended by a LF."""
        return self._bulk(sentences)

    def of_chunks(self, chunks: Iterable[TextChunk]) -> Iterator[NDArray[np.int32]]:
        """The numbers of all tokens of ``chunks``, in arrays that end at a sentence's end.

        Raises `SpecialTokenError` with the file and line where the settings want it.
        """
        last: list[TextChunk] = []

        def remembered() -> Iterator[TextChunk]:
            for chunk in chunks:
                last[:] = [chunk]
                yield chunk

        for sentences in segment(remembered(), self.settings):
            try:
                numbers = self.numbers(sentences)
            except SpecialTokenError as error:
                raise self.located(error, last[0]) from None
            yield numbers

    def located(self, error: SpecialTokenError, chunk: TextChunk) -> SpecialTokenError:
        """``error`` with the source and line where it is in ``chunk``."""
        lines = chunk.data.decode(errors="surrogateescape").split("\n")
        for number, line in enumerate(lines, chunk.first_line):
            if self._normalize is not None:
                line = self._normalize(line)
            if error.token in self.tokenizer.tokenize(line):
                where = ", ".join(filter(None, (chunk.source, f"line {number}")))
                return SpecialTokenError(error.token, where)
        return SpecialTokenError(error.token, chunk.source)
