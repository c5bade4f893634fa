"""BPE as the files of others mean it: over characters, with what they say of unknown ones.

The packages ``tokenizers``, ``tiktoken`` and ``sentencepiece`` all merge in one way: of the
neighbours that make a token, those of the best rank, leftmost first, one pair at a time. They
differ in what a rank belongs to. In ``merges.txt`` it is a pair of tokens; in tiktoken's and
sentencepiece's files it is the token that two neighbours spell, however it is divided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, groupby

import numpy as np

from lmkit.errors import FormatError, TextError, one_line
from lmkit.text.subwords.bpe_encoding import LONG, Rounds, merge_by_heap
from lmkit.text.subwords.parts import REWRITE

_FEW = 64
"""So few sequences are quicker one by one."""


class Merges:
    """Which neighbours become which token, and in what order.

    ``ranks`` and ``made`` are those of `lmkit.text.subwords.bpe_encoding.merge_by_heap`.
    """

    def __init__(self) -> None:
        self.ranks: dict[int, int] = {}
        self.made: dict[int, int] = {}

    def add(self, left: int, right: int, rank: int, made: int) -> None:
        """``left`` with ``right`` becomes ``made``; of two such the later one counts."""
        pair = left << 32 | right
        self.ranks[pair] = rank
        self.made[pair] = made

    def __call__(self, ids: Iterable[int]) -> list[int]:
        """``ids`` after all merges."""
        tokens = list(ids)
        return merge_by_heap(tokens, self.ranks, self.made) if len(tokens) > 1 else tokens

    def many(self, sequences: Sequence[Sequence[int]]) -> list[list[int]]:
        """Each of ``sequences`` after all merges."""
        rounds = self._rounds
        sizes = np.fromiter(map(len, sequences), np.int64, len(sequences))
        if rounds is None or len(sequences) < _FEW:
            return list(map(self, sequences))
        symbols = np.fromiter(chain.from_iterable(sequences), np.int32, int(sizes.sum()))
        room, lengths = rounds.merged(symbols, sizes)
        flat, begins = room.tolist(), (np.cumsum(sizes) - sizes).tolist()
        return [
            self(sequence) if len(sequence) > LONG else flat[begin : begin + length]
            for sequence, begin, length in zip(sequences, begins, lengths.tolist(), strict=True)
        ]

    @cached_property
    def _rounds(self) -> Rounds | None:
        """None where one rank has two tokens, as equal scores do."""
        made_by = {rank: self.made[pair] for pair, rank in self.ranks.items()}
        alike = all(made_by[rank] == self.made[pair] for pair, rank in self.ranks.items())
        return Rounds(self.ranks, self.made) if alike else None


def merges_of_pairs(
    pairs: Sequence[Sequence[str]], ids: Mapping[str, int], prefix: str = ""
) -> Merges:
    """The merges of a list of pairs, best first. ``prefix`` marks tokens inside a word and is not
    repeated inside a merged one.

    Raises `FormatError` for a pair of which one token, or what both make, has no id.
    """
    merges = Merges()
    for rank, (left, right) in enumerate(pairs):
        made = left + right[len(prefix) :]
        for token in (left, right, made):
            if token not in ids:
                raise FormatError(
                    f"merge {rank + 1} of the tokenizer, {one_line(left)!r} with"
                    f" {one_line(right)!r}, needs the token {one_line(token)!r}, which is not in"
                    " its vocabulary",
                    REWRITE,
                )
        merges.add(ids[left], ids[right], rank, ids[made])
    return merges


def merges_of_ranks(ranks: Mapping[str, int], ids: Mapping[str, int]) -> Merges:
    """The merges of tokens that each have a rank, whichever two parts they are made of. ``ids``
    are those of the tokens and of single characters that are none."""
    merges = Merges()
    for token, rank in ranks.items():
        for cut in range(1, len(token)):
            left, right = ids.get(token[:cut]), ids.get(token[cut:])
            if left is not None and right is not None:
                merges.add(left, right, rank, ids[token])
    return merges


class ForeignBpe:
    """What turns a piece of text into ids, with the options of a ``tokenizer.json``.

    ``ids`` are those of the vocabulary. Where a character has none, its bytes stand for it
    (``byte_fallback``), else ``unknown``, once for several of them in a row if ``fuse_unknown``;
    with neither it is left out, as in the package ``tokenizers``. ``whole``: a piece that is a
    token is that token, whatever the merges say.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        merges: Merges,
        *,
        unknown: int | None = None,
        fuse_unknown: bool = False,
        byte_fallback: bool = False,
        whole: bool = False,
        prefix: str = "",
        suffix: str = "",
    ) -> None:
        self._ids = ids
        self._merges = merges
        self._unknown = unknown
        self._fuse = fuse_unknown
        self._bytes = [ids.get(f"<0x{byte:02X}>") for byte in range(256)] if byte_fallback else None
        self._whole = whole
        self._prefix, self._suffix = prefix, suffix

    @property
    def leaves_out(self) -> bool:
        """Whether there are characters that are left out, so that what stood on both sides of one
        may be merged: the end of a word with the mark of the next."""
        return self._unknown is None and (self._bytes is None or None in self._bytes)

    def encode(self, piece: str) -> list[int]:
        """The ids of ``piece``."""
        if self._whole and (found := self._ids.get(piece)) is not None:
            return [found]
        return self._merges(self._initial(piece))

    def encode_many(self, pieces: Sequence[str]) -> list[list[int]]:
        """The ids of each of ``pieces``."""
        whole = self._ids if self._whole else {}
        return self._merges.many(
            [
                self._initial(piece) if (found := whole.get(piece)) is None else [found]
                for piece in pieces
            ]
        )

    def _initial(self, piece: str) -> list[int]:
        symbols = self._symbols(piece)
        try:
            return [self._ids[symbol] for symbol in symbols]
        except KeyError:
            return self._with_unknown(symbols)

    def _symbols(self, piece: str) -> Sequence[str]:
        if not (self._prefix or self._suffix):
            return piece
        symbols = [piece[:1], *(self._prefix + letter for letter in piece[1:])]
        return [*symbols[:-1], symbols[-1] + self._suffix]

    def unknown_texts(self, piece: str) -> list[str]:
        """What each unknown id in the result of `encode` stands for."""
        texts: list[str] = []
        open_ = False
        for letter, symbol in zip(piece, self._symbols(piece), strict=True):
            if symbol in self._ids:
                open_ = False
            elif fallback(symbol, self._bytes) is None:
                if open_ and self._fuse:
                    texts[-1] += letter
                else:
                    texts.append(letter)
                open_ = True
        return texts

    def _with_unknown(self, symbols: Sequence[str]) -> list[int]:
        result: list[int] = []
        pending: int | None = None
        for symbol in symbols:
            found = self._ids.get(symbol)
            if found is None:
                if (of_bytes := fallback(symbol, self._bytes)) is not None:
                    result += of_bytes
                elif self._unknown is not None:
                    if pending is not None and not self._fuse:
                        result.append(pending)
                    pending = self._unknown
                continue
            if pending is not None:
                result.append(pending)
                pending = None
            result.append(found)
        return result if pending is None else [*result, pending]


