"""Distinct pieces of text: counted once for training, remembered in use.

Words repeat (Zipf), so that what is slow for one piece is done once for each distinct piece. The
text itself is only looked at by whole arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from lmkit.text.growing import GrowingArray, gather
from lmkit.text.subwords.hashing import IntegerTable
from lmkit.text.subwords.patterns import LINE_END, Splitter

MOST_BYTES = 32 << 20
"""Bytes of distinct pieces that `PieceCache` holds, about, and `count_pieces`."""
MOST_PIECES = 2_000_000

Offsets = NDArray[np.int64]
Encode = Callable[[Sequence[bytes]], tuple[NDArray[np.int32], Offsets]]
"""From pieces [n] to their numbers, concatenated, and how many numbers each piece has [n]."""


class DistinctPieces:
    """Distinct pieces, numbered as they are met. ``all`` has them by their numbers; ``bytes`` is
    how long they are together.

    A piece of up to seven bytes is an integer: its bytes, and its length in the last byte. Those,
    nine out of ten in English, are numbered for whole arrays, the longer ones by a dictionary.
    """

    _SHORT = 7
    _SAMPLE = 1 << 14

    def __init__(self) -> None:
        self.all: list[bytes] = []
        self.bytes = 0
        self._short = IntegerTable()
        self._long: dict[bytes, int] = {}

    def numbers(self, text: bytes, starts: Offsets, learn: bool = True) -> Offsets:
        """The number of each piece of ``text`` [n]; they begin at ``starts`` [n]. New ones get the
        next numbers in the order of the text, or -1 each if there is nothing to ``learn``."""
        stops = np.append(starts[1:], len(text))
        numbers = self._known(text, starts, stops)
        sample = self._SAMPLE
        unseen = np.flatnonzero(numbers < 0)
        # Nearly all new pieces are among the first few: those go by the dictionary alone.
        while learn and len(unseen):
            some = unseen[:sample]
            self._add(list(dict.fromkeys(_slices(text, starts[some], stops[some]))))
            numbers[unseen] = self._known(text, starts[unseen], stops[unseen])
            unseen = unseen[numbers[unseen] < 0]
            sample *= 4
        return numbers

    def _known(self, text: bytes, starts: Offsets, stops: Offsets) -> Offsets:
        numbers = np.empty(len(starts), np.int64)
        lengths = stops - starts
        is_short = lengths <= self._SHORT
        short, long = np.flatnonzero(is_short), np.flatnonzero(~is_short)
        # Eight bytes from every place of the text on, as integers that overlap.
        eights = np.ndarray((len(text),), "<i8", text + bytes(8), strides=(1,))
        lengths = lengths[short]
        keys = eights[starts[short]] & ((np.int64(1) << (8 * lengths)) - 1)
        numbers[short] = self._short.get(keys | (lengths << 56))
        pieces = _slices(text, starts[long], stops[long])
        numbers[long] = np.fromiter(map(self._long.get, pieces, repeat(-1)), np.int64, len(long))
        return numbers

    def _add(self, pieces: list[bytes]) -> None:
        """Number ``pieces``, which are distinct and new."""
        keys, given = [], []
        for number, piece in enumerate(pieces, len(self.all)):
            if len(piece) <= self._SHORT:
                keys.append(int.from_bytes(piece, "little") | len(piece) << 56)
                given.append(number)
            else:
                self._long[piece] = number
        self._short.put(np.array(keys, np.int64), np.array(given, np.int32))
        self.all += pieces
        self.bytes += sum(map(len, pieces))


def _slices(text: bytes, starts: Offsets, stops: Offsets) -> Iterator[bytes]:
    return map(text.__getitem__, map(slice, starts.tolist(), stops.tolist()))


def count_pieces(
    chunks: Iterable[bytes],
    splitter: Splitter,
    *,
    most_bytes: int = MOST_BYTES,
    specials: bool = False,
) -> dict[bytes, int]:
    """How often each distinct piece stands in ``chunks`` of whole lines; line ends are none, and
    special tokens only with ``specials``.

    Pieces come in the order of their bytes. Memory is bounded: once there are
    ``most_bytes`` of distinct pieces, what is new from then on is not counted.
    """
    distinct = DistinctPieces()
    counts = GrowingArray(np.int64)
    for chunk in chunks:
        for text in splitter.slices(chunk):
            if text:
                learn = distinct.bytes < most_bytes
                numbers = distinct.numbers(text, splitter.line_starts(text), learn)
                counts.add(np.bincount(numbers if learn else numbers[numbers >= 0]))
    counted = dict(zip(distinct.all, counts.values.tolist(), strict=True))
    for piece in (LINE_END, *(() if specials else splitter.specials)):
        counted.pop(piece, None)
    return dict(sorted(counted.items()))


class PieceCache:
    """The numbers of pieces, each distinct one encoded once.

    `LINE_END` has the one number ``line_end`` where that is given, else it is a piece as any other.
    What is held is bounded: all is forgotten once it is too much.

    Piece ``i`` has the numbers ``_numbers[_starts[i]:_starts[i + 1]]``.
    """

    def __init__(self, encode: Encode, line_end: int | None = None) -> None:
        self._encode = encode
        self._line_end = line_end
        self.forget()

    def forget(self) -> None:
        """Start anew."""
        self._distinct = DistinctPieces()
        self._numbers = GrowingArray(np.int32)
        self._starts = GrowingArray(np.int64, [0])
        if self._line_end is not None:
            self._distinct.numbers(LINE_END, np.zeros(1, np.int64))
            self._numbers.extend([self._line_end])
            self._starts.extend([1])

    def __call__(self, pieces: Sequence[bytes]) -> NDArray[np.int32]:
        """The numbers of all ``pieces``, concatenated."""
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        return self.of(b"".join(pieces), np.cumsum(lengths) - lengths)

    def of_lines(self, text: bytes, splitter: Splitter) -> NDArray[np.int32]:
        """The numbers of all pieces of whole lines, concatenated."""
        slices = [
            self.of(part, splitter.line_starts(part)) for part in splitter.slices(text) if part
        ]
        return slices[0] if len(slices) == 1 else np.concatenate([np.zeros(0, np.int32), *slices])

    def of(self, text: bytes, starts: Offsets) -> NDArray[np.int32]:
        """The numbers of the pieces of ``text`` that begin at ``starts`` [n], concatenated."""
        return self.counted(text, starts)[0]

    def counted(self, text: bytes, starts: Offsets) -> tuple[NDArray[np.int32], Offsets]:
        """The same, and how many numbers each piece has [n]."""
        if self._distinct.bytes > MOST_BYTES or len(self._distinct.all) > MOST_PIECES:
            self.forget()
        known = len(self._distinct.all)
        which = self._distinct.numbers(text, starts)
        if new := self._distinct.all[known:]:
            numbers, lengths = self._encode(new)
            self._starts.extend(len(self._numbers) + np.cumsum(lengths))
            self._numbers.extend(numbers)
        begins, ends = self._starts.values[which], self._starts.values[which + 1]
        return gather(self._numbers.values, begins, ends), ends - begins
