"""Subwords of a unigram language model (Kudo 2018), learnt from the text.

Tokens are pieces of words, each with a probability. A text is cut into the most probable pieces.
A space is spelt ``▁``, and what is in no piece by its bytes, ``<0xNN>``: nothing is unknown, and
no byte of a text is lost. No piece reaches across the parts that a pattern cuts a line into
(`lmkit.text.subwords.patterns`).

It is a language model itself: see `UnigramTokenizer.log_prob_of_text`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import count
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.text.growing import gather
from lmkit.text.lexicon import Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.subwords.lattice import Floats, Ints
from lmkit.text.subwords.patterns import LINE_END, Splitter, distinct, splitter
from lmkit.text.subwords.pieces import count_pieces
from lmkit.text.subwords.unigram_encoding import Segmented, Segmenter
from lmkit.text.subwords.unigram_text import (
    BYTE_TOKENS,
    RESERVED,
    SPACE,
    SPECIAL,
    bytes_of,
    spelt_special,
    symbols_of,
)
from lmkit.text.subwords.unigram_training import COVERAGE, learn_unigram
from lmkit.text.tokenizers.base import Bulk
from lmkit.text.tokenizers.subword import SubwordBulk, SubwordTokenizer

VOCABULARY_SIZE = 8000
_BYTES = len(BYTE_TOKENS)
_BYTE_NUMBERS = {token: byte for byte, token in enumerate(BYTE_TOKENS)}
_CONTINUATIONS = frozenset(BYTE_TOKENS[0x80:0xC0])


class UnigramTokenizer(SubwordTokenizer):
    """Tokens are pieces of a unigram language model.

    ``pieces`` are the whole vocabulary in its order, with natural log-probabilities: the 256 byte
    tokens, the pieces that were learnt, ``special_tokens`` (as `spelt_special` spells them).
    """

    name: ClassVar[str] = "unigram"
    tables: ClassVar[tuple[str, ...]] = ("pieces",)

    def __init__(
        self,
        pieces: Iterable[Sequence[Any]],
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (),
    ) -> None:
        self.pattern = pattern
        self.special_tokens = tuple(special_tokens)
        rows = [(str(piece), log_prob) for piece, log_prob in pieces]
        self._vocabulary = tuple(piece for piece, _ in rows)
        self._log_probs = np.array([log_prob for _, log_prob in rows], np.float64)
        self._sampling: tuple[float, np.random.Generator] | None = None
        self._check()

    def _check(self) -> None:
        tokens, last = self._vocabulary, len(self._vocabulary) - len(self.special_tokens)
        # Files of before spelt special tokens as they stand in a text.
        spellings = (tuple(map(spelt_special, self.special_tokens)), self.special_tokens)
        if tokens[:_BYTES] != BYTE_TOKENS or tokens[last:] not in spellings:
            raise UsageError("the pieces of a unigram tokenizer are not all there")
        if len(set(tokens)) < len(tokens) or not RESERVED.isdisjoint(tokens[_BYTES:]):
            raise UsageError("two tokens of a unigram tokenizer are spelt alike")
        if not (np.isfinite(self._log_probs).all() and all(tokens)):
            raise UsageError("a piece of a unigram tokenizer has no text or no probability")
        splitter(self.pattern, self.special_tokens)

    @classmethod
    def learn(  # type: ignore[override]  # its options by name
        cls,
        chunks: Iterable[bytes],
        *,
        progress: Callable[..., Any] | None = None,
        vocabulary_size: int = VOCABULARY_SIZE,
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (),
        character_coverage: float = COVERAGE,
    ) -> Self:
        """The tokenizer of ``vocabulary_size`` tokens, with the bytes and ``special_tokens``, for
        a text; of fewer if the text has not so many substrings that come twice.

        ``character_coverage`` is the share of the characters of the text that are pieces by
        themselves, the most frequent ones; the others are spelt in bytes. ``progress`` is called
        with the number of pieces that are left after each round and the number wanted.
        """
        special_tokens = distinct(special_tokens)
        cut = splitter(pattern, special_tokens)
        spelt = tuple(map(spelt_special, special_tokens))
        for token, spelling in zip(special_tokens, spelt, strict=True):
            if spelling in RESERVED:
                raise UsageError(f"{token!r} is a token already, and cannot be a special token")
        size = vocabulary_size - _BYTES - len(special_tokens)
        if size < 1:
            raise UsageError(
                f"a vocabulary of {vocabulary_size} tokens has no room for pieces beside the 256"
                f" bytes{' and the special tokens' if special_tokens else ''}",
                f"--vocabulary-size {VOCABULARY_SIZE}",
            )
        if not 0 < character_coverage <= 1:
            raise UsageError(
                f"{character_coverage} is no share of the characters", "a number such as 0.9995"
            )
        lines = 0

        def counted() -> Iterator[bytes]:
            nonlocal lines
            for chunk in chunks:
                lines += chunk.count(LINE_END)
                yield chunk

        parts = count_pieces(counted(), cut, specials=True)
        # That a line ends is the byte token of LF, which stands for nothing else.
        parts[LINE_END] = lines
        # Each special token counts once more than it is there, as all single tokens do.
        others = [1 + parts.pop(token.encode(), 0) for token in special_tokens]
        learnt = learn_unigram(
            list(parts),
            list(parts.values()),
            size,
            coverage=character_coverage,
            others=others,
            reserved=spelt,
            progress=progress,
        )
        tokens = [*BYTE_TOKENS, *learnt.pieces, *spelt]
        log_probs = (learnt.byte_log_probs, learnt.log_probs, learnt.other_log_probs)
        rows = zip(tokens, np.concatenate(log_probs).tolist(), strict=True)
        return cls(list(rows), cut.pattern, special_tokens)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self._vocabulary

    def as_dict(self) -> dict[str, Any]:
        rows = zip(self._vocabulary, self._log_probs.tolist(), strict=True)
        return {
            "name": self.name,
            "pattern": self.pattern,
            "special_tokens": list(self.special_tokens),
            "pieces": [list(row) for row in rows],
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.as_dict(), self._sampling)

    def tokenize(self, text: str) -> list[str]:
        return self._spelt(*self._segmented(self._splitter.split(_bytes(text))))

    def join(self, tokens: Sequence[str]) -> str:
        special, numbers = self._special_texts, _BYTE_NUMBERS
        return b"".join(
            bytes([numbers[token]])
            if token in numbers
            else (special.get(token) or token.replace(SPACE, " ")).encode()
            for token in tokens
        ).decode(errors="surrogateescape")

    def widths(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """How many code points begin in each of ``tokens`` [n]."""
        special, numbers = self._special_texts, _BYTE_NUMBERS
        return np.array(
            [
                token not in _CONTINUATIONS if token in numbers else len(special.get(token, token))
                for token in tokens
            ],
            np.int32,
        )

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        by_chance = self._sampling is not None
        return SubwordBulk(
            self._splitter, self._segmented, self._vocabulary, by_chance, normalize, lexicon
        )

    def with_sampling(self, alpha: float, seed: int | np.random.Generator) -> UnigramTokenizer:
        """This tokenizer, but that each part of a text is segmented by chance wherever it stands,
        as `sample` says (subword regularization, Kudo 2018): for the training of networks. It is
        equal to this one, has the same vocabulary, and is written down as this one.
        """
        _require_alpha(alpha)
        other = copy(self)
        other._sampling = (alpha, np.random.default_rng(seed))
        return other

    def sample(
        self,
        text: str,
        alpha: float,
        generator: np.random.Generator,
        n_best: int | None = None,
    ) -> list[str]:
        """The tokens of one line, drawn from all segmentations, or from the ``n_best`` most
        probable, by their probability to the power ``alpha`` (Kudo 2018, section 3.3).

        0 draws from all alike; the higher it is, the more often comes the best one.
        """
        _require_alpha(alpha)
        if n_best is None:
            return self._spelt(*self._drawn(self._splitter.split(_bytes(text)), alpha, generator))
        found = self.n_best(text, n_best)
        weights = np.array([log_prob for log_prob, _ in found]) * alpha
        weights = np.exp(weights - weights.max())
        chosen = np.searchsorted(np.cumsum(weights), generator.random() * weights.sum())
        return found[min(int(chosen), len(found) - 1)][1]

    def n_best(self, text: str, n: int) -> list[tuple[float, list[str]]]:
        """The ``n`` most probable segmentations of one line, or all if they are fewer, with their
        natural log-probabilities; the best first."""
        if n < 1:
            raise UsageError(f"there are no {n} best segmentations", "a number of 1 or more")
        found = self._segmenter.n_best(*self._symbols(self._splitter.split(_bytes(text))), n)
        return [
            (log_prob, self._spelt(*self._ids(np.array(numbers, np.int32))))
            for log_prob, numbers in found
        ]

    def log_prob(self, tokens: Sequence[str]) -> float:
        """The natural log-probability of these tokens of the vocabulary: the sum of theirs."""
        try:
            return math.fsum(self._log_probs[self._id_of[token]] for token in tokens)
        except KeyError as error:
            raise UsageError(f"{error.args[0]!r} is no token of this tokenizer") from None

    def log_prob_of_text(self, text: str | bytes) -> float:
        """The natural log-probability of a text: of all its segmentations together. A line end is
        the token ``<0x0A>``."""
        data = _bytes(text) if isinstance(text, str) else text
        counts = count_pieces([data], self._splitter, most_bytes=len(data) + 1, specials=True)
        counts[LINE_END] = data.count(LINE_END)
        log_probs = self._segmenter.log_probs(*self._symbols(list(counts)))
        return math.fsum(log_probs * np.array(list(counts.values())))

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self._vocabulary)}

    @cached_property
    def _splitter(self) -> Splitter:
        return splitter(self.pattern, self.special_tokens)

    @cached_property
    def _segmenter(self) -> Segmenter:
        last = len(self._vocabulary) - len(self.special_tokens)
        return Segmenter(
            self._vocabulary[_BYTES:last], self._log_probs[_BYTES:last], self._unknown_log_probs
        )

    @cached_property
    def _special_texts(self) -> dict[str, str]:
        """From special tokens to the text that they stand for."""
        last = len(self._vocabulary) - len(self.special_tokens)
        return dict(zip(self._vocabulary[last:], self.special_tokens, strict=True))

    @cached_property
    def _special(self) -> dict[bytes, int]:
        return {token.encode(): number for number, token in enumerate(self.special_tokens)}

    def _unknown_log_probs(self, symbols: NDArray[np.integer]) -> Floats:
        """The log-probability of each of ``symbols`` [n] that are no pieces."""
        return np.array([self._log_probs[self._spelling(s)].sum() for s in symbols.tolist()])

    def _spelling(self, symbol: int) -> list[int]:
        """The ids of the tokens of a symbol that is no piece."""
        if symbol >= SPECIAL:
            return [len(self._vocabulary) - len(self.special_tokens) + symbol - SPECIAL]
        return list(bytes_of(symbol))

    def _symbols(self, parts: Sequence[bytes]) -> tuple[Ints, Ints]:
        return symbols_of(parts, self._special)

    def _ids(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], Ints]:
        """The ids of tokens with the ``numbers`` [n] of the segmenter, concatenated, and how many
        each number has [n]."""
        lengths = np.ones(len(numbers), np.int64)
        ids = numbers + np.int32(_BYTES)
        unknown = np.flatnonzero(numbers < 0)
        if not len(unknown):
            return ids, lengths
        distinct, which = np.unique(-1 - numbers[unknown], return_inverse=True)
        spellings = [self._spelling(symbol) for symbol in distinct.tolist()]
        many = np.array([len(spelling) for spelling in spellings])
        flat = np.concatenate([ids, *spellings]).astype(np.int32)
        starts = np.arange(len(ids))
        starts[unknown] = (len(ids) + np.cumsum(many) - many)[which]
        lengths[unknown] = many[which]
        return gather(flat, starts, starts + lengths), lengths

    def _of_parts(self, segmented: Segmented) -> Segmented:
        """Ids in place of numbers."""
        numbers, counts = segmented
        ids, lengths = self._ids(numbers)
        before = np.concatenate([[0], np.cumsum(lengths)])
        ends = np.cumsum(counts)
        return ids, before[ends] - before[ends - counts]

    def _segmented(self, parts: Sequence[bytes]) -> Segmented:
        """The ids of the tokens of ``parts`` [n] of a text, and how many each has [n]."""
        if self._sampling is not None:
            return self._drawn(parts, *self._sampling)
        return self._of_parts(self._segmenter.best(*self._symbols(parts)))

    def _drawn(
        self, parts: Sequence[bytes], alpha: float, generator: np.random.Generator
    ) -> Segmented:
        numbers: defaultdict[bytes, int] = defaultdict(count().__next__)
        which = np.fromiter(map(numbers.__getitem__, parts), np.int64, len(parts))
        symbols = self._symbols(list(numbers))
        return self._of_parts(self._segmenter.sample(*symbols, alpha, generator, which))

    def _spelt(self, ids: NDArray[np.int32], _: Ints) -> list[str]:
        return [self._vocabulary[number] for number in ids.tolist()]


def _again(
    values: Mapping[str, Any], sampling: tuple[float, np.random.Generator] | None
) -> UnigramTokenizer:
    tokenizer = UnigramTokenizer.from_dict(values)
    tokenizer._sampling = sampling
    return tokenizer


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _require_alpha(alpha: float) -> None:
    if not 0 <= alpha < math.inf:
        raise UsageError(
            f"segmentations cannot be drawn with alpha {alpha}", "a number such as 0.1"
        )