def fallback(text: str, of_bytes: Sequence[int | None] | None) -> list[int] | None:
    """The ids of the bytes of ``text``; None if one has none."""
    if of_bytes is None:
        return None
    found = [of_bytes[byte] for byte in text.encode()]
    return None if None in found else found  # type: ignore[return-value]


class SymbolBpe:
    """BPE of a sentencepiece model: ``symbols`` are found first, the longest, and never merged.

    A character that is no token stands for its bytes (``of_bytes`` has their ids), or is
    ``unknown``: once for several in a row.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        merges: Merges,
        symbols: Sequence[str],
        unknown: int,
        of_bytes: Sequence[int | None] | None,
    ) -> None:
        longest = sorted(symbols, key=lambda one: len(one.encode()), reverse=True)
        self._symbols = re.compile("|".join([*map(re.escape, longest), "(?s:.)"]))
        self._ids = ids
        self._merges = merges
        self._unknown = unknown
        self._bytes = of_bytes

    def encode(self, piece: str) -> list[int]:
        """The ids of ``piece``."""
        return self._ids_of(self._merged(piece))

    def encode_many(self, pieces: Sequence[str]) -> list[list[int]]:
        """The ids of each of ``pieces``."""
        return list(map(self._ids_of, self._merges.many(list(map(self._initial, pieces)))))

    def _ids_of(self, merged: list[int]) -> list[int]:
        if max(merged, default=0) < NO_TOKEN:
            return merged
        result: list[int] = []
        was_unknown = False
        for one in merged:
            is_token = one < NO_TOKEN
            of_bytes = None if is_token else fallback(chr(one - NO_TOKEN), self._bytes)
            if of_bytes is not None:
                result += of_bytes
            elif is_token or not was_unknown:
                result.append(one if is_token else self._unknown)
            was_unknown = not is_token and of_bytes is None
        return result

    def unknown_texts(self, piece: str) -> list[str]:
        """What each unknown id in the result of `encode` stands for."""
        merged = self._merged(piece)
        runs = groupby(merged, key=lambda one: one >= NO_TOKEN)
        texts = ["".join(chr(one - NO_TOKEN) for one in run) for none, run in runs if none]
        return texts if self._bytes is None else []

    def _merged(self, piece: str) -> list[int]:
        return self._merges(self._initial(piece))

    def _initial(self, piece: str) -> list[int]:
        # A character without an id is a number of its own.
        ids, symbols = self._ids, self._symbols.findall(piece)
        return [ids.get(symbol, NO_TOKEN + ord(symbol[0])) for symbol in symbols]


NO_TOKEN = 1 << 30
"""`NO_TOKEN` and its code point is the number of a character that is no token."""


class ByWords:
    """A BPE encoder that is given each distinct word once, where no token goes on into the next.

    A word begins at a ``▁`` that no other one stands before.
    """

    MOST = 1 << 18

    def __init__(self, encoder: ForeignBpe | SymbolBpe) -> None:
        self._encoder = encoder
        self._ids: dict[str, list[int]] = {}
        self.unknown_texts = encoder.unknown_texts
        self.encode_many = encoder.encode_many

    @staticmethod
    def may(tokens: Iterable[str]) -> bool:
        """Whether none of ``tokens`` reaches into a next word, and the mark is one of them."""
        tokens = frozenset(tokens)
        return SPACE in tokens and not any(map(_ACROSS.search, tokens))

    def encode(self, piece: str) -> list[int]:
        """The ids of ``piece``."""
        known, result = self._ids, []
        for word in _WORDS.findall(piece):
            ids = known.get(word)
            if ids is None:
                if len(known) >= self.MOST:
                    known.clear()
                ids = known[word] = self._encoder.encode(word)
            result += ids
        return result


SPACE = "▁"
_WORDS = re.compile(f"{SPACE}*[^{SPACE}]+|{SPACE}+")
_ACROSS = re.compile(f"[^{SPACE}]{SPACE}")


def unknown_text(text: str) -> TextError:
    """The error for a text that a tokenizer without an unknown token cannot write."""
    return TextError(
        f"the tokenizer has no token for {one_line(text)!r}, and none for the unknown",
        "text in the characters of the tokenizer, or a tokenizer with an unknown token",
    )
