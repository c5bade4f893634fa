"""The training text: read once, as ids, with its vocabulary and spelling model.

If the tokenizer is to be learnt from it, the text is kept while that is done, and is then cut up:
standard input, which comes but once, will do.

Ids are kept in chunks of some megabytes in memory, or, where memory is bounded, in an
unlinked temporary file. While the text is read they are the lexicon's numbers, which
count distinct tokens as they are first seen; the vocabulary's ids come of them by a table
when the chunks are asked for (for a whole vocabulary they are the same).
"""

from __future__ import annotations

import tempfile
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lmkit.errors import TextError, UsageError
from lmkit.model import EOS, UNK
from lmkit.remarks import remark
from lmkit.text.encoder import TextEncoder
from lmkit.text.growing import GrowingArray
from lmkit.text.lexicon import vocabulary_token
from lmkit.text.reading import CHUNK_BYTES, Progress, Source, TextReader
from lmkit.text.settings import TextSettings
from lmkit.text.spelling import SpellingModel
from lmkit.text.stream import TokenStream
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import Unlearnt
from lmkit.text.vocabulary import Vocabulary, build_vocabulary

ENOUGH_WORDS = 100
"""Where fewer words than this stand in the text once, rarer words than others do as well
to show how unknown ones are spelt."""


class Corpus:
    """A text to train on. Made by `build_corpus`.

    ``sentences``, ``tokens`` (with each ``</s>``) and ``characters`` (of the reference text)
    are its sizes; ``sha256`` is of the raw bytes of its ``sources`` (names); ``replaced`` is
    how many invalid sequences of bytes were replaced.
    """

    def __init__(
        self,
        settings: TextSettings,
        vocabulary: Vocabulary,
        spelling: SpellingModel,
        *,
        sentences: int,
        characters: int,
        reader: TextReader,
        kept: _Kept,
        ids: NDArray[np.int32] | None,
    ) -> None:
        self.settings = settings
        self.vocabulary = vocabulary
        self.spelling = spelling
        self.encoder = TextEncoder(settings, vocabulary, spelling, errors=reader.errors)
        self.sentences = sentences
        self.tokens = kept.tokens
        self.characters = characters
        self.sha256 = reader.sha256
        self.sources = reader.names
        self.replaced = reader.replaced
        self._kept = kept
        self._ids = ids

    def chunks(self) -> Iterator[NDArray[np.int32]]:
        """All ids, in order, each sentence with its ``</s>`` and without ``<s>``; every chunk
        ends at a sentence's end. May be asked for again and again."""
        for numbers in self._kept:
            yield numbers if self._ids is None else self._ids[numbers]


class _Kept:
    """Arrays of numbers, kept in memory or, for ``on_disk``, in an unlinked file."""

    def __init__(self, on_disk: bool, dtype: DTypeLike = np.int32) -> None:
        self.tokens = 0
        self._dtype = np.dtype(dtype)
        self._sizes: list[int] = []
        self._arrays: list[NDArray[Any]] = []
        self._file: IO[bytes] | None = None
        if on_disk:
            with _Spilling():
                self._file = tempfile.TemporaryFile(prefix="lmkit-")
            weakref.finalize(self, self._file.close)

    def append(self, numbers: NDArray[Any]) -> None:
        self.tokens += len(numbers)
        if self._file is None:
            self._arrays.append(numbers)
            return
        self._sizes.append(len(numbers))
        with _Spilling():
            self._file.write(numbers.data)
            self._file.flush()

    def __iter__(self) -> Iterator[NDArray[Any]]:
        yield from self._arrays
        start, width = 0, self._dtype.itemsize
        for size in self._sizes:
            assert self._file is not None
            with _Spilling():
                self._file.seek(width * start)
                numbers = np.frombuffer(self._file.read(width * size), self._dtype)
            yield numbers
            start += size


