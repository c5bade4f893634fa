"""Byte-pair encoding over bytes (Sennrich et al. 2016; GPT-2), learnt from the text.

Tokens are strings of bytes: the 256 bytes, and what merges of the most frequent pairs make of
them. So nothing is unknown, and no byte of a text is lost. They are spelt in GPT-2's printable
characters (`lmkit.text.subwords.alphabet`): " the" is ``Ġthe``. No token reaches across the pieces
that a pattern cuts a line into (`lmkit.text.subwords.patterns`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.text.lexicon import Lexicon
from lmkit.text.normalization import Normalizer
from lmkit.text.subwords.alphabet import ORDER, spell, unspell
from lmkit.text.subwords.bpe_encoding import BpeEncoder, Dropout
from lmkit.text.subwords.bpe_training import learn_merges
from lmkit.text.subwords.patterns import distinct, splitter
from lmkit.text.subwords.pieces import count_pieces
from lmkit.text.tokenizers.base import Bulk
from lmkit.text.tokenizers.subword import SubwordBulk, SubwordTokenizer

VOCABULARY_SIZE = 8000
MIN_COUNT = 2
RESERVED = ("<unk>", "<s>", "</s>")
_TRAINING_BYTES = 8 << 20
"""Bytes of distinct pieces that are learnt from: each takes some 60 bytes of memory then."""


class BpeTokenizer(SubwordTokenizer):
    """Tokens are what ``merges`` make of bytes.

    ``merges`` are pairs of spellings, the first learnt first. ``special_tokens`` are text that is
    one token each wherever it stands. The vocabulary is the bytes in GPT-2's order, what the merges
    make, the special tokens: for GPT-2's merges, GPT-2's ids.
    """

    name: ClassVar[str] = "bpe"
    tables: ClassVar[tuple[str, ...]] = ("merges",)

    def __init__(
        self,
        merges: Iterable[Sequence[str]],
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (),
    ) -> None:
        self.pattern = pattern
        self.special_tokens = tuple(special_tokens)
        self.merges = tuple((left, right) for left, right in merges)
        self._splitter = splitter(pattern, self.special_tokens)
        self._encoder = BpeEncoder(
            [(_bytes_of(left), _bytes_of(right)) for left, right in self.merges],
            [token.encode() for token in self.special_tokens],
        )
        self._spelt = [spell(token) for token in self._encoder.tokens]
        self._vocabulary = (*(self._spelt[byte] for byte in ORDER), *self._spelt[256:])
        self._dropout: Dropout | None = None
        if reserved := sorted({*RESERVED}.intersection(self._vocabulary)):
            raise UsageError(
                f"{reserved[0]} cannot be a token of text: it is a token of every model",
                "another spelling",
            )

    @classmethod
    def learn(  # type: ignore[override]  # whose options have names
        cls,
        chunks: Iterable[bytes],
        *,
        progress: Callable[..., Any] | None = None,
        vocabulary_size: int = VOCABULARY_SIZE,
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (),
        min_count: int = MIN_COUNT,
    ) -> Self:
        """BPE of ``vocabulary_size`` tokens, of fewer if no pair is left that was seen
        ``min_count`` times.

        The 256 bytes and the special tokens are among them. ``progress`` is called with the tokens
        there are and are to be. Of pairs seen as often, that with the smaller left token is
        merged first, then that with the smaller right token, compared byte by byte. Of a text with
        more than 8 MB of distinct pieces the first such pieces are learnt from.
        """
        special_tokens = distinct(special_tokens)
        cut = splitter(pattern, special_tokens)
        given = 256 + len(set(special_tokens) - set(map(chr, range(128))))
        if vocabulary_size < given:
            raise UsageError(
                f"a vocabulary of {vocabulary_size} tokens is too small for the 256 bytes and"
                f" {given - 256} special tokens",
                f"a vocabulary size of {given} or more, such as {VOCABULARY_SIZE}",
            )
        if min_count < 1:
            raise UsageError(f"min_count cannot be {min_count}", "1 or more")
        merges = learn_merges(
            count_pieces(chunks, cut, most_bytes=_TRAINING_BYTES),
            vocabulary_size - given,
            minimum=min_count,
            forbidden={token.encode() for token in (*RESERVED, *special_tokens)},
            progress=progress and (lambda made: progress(given + made, vocabulary_size)),
        )
        return cls([(spell(a), spell(b)) for a, b in merges], pattern, special_tokens)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self._vocabulary

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pattern": self.pattern,
            "special_tokens": list(self.special_tokens),
            "merges": list(map(list, self.merges)),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.as_dict(), self._dropout)

    def with_dropout(self, probability: float, seed: int | np.random.Generator) -> BpeTokenizer:
        """This tokenizer, but that each merge is left out with ``probability``, anew wherever a
        piece stands (BPE-dropout, Provilkov et al. 2020): for the training of networks. It is
        equal to this one, has the same vocabulary, and is written down as this one.

        Raises `UsageError` for what is no probability.
        """
        other = copy(self)
        other._dropout = Dropout(probability, np.random.default_rng(seed)) if probability else None
        return other

    def tokenize(self, text: str) -> list[str]:
        pieces = self._splitter.split(text.encode(errors="surrogateescape"))
        numbers, _ = self._encoder.encode_pieces(pieces, self._dropout)
        return list(map(self._spelt.__getitem__, numbers.tolist()))

    def join(self, tokens: Sequence[str]) -> str:
        """The text of these bytes. What is no UTF-8 becomes lone surrogates, so that
        ``text.encode(errors="surrogateescape")`` gives the bytes again."""
        return b"".join(map(self.bytes_of, tokens)).decode(errors="surrogateescape")

    def bytes_of(self, token: str) -> bytes:
        """The bytes that ``token`` stands for; what spells no bytes stands for itself."""
        try:
            return unspell(token)
        except ValueError:
            return token.encode(errors="surrogateescape")

    def makes(self, pieces: Sequence[bytes]) -> bool:
        """Whether each of ``pieces`` is one token, if it is a piece of a text."""
        _, lengths = self._encoder.encode_pieces(pieces)
        return bool((lengths == 1).all())

    def widths(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """How many code points begin in each token."""
        return np.array(
            [sum(byte & 0xC0 != 0x80 for byte in self.bytes_of(token)) for token in tokens],
            np.int32,
        )

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        encode = partial(self._encoder.encode_pieces, dropout=self._dropout)
        by_chance = self._dropout is not None
        return SubwordBulk(self._splitter, encode, self._spelt, by_chance, normalize, lexicon)


def _again(values: Mapping[str, Any], dropout: Dropout | None) -> BpeTokenizer:
    tokenizer = BpeTokenizer.from_dict(values)
    tokenizer._dropout = dropout
    return tokenizer


def _bytes_of(spelling: str) -> bytes:
    try:
        return unspell(spelling)
    except ValueError as error:
        raise UsageError(
            f"{spelling!r} is no spelling of bytes: {error}", "GPT-2's printable characters"
        ) from None
