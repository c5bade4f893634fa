"""What a tokenizer is, and how whole texts are driven through one.

A tokenizer is a value. It names its unit, cuts one line into tokens (`Tokenizer.tokenize`) and
puts tokens together again (`Tokenizer.join`). That is enough for a new one. One that is learnt
from a text (`Tokenizer.learn`) can be written down (`Tokenizer.as_dict`) and names every token
that it can give (`Tokenizer.vocabulary`). Large texts go through a `Bulk`, which `Tokenizer.bulk`
makes: the three here keep Python's loop off the tokens, each where its tokenizer allows it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import EOS
from lmkit.text.growing import GrowingArray, gather
from lmkit.text.lexicon import LINE_END, Lexicon, newest
from lmkit.text.normalization import Normalizer


class Bulk(Protocol):
    """A text on its way through a tokenizer."""

    def __call__(self, text: bytes) -> NDArray[np.int32]:
        """The lexicon's number of every token of ``text`` [n]. ``text`` is UTF-8 and holds
        whole lines; each LF is an end of sentence."""


class Tokenizer(ABC):
    """Cuts a line into tokens. Two are equal if they are written down in the same way."""

    name: ClassVar[str]
    """That of the registry."""
    unit: ClassVar[str]
    """What a token is: ``word``, ``subword``, ``character`` or ``byte``."""
    default_normalize: ClassVar[str] = "nfc"
    end_width: ClassVar[int] = 0
    """What the end of a sentence adds to the length of the reference text, beside the
    widths of its tokens. (A sentence is never shorter than 1.)"""
    keeps_spaces: ClassVar[bool] = False
    """Whether tokens hold all white space of the text, so that `join` gives the very line."""
    reads_bytes: ClassVar[bool] = False
    """Whether a text may be any bytes. Those that are not part of UTF-8 are lone surrogates in
    Python text (PEP 383), and only LF ends a line."""
    learns: ClassVar[bool] = False
    """Whether `learn` looks at the text."""
    tables: ClassVar[tuple[str, ...]] = ()
    """Those keys of `as_dict` whose lists are tables of a model file: ``merges``, with the rows
    ``[left, right]``, and ``pieces``, with the rows ``[piece, log_prob]`` (which may be None)."""

    @classmethod
    def learn(
        cls,
        chunks: Iterable[bytes],
        *,
        progress: Callable[..., Any] | None = None,
        **options: Any,
    ) -> Self:
        """The tokenizer that a text and these ``options`` make. ``chunks`` are UTF-8, or any
        bytes for one that `reads_bytes`: whole lines, each ended by LF, as normalization and
        pre-tokenization leave them. A kind that does not learn ignores them.

        Raises `UsageError` for options that the kind does not have.
        """
        return cls.from_dict(options)

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """All tokens that a text can become, by their ids minus 3 in every model. None if any
        text may bring new ones."""
        return None

    @property
    def own_ids(self) -> Sequence[int]:
        """The ids that the tokenizer itself gives the tokens of `vocabulary`: 0, 1, 2 and so on
        unless the file of another program says otherwise."""
        return range(len(self.vocabulary or ()))

    @property
    def unknown_id(self) -> int | None:
        """The id it gives a token that is not in `vocabulary`; None where it has none for it."""
        return None

    def as_dict(self) -> dict[str, Any]:
        """``name``, and all that makes this tokenizer, as JSON values."""
        return {"name": self.name}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The tokenizer that `as_dict` wrote down. Raises `UsageError` for what it does not
        understand."""
        options = {key: value for key, value in values.items() if key != "name"}
        try:
            return cls(**options)
        except TypeError as error:
            raise UsageError(
                f"the tokenizer {cls.name} cannot be made of {', '.join(options) or 'nothing'}",
                "lmkit train --help, which lists the options",
            ) from error

    def with_rules(self, rules: int) -> Tokenizer:
        """This tokenizer by the rules of that number (`lmkit.text.settings.RULES`)."""
        return self

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(self) is type(other) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((type(self), self.vocabulary))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """The tokens of one line."""

    @abstractmethod
    def join(self, tokens: Sequence[str]) -> str:
        """The line that ``tokens`` make, as a person would write it."""

    def bytes_of(self, token: str) -> bytes:
        """The bytes of text that ``token`` stands for, of a lossless tokenizer."""
        return self.join([token]).encode(errors="surrogateescape")

    def widths(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """What each of ``tokens`` [n] adds to the length of the reference text: its code
        points and the space or line end behind it."""
        return np.fromiter(map(len, tokens), np.int32, len(tokens)) + np.int32(1)

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        """What tokenizes whole texts, with the tokens of ``lexicon``."""
        return LineBulk(self, normalize, lexicon)


class PieceTokenizer(Tokenizer):
    """A tokenizer none of whose tokens holds a space, tab, CR or NUL, and which cuts what
    stands between those the same way wherever it stands."""

    @abstractmethod
    def tokenize_lines(self, text: str) -> list[str]:
        """The tokens of several lines, with `LINE_END` behind the tokens of each line."""

    def tokenize(self, text: str) -> list[str]:
        return self.tokenize_lines(text.replace("\n", " ") + "\n")[:-1]

    def bulk(self, normalize: Normalizer | None, lexicon: Lexicon) -> Bulk:
        return PieceBulk(self, normalize, lexicon)


class LineBulk:
    """Any tokenizer, a line at a time."""

    def __init__(
        self, tokenizer: Tokenizer, normalize: Normalizer | None, lexicon: Lexicon
    ) -> None:
        self._tokenizer = tokenizer
        self._normalize = normalize
        self._lexicon = lexicon

    def __call__(self, text: bytes) -> NDArray[np.int32]:
        decoded = text.decode(errors="surrogateescape")
        if self._normalize is not None:
            decoded = self._normalize(decoded)
        tokens: list[str] = []
        for line in decoded.split("\n")[:-1]:
            tokens += self._tokenizer.tokenize(line)
            tokens.append(LINE_END)
        return self._lexicon.numbers_of(tokens)


class PieceBulk:
    """A `PieceTokenizer`: each distinct piece between spaces is tokenized once.

    Pieces are numbered by a dictionary that C code drives. Piece ``i`` has the tokens
    ``_tokens[_starts[i]:_starts[i + 1]]``; piece 0 is the end of a line.
    """

    # Never part of UTF-8 text, so they can stand for what must not be mixed up with it:
    # the end of a line, and the two bytes that bytes.split() splits at but KenLM does not.
    _END = b"\xff"
    _KEPT = ((b"\x0b", b"\xfd"), (b"\x0c", b"\xfe"))
    _MOST_PIECES = 2_000_000
    _SLICE = 1 << 20

    def __init__(
        self, tokenizer: PieceTokenizer, normalize: Normalizer | None, lexicon: Lexicon
    ) -> None:
        self._tokenizer = tokenizer
        self._normalize = normalize
        self._lexicon = lexicon
        self._forget()

    def _forget(self) -> None:
        self._pieces: defaultdict[bytes, int] = defaultdict(count().__next__)
        self._pieces[self._END]
        self._tokens = GrowingArray(np.int32, [EOS])
        self._starts = GrowingArray(np.int64, [0, 1])
        self._single = True

    def __call__(self, text: bytes) -> NDArray[np.int32]:
        parts = [self._numbers(part) for part in self._slices(text)]
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int32), *parts])

    def _slices(self, text: bytes) -> Iterator[bytes]:
        """``text`` in parts of a megabyte or two, cut at spaces."""
        start = 0
        while len(text) - start > 2 * self._SLICE:
            cut = text.find(b" ", start + self._SLICE, start + 2 * self._SLICE) + 1
            if not cut:
                cut = text.find(b"\n", start + self._SLICE) + 1
            yield text[start:cut]
            start = cut
        yield text[start:] if start else text

    def _numbers(self, text: bytes) -> NDArray[np.int32]:
        if b"\x00" in text:
            text = text.replace(b"\x00", b" ")
        for byte, stand_in in self._KEPT:
            if byte in text:
                text = text.replace(byte, stand_in)
        split = text.replace(b"\n", b" \xff ").split()
        if len(self._pieces) > self._MOST_PIECES:
            self._forget()
        known = len(self._pieces)
        numbers = np.fromiter(map(self._pieces.__getitem__, split), np.int64, len(split))
        if new := newest(self._pieces, known):
            self._learn(new)
        starts, tokens = self._starts.values, self._tokens.values
        if self._single:
            return tokens[numbers]
        return gather(tokens, starts[numbers], starts[numbers + 1])

    def _learn(self, pieces: list[bytes]) -> None:
        """Tokenize new pieces, in the order in which they were numbered."""
        joined = b"\n".join(pieces)
        for byte, stand_in in self._KEPT:
            joined = joined.replace(stand_in, byte)
        text = joined.decode() + "\n"
        if self._normalize is not None:
            text = self._normalize(text)
        numbers = self._lexicon.numbers_of(self._tokenizer.tokenize_lines(text))
        ends = np.flatnonzero(numbers == EOS)
        # The tokens before the k-th end are k fewer than its position: ends are left out.
        behind = ends - np.arange(len(ends)) + len(self._tokens)
        self._single &= bool((ends == np.arange(1, 2 * len(ends), 2)).all())
        self._starts.extend(behind)
        self._tokens.extend(numbers[numbers != EOS])


