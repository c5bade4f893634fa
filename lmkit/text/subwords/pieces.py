"""Distinct pieces of text: counted once for training, remembered in use.

Words repeat (Zipf), so that what is slow for one piece is done once for each distinct piece, and
the text itself passes only through code of C: a split, a count, a dictionary.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from lmkit.text.growing import GrowingArray
from lmkit.text.lexicon import newest
from lmkit.text.subwords.patterns import LINE_END, Splitter

MOST_BYTES = 32 << 20
"""Bytes of distinct pieces that `count_pieces` and `PieceCache` hold, about."""
MOST_PIECES = 2_000_000

Encode = Callable[[Sequence[bytes]], tuple[NDArray[np.int32], NDArray[np.int64]]]
"""From pieces [n] to their numbers, concatenated, and how many numbers each piece has [n]."""


def count_pieces(
    chunks: Iterable[bytes],
    splitter: Splitter,
    *,
    most_bytes: int = MOST_BYTES,
) -> dict[bytes, int]:
    """How often each distinct piece stands in ``chunks`` of whole lines; line ends and
    special tokens are none.

    Pieces come in the order in which they are first seen. Memory is bounded: once there are
    ``most_bytes`` of distinct pieces, what is new from then on is not counted.
    """
    counts: Counter[bytes] = Counter()
    held, known = 0, 0
    for chunk in chunks:
        for part in splitter.slices(chunk):
            pieces = splitter.split_lines(part)
            if held >= most_bytes:
                pieces = [piece for piece in pieces if piece in counts]
            counts.update(pieces)
            held += sum(map(len, newest(counts, known)))
            known = len(counts)
    for piece in (LINE_END, *splitter.specials):
        counts.pop(piece, None)
    return counts


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
        self._pieces: defaultdict[bytes, int] = defaultdict(count().__next__)
        self._numbers = GrowingArray(np.int32)
        self._starts = GrowingArray(np.int64, [0])
        self._held = 0
        if self._line_end is not None:
            self._pieces[LINE_END]
            self._numbers.extend([self._line_end])
            self._starts.extend([1])

    def __call__(self, pieces: Sequence[bytes]) -> NDArray[np.int32]:
        """The numbers of all ``pieces``, concatenated."""
        if self._held > MOST_BYTES or len(self._pieces) > MOST_PIECES:
            self.forget()
        known = len(self._pieces)
        which = np.fromiter(map(self._pieces.__getitem__, pieces), np.int64, len(pieces))
        if new := newest(self._pieces, known):
            numbers, lengths = self._encode(new)
            self._starts.extend(len(self._numbers) + np.cumsum(lengths))
            self._numbers.extend(numbers)
            self._held += sum(map(len, new))
        starts = self._starts.values
        return gather(self._numbers.values, starts[which], starts[which + 1])


def gather(
    flat: NDArray[np.int32], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.int32]:
    """``flat[starts[i]:stops[i]]`` of all ``i``, concatenated."""
    lengths = stops - starts
    before = np.cumsum(lengths)
    total = int(before[-1]) if len(before) else 0
    return flat[np.repeat(starts - before + lengths, lengths) + np.arange(total)]
