"""Text to batches of token ids, and back.

A `TextEncoder` keeps the tokens it has met, so each distinct one is asked of the
vocabulary once: a short line costs a look-up or two, a long text a few array operations.
Batches are as `lmkit.model.Batch` says. The length of a sentence's reference text is

- for ``whitespace`` and ``word``: its tokens joined by single spaces, in code points,
  plus one for the end of the line (so an empty sentence has 1);
- for ``char``, ``byte`` and learnt subwords: the code points of the line, plus one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError
from lmkit.extent import TextExtent
from lmkit.model import BOS, EOS, UNK, Batch, UnknownWords
from lmkit.text.growing import GrowingArray
from lmkit.text.lexicon import SpecialTokenError, text_token, vocabulary_token
from lmkit.text.reading import Source, TextChunk, TextReader
from lmkit.text.segmentation import without_empty, without_marks
from lmkit.text.settings import TextSettings
from lmkit.text.spelling import SpellingModel
from lmkit.text.stream import TokenStream
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import Unlearnt

BATCH_TOKENS = 500_000
"""A batch of a stream has at most so many tokens, unless one sentence alone has more."""
MOST_TOKENS_KEPT = 2_000_000
_BLOCK_CHARACTERS = 1 << 20
_PARAGRAPHS = re.compile(r"\n(?:[ \t\0]*\n)+")
_SURROGATES = re.compile("[\ud800-\udfff]")


class _Known:
    """The tokens met so far, with their ids and widths: what makes batches of text."""

    def __init__(self, settings: TextSettings, vocabulary: Any) -> None:
        self.stream = TokenStream(settings)
        self._vocabulary = vocabulary
        self._renew()

    def _renew(self) -> None:
        self._ids = GrowingArray(np.int32)
        self._widths = GrowingArray(np.int32)

    @property
    def full(self) -> bool:
        """Whether there are so many that they should be forgotten."""
        return len(self._ids) > MOST_TOKENS_KEPT

    def forget(self) -> None:
        """Begin anew; numbers got before mean nothing then."""
        self.stream.forget()
        self._renew()

    def learn(self) -> None:
        """Look up the tokens that the lexicon got since last time."""
        known, tokens = len(self._ids), self.stream.lexicon.tokens
        if known == len(tokens):
            return
        new = tokens[known:]
        policy = self.stream.settings.special_tokens
        ids = self._vocabulary.ids_of([vocabulary_token(token, policy) for token in new])
        widths = self.stream.tokenizer.widths(new)
        if known == 0:
            ids[:3] = UNK, BOS, EOS
            widths[EOS] = self.stream.tokenizer.end_width
        self._ids.extend(ids)
        self._widths.extend(widths)

    def ids(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """The vocabulary's ids for lexicon numbers [n]."""
        ids: NDArray[np.int32] = self._ids.values[numbers] if len(numbers) else numbers
        return ids

    def batch(self, numbers: NDArray[np.int32]) -> Batch:
        """Whole sentences in lexicon numbers [n] as a batch."""
        ids = self.ids(numbers)
        offsets = np.concatenate(([0], np.flatnonzero(numbers == EOS) + 1))
        if not len(numbers):
            return Batch(ids, offsets, None, np.zeros(0, np.int64))
        widths = np.add.reduceat(self._widths.values[numbers], offsets[:-1], dtype=np.int64)
        widths = np.maximum(widths, 1)
        if not self.stream.settings.sentence_marks:
            inside = numbers != EOS
            numbers, ids = numbers[inside], ids[inside]
            offsets = offsets - np.arange(len(offsets))
        return Batch(ids, offsets, self._unknown(numbers, ids), widths)

    def _unknown(self, numbers: NDArray[np.int32], ids: NDArray[np.int32]) -> UnknownWords | None:
        positions = np.flatnonzero(ids == UNK)
        if not len(positions):
            return None
        distinct, types = np.unique(numbers[positions], return_inverse=True)
        tokens = self.stream.lexicon.tokens
        spellings = tuple(tokens[number] for number in distinct.tolist())
        return UnknownWords(positions, types.astype(np.int32), spellings)


