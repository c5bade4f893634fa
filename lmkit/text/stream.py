"""From chunks of text to lexicon numbers: segmenting, normalizing and tokenizing as the
settings say, for the encoder and the corpus alike.

Where there is a pre-tokenizer, `Spaced` puts its tokens in the place of the text, with single
spaces between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS
from lmkit.text.lexicon import Lexicon, SpecialTokenError
from lmkit.text.reading import TextChunk
from lmkit.text.segmentation import segment
from lmkit.text.settings import TextSettings


class TokenStream:
    """Tokenizes text, chunk by chunk, into the numbers of its own ``lexicon``."""

    def __init__(self, settings: TextSettings) -> None:
        self.settings = settings
        self.tokenizer = settings.tokenizer
        self._normalize = settings.make_normalizer()
        self._spaced: Spaced | None = None
        if settings.pre_tokenizer is not None:
            words = replace(settings, tokenizer=settings.pre_tokenizer, pre_tokenizer=None)
            self._spaced = Spaced(words)
        self.forget()

    def forget(self) -> None:
        """Begin a new lexicon; numbers given before are of the old one."""
        self.lexicon = Lexicon(self.settings.special_tokens)
        self._bulk = self.tokenizer.bulk(self._normalize, self.lexicon)

    def numbers(self, sentences: bytes) -> NDArray[np.int32]:
        """The number of every token [n] of ``sentences``: UTF-8, each ended by a LF."""
        return self._bulk(sentences if self._spaced is None else self._spaced(sentences))

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
        if self._spaced is not None:
            return self._spaced.stream.located(error, chunk)
        lines = chunk.data.decode(errors="surrogateescape").split("\n")
        for number, line in enumerate(lines, chunk.first_line):
            if self._normalize is not None:
                line = self._normalize(line)
            if error.token in self.tokenizer.tokenize(line):
                where = ", ".join(filter(None, (chunk.source, f"line {number}")))
                return SpecialTokenError(error.token, where)
        return SpecialTokenError(error.token, chunk.source)


class Spaced:
    """Text with the tokens that ``settings`` make of it and single spaces between them, a
    sentence a line: what a comparison of models codes."""

    _MOST_TOKENS = 2_000_000
    _LINE_END = re.compile(" ?\n ?")

    def __init__(self, settings: TextSettings) -> None:
        self.stream = TokenStream(settings)
        self._spellings: list[str] = []

    def __call__(self, sentences: bytes) -> bytes:
        """``sentences`` (UTF-8, each ended by a LF) so."""
        return self.join(self.stream.numbers(sentences)).encode()

    def join(self, numbers: NDArray[np.int32]) -> str:
        """The text of the ``numbers`` that `stream` has given last."""
        spellings = self._spellings
        spellings += self.stream.lexicon.tokens[len(spellings) :]
        spellings[EOS] = "\n"
        text = " ".join(map(spellings.__getitem__, numbers.tolist()))
        if len(spellings) > self._MOST_TOKENS:
            self.stream.forget()
            spellings.clear()
        return self._LINE_END.sub("\n", text)
