"""From chunks of text to lexicon numbers: segmenting, normalizing and tokenizing as the
settings say, for the encoder and the corpus alike.

Where there is a pre-tokenizer, `Spaced` puts its tokens in the place of the text, with single
spaces between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS
from lmkit.text.lexicon import Lexicon, SpecialTokenError
from lmkit.text.reading import TextChunk
from lmkit.text.segmentation import segment
from lmkit.text.settings import TextSettings

Made = TypeVar("Made")


class TokenStream:
    """Tokenizes text, chunk by chunk, into the numbers of its own ``lexicon``."""

    def __init__(self, settings: TextSettings, prepared: bool = False) -> None:
        """``prepared``: what comes in is what `prepared` gave."""
        self.settings = settings
        self.tokenizer = settings.tokenizer
        self._normalize = None if prepared else settings.make_normalizer()
        self._spaced: Spaced | None = None
        if settings.pre_tokenizer is not None and not prepared:
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
        return self._each(chunks, self.numbers)

    def prepared(self, chunks: Iterable[TextChunk]) -> Iterator[bytes]:
        """The sentences of ``chunks`` as the tokenizer gets to see them: pre-tokenized and
        normalized, each ended by a LF. Raises as `of_chunks`."""
        return self._each(chunks, self._prepare)

    def _prepare(self, sentences: bytes) -> bytes:
        if self._spaced is not None:
            sentences = self._spaced(sentences)
        if self._normalize is None:
            return sentences
        text = self._normalize(sentences.decode(errors="surrogateescape"))
        return text.encode(errors="surrogateescape")

    def _each(
        self, chunks: Iterable[TextChunk], made_of: Callable[[bytes], Made]
    ) -> Iterator[Made]:
        last: list[TextChunk] = []

        def remembered() -> Iterator[TextChunk]:
            for chunk in chunks:
                last[:] = [chunk]
                yield chunk

        for sentences in segment(remembered(), self.settings):
            try:
                made = made_of(sentences)
            except SpecialTokenError as error:
                raise self.located(error, last[0]) from None
            yield made

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