class TextEncoder:
    """Encodes text as the settings say, with the ids of ``vocabulary``.

    ``vocabulary`` needs only ``ids_of`` and ``tokens[i]``. ``spelling`` may be a function
    that loads the spelling model when it is first wanted. ``errors`` is what invalid
    UTF-8 does (``"strict"`` raises `TextError`, ``"replace"`` goes on); ``replaced``
    counts what was replaced.

    Raises `UsageError` for settings whose tokenizer has not learnt yet.
    """

    def __init__(
        self,
        settings: TextSettings,
        vocabulary: Any,
        spelling: SpellingModel | Callable[[], SpellingModel | None] | None = None,
        errors: str = "strict",
    ) -> None:
        if isinstance(settings.tokenizer, Unlearnt):
            raise settings.tokenizer.error()
        self.settings = settings
        self.errors = errors
        self.replaced = 0
        self._vocabulary = vocabulary
        self._spelling = spelling
        self._known: _Known | None = None
        self._lock = Lock()

    def __reduce__(self) -> Any:
        return TextEncoder, (self.settings, self._vocabulary, self._spelling, self.errors)

    @property
    def vocabulary(self) -> Any:
        return self._vocabulary

    @property
    def tokenizer(self) -> Tokenizer:
        return self.settings.tokenizer

    @property
    def unit(self) -> str:
        """What a token is: ``word``, ``subword``, ``character`` or ``byte``."""
        return self.tokenizer.unit

    @property
    def spelling(self) -> SpellingModel | None:
        """How unknown words are spelt, where that is known."""
        if callable(self._spelling):
            self._spelling = self._spelling()
        return self._spelling

    def with_settings(
        self,
        *,
        skip_empty_lines: bool | None = None,
        segment: str | None = None,
        special_tokens: str | None = None,
        errors: str | None = None,
    ) -> TextEncoder:
        """An encoder of the same vocabulary that differs in what may differ after training."""
        given = {
            "skip_empty_lines": skip_empty_lines,
            "segment": segment,
            "special_tokens": special_tokens,
        }
        changes: Any = {name: value for name, value in given.items() if value is not None}
        return TextEncoder(
            replace(self.settings, **changes),
            self._vocabulary,
            self._spelling,
            errors=errors or self.errors,
        )

    def encode(self, lines: Sequence[str]) -> Batch:
        """One sentence a line, an empty one too (unless empty lines are skipped).

        Lines are taken as sentences whatever ``segment`` says; line ends within one are
        white space. Raises `TextError` for a literal ``<s>`` or ``</s>`` where that is an
        error, and for text that cannot be UTF-8.
        """
        known, numbers = self._numbers(lines, self.settings.skip_empty_lines)
        return known.batch(numbers)

    def encode_stream(
        self, lines: Iterable[str], extent: TextExtent | None = None
    ) -> Iterator[Batch]:
        """Batches of at most `BATCH_TOKENS`, the lines segmented as in a file; ``extent`` counts
        the text as it stands there."""
        return self._batches(self._chunks_of(lines), extent)

    def encode_file(self, path: Source, extent: TextExtent | None = None) -> Iterator[Batch]:
        """Batches of at most `BATCH_TOKENS` from a file, ``-`` or a binary stream; ``extent``
        counts the text as it stands there."""
        reader = TextReader(path, self.errors, **self.settings.reading)
        yield from self._batches(reader, extent)
        self.replaced += reader.replaced

    def encode_prompt(self, text: str) -> NDArray[np.int32]:
        """Ids of ``text``, which may have several lines: ``</s>`` behind each but the last.

        Where sentences are not lines, only an empty line ends one."""
        known, numbers = self._numbers(self.prompt_lines(text), False)
        if not self.settings.sentence_marks:
            return known.ids(numbers[numbers != EOS])
        return known.ids(numbers[:-1])

    def continued(self, prompt: str, ids: Sequence[int] | NDArray[np.integer]) -> str:
        """``prompt`` as it was typed, and the text of the ``ids`` that came after it. ``</s>`` is
        a line end (an empty line where paragraphs are sentences), but for the last one."""
        lines: list[list[int]] = [[]]
        for number in map(int, ids):
            if number == EOS:
                lines.append([])
            else:
                lines[-1].append(number)
        if len(lines) > 1 and not lines[-1]:
            lines.pop()
        first = self.with_tokens(prompt, self._texts(lines[0]))
        end = "\n\n" if self.settings.segment == "paragraph" else "\n"
        return end.join([first, *map(self.decode, lines[1:])])

    def with_tokens(self, prompt: str, tokens: Sequence[str]) -> str:
        """``prompt`` as it was typed, and ``tokens`` put together behind it."""
        last = self.prompt_lines(prompt)[-1]
        known, numbers = self._numbers([last], False)
        typed = [known.stream.lexicon.tokens[number] for number in numbers[:-1].tolist()]
        given, whole = self.tokenizer.join(typed), self.tokenizer.join([*typed, *tokens])
        if whole.startswith(given):
            rest = whole[len(given) :]
            if rest.startswith(" ") and last[-1:].isspace() and not given[-1:].isspace():
                rest = rest[1:]
            whole = last + rest
        return prompt.removesuffix(last) + whole

    def prompt_lines(self, text: str) -> list[str]:
        """The sentences of ``text`` that `encode_prompt` sees; the last one may have just begun."""
        if not self.settings.reading["only_lf"]:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text.split("\n") if self.settings.segment == "line" else _PARAGRAPHS.split(text)

    def decode(self, ids: Sequence[int] | NDArray[np.integer]) -> str:
        """The text of ``ids``; ``<s>`` and ``</s>`` say nothing."""
        return self.tokenizer.join(self._texts(ids))

    def _texts(self, ids: Sequence[int] | NDArray[np.integer]) -> list[str]:
        tokens, policy = self._vocabulary.tokens, self.settings.special_tokens
        return [text_token(tokens[n], policy) for n in map(int, ids) if n not in (BOS, EOS)]

    def spelling_log_probs(self, spellings: Sequence[str]) -> NDArray[np.float64] | None:
        """log p(spelling | unknown word) [n], natural; None where there is no such model."""
        return None if self.spelling is None else self.spelling.log_probs(spellings)

    def _numbers(self, lines: Sequence[str], skip_empty: bool) -> tuple[_Known, NDArray[np.int32]]:
        """The lexicon numbers of lines that are sentences, and the lexicon they are of."""
        chunk = self._chunk(lines, 1) if len(lines) else TextChunk(b"", "", 1)
        data = chunk.data
        if self.settings.special_tokens == "drop":
            data = without_marks(data, b" ")  # for each line is one sentence here
        if skip_empty:
            data = without_empty(data)
        with self._lock:
            known, self._known = self._known, None
            if known is None or known.full:
                known = _Known(self.settings, self._vocabulary)
            try:
                numbers = known.stream.numbers(data)
            except SpecialTokenError as error:
                raise known.stream.located(error, chunk) from None
            known.learn()
            self._known = known
        return known, numbers

    def _chunks_of(self, lines: Iterable[str]) -> Iterator[TextChunk]:
        """``lines`` in chunks of bounded size."""
        block: list[str] = []
        size, first = 0, 1
        for line in lines:
            block.append(line)
            size += len(line) + 1
            if size >= _BLOCK_CHARACTERS:
                yield self._chunk(block, first)
                first += len(block)
                block, size = [], 0
        if block:
            yield self._chunk(block, first)

    def _chunk(self, lines: Sequence[str], first_line: int) -> TextChunk:
        """``lines`` as the reader would give them."""
        reading = self.settings.reading
        only_lf = reading["only_lf"]
        text = "\n".join(lines) + "\n"
        if ("\r" in text and not only_lf) or text.count("\n") != len(lines):
            text = "\n".join(_one_line(line, only_lf) for line in lines) + "\n"
        try:
            data = text.encode(errors="strict" if reading["checked"] else "surrogateescape")
        except UnicodeEncodeError as error:
            if self.errors == "strict":
                number = first_line + text.count("\n", 0, error.start)
                raise TextError(
                    f"line {number} has the lone surrogate U+{ord(text[error.start]):04X}"
                    f"{_byte_behind(text[error.start])}, which is not text",
                    "text that is valid UTF-8",
                ) from None
            text, count = _SURROGATES.subn("\N{REPLACEMENT CHARACTER}", text)
            self.replaced += count
            data = text.encode()
        return TextChunk(data, "", first_line)

    def _batches(
        self, chunks: Iterable[TextChunk], extent: TextExtent | None = None
    ) -> Iterator[Batch]:
        if extent is not None:
            chunks = extent.counting(chunks)
        # A lexicon of its own, which nothing else can change or forget between two batches.
        known = _Known(self.settings, self._vocabulary)
        for numbers in known.stream.of_chunks(chunks):
            known.learn()
            yield from map(known.batch, _bounded(numbers))
            if known.full:
                known.forget()


def _byte_behind(surrogate: str) -> str:
    """What a lone surrogate stands for where bytes were read that are no UTF-8 (PEP 383)."""
    byte = ord(surrogate) - 0xDC00
    return f" for the byte 0x{byte:02x}" if 0x80 <= byte <= 0xFF else ""


def _one_line(line: str, only_lf: bool = False) -> str:
    """``line`` without its line end, others within it as spaces."""
    if not only_lf:
        line = line.replace("\r\n", "\n").replace("\r", "\n")
    return line.removesuffix("\n").replace("\n", " ")


def _bounded(numbers: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """``numbers`` in parts of whole sentences, of at most `BATCH_TOKENS` where possible."""
    if len(numbers) <= BATCH_TOKENS:
        yield numbers
        return
    ends = np.flatnonzero(numbers == EOS) + 1
    start = 0
    while start < len(numbers):
        fits = int(np.searchsorted(ends, start + BATCH_TOKENS, side="right"))
        first = int(np.searchsorted(ends, start, side="right"))
        stop = int(ends[max(fits - 1, first)])
        yield numbers[start:stop]
        start = stop