class SymbolBulk(ABC):
    """A tokenizer whose tokens are single symbols, which are small integers: one look-up
    in a table for each."""

    _SAMPLE = 1 << 16

    def __init__(self, normalize: Normalizer | None, lexicon: Lexicon) -> None:
        self._normalize = normalize
        self._lexicon = lexicon
        self._table = np.full(128, -1, np.int32)
        self._table[ord("\n")] = EOS

    @abstractmethod
    def symbols(self, text: bytes) -> NDArray[np.integer]:
        """The symbols of ``text`` [n]; a line ends with 10."""

    @abstractmethod
    def token(self, symbol: int) -> str:
        """The token that ``symbol`` is."""

    def __call__(self, text: bytes) -> NDArray[np.int32]:
        if self._normalize is not None:
            decoded = text.decode(errors="surrogateescape")
            text = self._normalize(decoded).encode(errors="surrogateescape")
        symbols = self.symbols(text)
        if not len(symbols):
            return np.zeros(0, np.int32)
        largest = int(symbols.max())
        if largest >= len(self._table):
            new = np.full(largest + 1, -1, np.int32)
            new[: len(self._table)] = self._table
            self._table = new
        numbers = self._table[symbols]
        sample = self._SAMPLE
        # Nearly all new symbols are among the first few: seeing to those alone saves
        # sorting the whole text.
        while len(unseen := symbols[numbers < 0]):
            self._learn(unseen[:sample])
            numbers = self._table[symbols]
            sample *= 4
        return numbers

    def _learn(self, unseen: NDArray[np.integer]) -> None:
        distinct, first = np.unique(unseen, return_index=True)
        distinct = distinct[np.argsort(first)]
        self._table[distinct] = self._lexicon.numbers_of(list(map(self.token, distinct.tolist())))