class _Spilling:
    """Turns trouble with the temporary file into one clear error."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise TextError(
                f"cannot keep the text in a temporary file: {error.strerror or error}".lower(),
                "another directory for temporary files (TMPDIR), or more --memory",
            ) from error


def build_corpus(
    sources: Source | Sequence[Source],
    settings: TextSettings,
    *,
    min_count: int = 1,
    vocabulary_size: int | None = None,
    vocabulary: Sequence[str] | None = None,
    base: Vocabulary | None = None,
    errors: str = "strict",
    memory: int | None = None,
    progress: Progress | None = None,
    learning: Progress | None = None,
) -> Corpus:
    """Read ``sources`` (paths, ``-``, or binary streams), one after the other.

    The vocabulary is whole, or limited as `lmkit.text.vocabulary.build_vocabulary` says, by
    ``min_count``, ``vocabulary_size``, or the word list ``vocabulary``; ``base`` is the
    vocabulary of a model that the text is added to. ``memory`` (bytes) keeps ids out of
    memory. ``progress`` is called with the bytes read and the bytes there are, or None,
    ``learning`` as `lmkit.text.tokenizers.base.Tokenizer.learn` calls its own.

    A tokenizer that has learnt nothing yet learns from the text; the settings of the corpus have
    the one that did. The vocabulary of such a tokenizer is all tokens that it can give, seen or
    not, and is not limited.

    Raises `TextError` for text that cannot be read, is empty, or has what it must not have, and
    `UsageError` for limits of a vocabulary that cannot be.
    """
    chunk_bytes = CHUNK_BYTES
    if memory is not None:
        chunk_bytes = min(max(memory // 64, 1 << 16), CHUNK_BYTES)
    reader = TextReader(
        sources, errors, chunk_bytes=chunk_bytes, progress=progress, **settings.reading
    )
    if not reader.sources:
        raise UsageError("there is no text to read", "giving a file, or - for standard input")
    if settings.tokenizer.learns or settings.tokenizer.vocabulary is not None:
        _require_whole(settings.tokenizer, min_count, vocabulary_size, vocabulary)
    read: Iterable[NDArray[np.int32]]
    if isinstance(settings.tokenizer, Unlearnt):
        settings, text = learnt_from(settings, reader, memory is not None, learning)
        stream = TokenStream(settings, prepared=True)
        read = (stream.numbers(sentences.tobytes()) for sentences in text)
    else:
        stream = TokenStream(settings)
        read = stream.of_chunks(reader)
    if base is None and settings.tokenizer.vocabulary is not None:
        vocabulary = settings.tokenizer.vocabulary
    kept = _Kept(memory is not None)
    totals = GrowingArray(np.int64)
    empty = 0
    for numbers in read:
        kept.append(numbers)
        totals.add(np.bincount(numbers, minlength=len(stream.lexicon)))
        ends = np.flatnonzero(numbers == EOS)
        empty += int((np.diff(ends, prepend=-1) == 1).sum())
    counts = totals.values
    if kept.tokens == (int(counts[EOS]) if len(counts) else 0):
        raise TextError(f"the text is empty: {', '.join(reader.names)}", "a file with words in it")
    tokens = [vocabulary_token(token, settings.special_tokens) for token in stream.lexicon.tokens]
    tokens[1], tokens[2] = "<s>", "</s>"
    built, ids = build_vocabulary(
        tokens,
        counts,
        min_count=min_count,
        vocabulary_size=vocabulary_size,
        words=vocabulary,
        base=base,
    )
    widths = stream.tokenizer.widths(stream.lexicon.tokens).astype(np.int64)
    widths[EOS] = stream.tokenizer.end_width
    return Corpus(
        settings,
        built,
        spelling_of_rare(stream.lexicon.tokens, counts, int(built.counts[UNK])),
        sentences=int(counts[EOS]),
        characters=int(counts @ widths) + (empty if not stream.tokenizer.end_width else 0),
        reader=reader,
        kept=kept,
        ids=ids,
    )


def _require_whole(
    tokenizer: Tokenizer,
    min_count: int,
    vocabulary_size: int | None,
    vocabulary: Sequence[str] | None,
) -> None:
    limits = {
        "min-count": min_count != 1,
        "vocabulary-size": vocabulary_size is not None,
        "vocabulary": vocabulary is not None,
    }
    if given := [name for name, there in limits.items() if there]:
        raise UsageError(
            f"the vocabulary is that of the tokenizer {tokenizer}, all that it can give, and"
            f" {' and '.join(given)} cannot limit it",
            f"leaving out --{given[0]}, or --tokenizer-vocabulary-size, for fewer tokens",
        )


def learnt_from(
    settings: TextSettings, reader: TextReader, on_disk: bool, progress: Progress | None = None
) -> tuple[TextSettings, _Kept]:
    """``settings`` with the tokenizer that the text of ``reader`` makes, and that text as it
    gets to see it, in arrays of bytes. ``progress`` is that of learning."""
    unlearnt = settings.tokenizer
    assert isinstance(unlearnt, Unlearnt)
    text = _Kept(on_disk, np.uint8)
    empty = True

    def remembered() -> Iterator[bytes]:
        nonlocal empty
        for sentences in TokenStream(settings).prepared(reader):
            text.append(np.frombuffer(sentences, np.uint8))
            empty = empty and not sentences.strip(b"\n")
            yield sentences

    chunks = remembered()
    tokenizer = unlearnt.learnt(chunks, progress)
    deque(chunks, maxlen=0)  # what it did not ask for
    wanted, learnt = unlearnt.size, tokenizer.vocabulary
    # That a text is empty is said later, as an error.
    if not empty and wanted is not None and learnt is not None and len(learnt) < wanted:
        remark(
            f"the text is too small for {wanted:,} tokens:"
            f" the tokenizer {tokenizer} has learnt {len(learnt):,}"
        )
    return replace(settings, tokenizer=tokenizer), text


def valid_corpus(
    path: Source | None, vocabulary: Any, settings: TextSettings, errors: str = "strict"
) -> Corpus | None:
    """The held-out text in ``path`` as ids of ``vocabulary``, which it does not extend."""
    if path is None:
        return None
    fixed = Vocabulary(vocabulary.tokens, limited=True)
    return build_corpus([path], settings, base=fixed, errors=errors)


def spelling_of_rare(
    tokens: Sequence[str], counts: NDArray[np.int64], unknown: int
) -> SpellingModel:
    """The spelling model of a text's rare words: those seen once, or where these are few,
    the least frequent ones. ``unknown`` is how often ``<unk>`` stands in the text as the
    model sees it."""
    words = counts[3:]
    once = int((words == 1).sum())
    most = 1
    if once < ENOUGH_WORDS and len(words):
        most = int(np.sort(words)[:ENOUGH_WORDS][-1])
    rare = np.flatnonzero((words > 0) & (words <= most)) + 3
    literal = int(counts[UNK])
    return SpellingModel.train(
        [tokens[i] for i in rare.tolist()], literal, unknowns=unknown - literal + once
    )
