"""Byte-pair encoding is applied: exactly the tokens that merging one pair at a time gives.

In a piece the pair of the lowest rank is merged first, of several that stand there the leftmost
one, until no pair has a rank. These ways lead to the same tokens:

- many short pieces at once: a matrix with a row for each piece, one merge in each row a round;
- one short piece: a loop;
- a long piece: cut where no token reaches across (`lmkit.text.subwords.borders`); a part that is
  still long by a heap of its pairs, so that the time grows as n log n.

With dropout (Provilkov, Emelianenko and Voita 2020) each merge that could be made is left out with
a probability, anew at each step. That is for training networks, which so see a word cut in many
ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import pairwise
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.text.subwords.borders import Borders
from lmkit.text.subwords.hashing import ABSENT, IntegerTable
from lmkit.text.subwords.pieces import PieceCache

Numbers = NDArray[np.int32]
Lengths = NDArray[np.int64]
_NONE = np.int32(np.iinfo(np.int32).max)
"""The rank of a pair that is no merge."""
_WIDTHS = (8, 16, 32, 64)
"""Columns of the matrices; pieces longer than the last one go by the heap."""
LONG = _WIDTHS[-1]
"""The longest sequence that is merged in rounds."""
_ROWS = 1 << 15
_FEW = 64
"""Up to so many pieces are quicker one by one."""


class Dropout:
    """Leaves out each merge with a probability of 0 to 1, as the ``generator`` decides.

    Raises `UsageError` for what is no probability.
    """

    def __init__(self, probability: float, generator: np.random.Generator) -> None:
        if not 0 <= probability <= 1:
            raise UsageError(f"dropout cannot be {probability}", "a probability such as 0.1")
        self.probability = probability
        self._generator = generator
        self._single: list[bool] = []

    def many(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which of so many merges are left out."""
        return self._generator.random(shape, np.float32) < self.probability

    def one(self) -> bool:
        """Whether one merge is left out."""
        if not self._single:
            self._single = self.many((256,)).tolist()
        return self._single.pop()


class Rounds:
    """Merges of many short sequences of tokens at once: a matrix with a row for each, one merge in
    each row a round.

    ``ranks`` and ``made`` are as for `merge_by_heap`. Pairs may have one rank only if they make
    the same token.
    """

    def __init__(self, ranks: Mapping[int, int], made: Mapping[int, int]) -> None:
        pairs = np.fromiter(ranks.keys(), np.int64, len(ranks))
        by_pair = np.fromiter(ranks.values(), np.int32, len(ranks))
        self._table = IntegerTable()
        self._table.put(pairs, by_pair)
        self._made_by_rank = np.zeros(int(by_pair.max(initial=-1)) + 1, np.int32)
        self._made_by_rank[by_pair] = np.fromiter(map(made.__getitem__, ranks), np.int32)

    def merged(
        self, symbols: NDArray[np.integer], sizes: Lengths, dropout: Dropout | None = None
    ) -> tuple[Numbers, Lengths]:
        """What merges make of sequences of ``sizes`` [n], whose tokens are ``symbols`` [s]: tokens
        [s] and how many there are of each sequence [n]. They stand where its first ones were.
        Sequences of more than `LONG` are left out: of those there are none."""
        begins = np.cumsum(sizes) - sizes
        room = np.zeros(len(symbols), np.int32)
        lengths = np.zeros(len(sizes), np.int64)
        least = 0
        for width in _WIDTHS:
            rows = np.flatnonzero((sizes > least) & (sizes <= width))
            least = width
            for part in range(0, len(rows), _ROWS):
                some = rows[part : part + _ROWS]
                matrix, have = self._in_rounds(symbols, begins[some], sizes[some], width, dropout)
                filled = np.arange(width) < have[:, None]
                room[(begins[some][:, None] + np.arange(width))[filled]] = matrix[filled]
                lengths[some] = have
        return room, lengths

    def _in_rounds(
        self,
        symbols: NDArray[np.integer],
        begins: NDArray[np.int64],
        sizes: NDArray[np.int64],
        width: int,
        dropout: Dropout | None,
    ) -> tuple[Numbers, Lengths]:
        """The tokens of sequences [n, width], and how many each has [n]."""
        columns = np.arange(width)
        at = np.minimum(begins[:, None] + columns, len(symbols) - 1)
        tokens = np.where(columns < sizes[:, None], symbols[at].astype(np.int32), np.int32(-1))
        result, have = tokens.copy(), sizes.copy()
        ranks = self._ranks_of(tokens[:, :-1], tokens[:, 1:])
        rows = np.arange(len(tokens))
        while True:
            offered = ranks
            if dropout is not None:
                offered = np.where(dropout.many(ranks.shape), _NONE, ranks)
            place = offered.argmin(1)
            best = offered[np.arange(len(rows)), place]
            alive = best != _NONE
            if not alive.all():
                done = rows[~alive]
                result[done] = tokens[~alive]
                rows, place, best = rows[alive], place[alive], best[alive]
                tokens, ranks = tokens[alive], ranks[alive]
            if not len(rows):
                return result, have
            have[rows] -= 1
            each = np.arange(len(rows))
            # What stands behind the merge moves one to the left.
            behind = columns[:-1] >= place[:, None]
            np.copyto(tokens[:, :-1], tokens[:, 1:].copy(), where=behind)
            tokens[:, -1] = -1
            tokens[each, place] = self._made_by_rank[best]
            np.copyto(ranks[:, :-1], ranks[:, 1:].copy(), where=behind[:, :-1])
            ranks[:, -1] = _NONE
            ranks[each, place] = self._ranks_of(tokens[each, place], tokens[each, place + 1])
            before = place > 0
            each_left, left = each[before], place[before]
            ranks[each_left, left - 1] = self._ranks_of(
                tokens[each_left, left - 1], tokens[each_left, left]
            )

    def _ranks_of(self, left: Numbers, right: Numbers) -> Numbers:
        """The rank of each pair; `_NONE` if it is no merge, as no pair with -1 is."""
        ranks = self._table.get(((left.astype(np.int64) << 32) | right).ravel())
        ranks[ranks == ABSENT] = _NONE
        return ranks.reshape(left.shape)


class BpeEncoder:
    """Merges in the order of their preference, ready to be applied.

    Tokens are numbered here: a byte is its own number, the tokens that merges make follow in their
    order, then ``specials``, as far as they are new. A piece of ``specials`` is that token.

    Raises `UsageError` for a merge of something that is no token, and for one that comes twice.
    """

    def __init__(
        self, merges: Sequence[tuple[bytes, bytes]], specials: Sequence[bytes] = ()
    ) -> None:
        numbers = {bytes([byte]): byte for byte in range(256)}
        for token in [*(left + right for left, right in merges), *specials]:
            numbers.setdefault(token, len(numbers))
        self.tokens = list(numbers)
        self._specials = {token: numbers[token] for token in specials}
        self._ranks: dict[int, int] = {}
        self._made: dict[int, int] = {}
        for rank, (left, right) in enumerate(merges):
            try:
                pair = numbers[left] << 32 | numbers[right]
            except KeyError as error:
                raise UsageError(
                    f"merge {rank + 1} is of {error.args[0]!r}, which nothing makes",
                    "merges that begin at single bytes",
                ) from None
            if self._ranks.setdefault(pair, rank) != rank:
                raise UsageError(
                    f"merge {rank + 1}, {left!r} and {right!r}, comes twice", "each merge once"
                )
            self._made[pair] = numbers[left + right]
        self._rounds = Rounds(self._ranks, self._made)
        self._parts, self._lock = PieceCache(self._encode_parts), Lock()

    def encode_pieces(
        self, pieces: Sequence[bytes], dropout: Dropout | None = None
    ) -> tuple[Numbers, Lengths]:
        """The numbers of the tokens of all ``pieces`` [n], concatenated, and how many tokens each
        of them has [n]."""
        given = [self._specials.get(piece, -1) for piece in pieces] if self._specials else []
        if max(given, default=-1) < 0:
            return self._merged(pieces, dropout)
        numbers = np.array(given, np.int32)
        others = np.flatnonzero(numbers < 0)
        merged, counts = self._merged([pieces[place] for place in others.tolist()], dropout)
        lengths = np.ones(len(pieces), np.int64)
        lengths[others] = counts
        result = np.empty(lengths.sum(), np.int32)
        is_merged = np.repeat(numbers < 0, lengths)
        result[is_merged] = merged
        result[~is_merged] = numbers[numbers >= 0]
        return result, lengths

    def _merged(
        self, pieces: Sequence[bytes], dropout: Dropout | None, in_parts: bool = False
    ) -> tuple[Numbers, Lengths]:
        """What merges make of ``pieces``, which have no borders if they are ``in_parts``."""
        longest = max(map(len, pieces), default=0)
        if dropout is None and len(pieces) <= _FEW and longest <= LONG:
            lists = list(map(self._by_loop, pieces))
            lengths = np.fromiter(map(len, lists), np.int64, len(lists))
            return np.array([n for numbers in lists for n in numbers], np.int32), lengths
        sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
        text = np.frombuffer(b"".join(pieces), np.uint8)
        begins = np.cumsum(sizes) - sizes
        room, lengths = self._rounds.merged(text, sizes, dropout)
        if longest > LONG:
            long = np.flatnonzero(sizes > LONG)
            numbers, counts = self._of_long([pieces[at] for at in long.tolist()], dropout, in_parts)
            room[ranges(begins[long], counts)] = numbers
            lengths[long] = counts
        return room[ranges(begins, lengths)], lengths

    def _of_long(
        self, pieces: Sequence[bytes], dropout: Dropout | None, in_parts: bool
    ) -> tuple[Numbers, Lengths]:
        if dropout is not None or in_parts:
            lists = [merge_by_heap([*piece], self._ranks, self._made, dropout) for piece in pieces]
            counts = np.fromiter(map(len, lists), np.int64, len(lists))
            return np.concatenate([np.array(numbers, np.int32) for numbers in lists]), counts
        text = b"".join(pieces)
        sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
        begins = np.cumsum(sizes) - sizes
        starts = self._borders.of(np.frombuffer(text, np.uint8), begins)
        with self._lock:
            numbers, counts = self._parts.counted(text, starts)
        return numbers, np.add.reduceat(counts, np.searchsorted(starts, begins))

    def _encode_parts(self, parts: Sequence[bytes]) -> tuple[Numbers, Lengths]:
        return self._merged(parts, None, in_parts=True)

    @cached_property
    def _borders(self) -> Borders:
        return Borders(self.tokens)

    def _by_loop(self, piece: bytes) -> list[int]:
        """The tokens of a short piece."""
        tokens, ranks, made = list(piece), self._ranks, self._made
        while len(tokens) > 1:
            pairs = [left << 32 | right for left, right in pairwise(tokens)]
            best, place = min((ranks.get(pair, _NONE), place) for place, pair in enumerate(pairs))
            if best == _NONE:
                break
            tokens[place : place + 2] = [made[pairs[place]]]
        return tokens


def merge_by_heap(
    tokens: list[int],
    ranks: Mapping[int, int],
    made: Mapping[int, int],
    dropout: Dropout | None = None,
) -> list[int]:
    """What merges make of ``tokens``, however many there are, and changes them. They are numbers
    from 0 to 2^31; ``left << 32 | right`` is a pair. ``ranks`` has the rank of each pair that is a
    merge, and ``made`` the token that it becomes; of pairs with one rank the leftmost comes first.
    """
    # In the heap a pair is rank << 32 | place; what is no longer so when it comes up is passed
    # over.
    end = len(tokens)
    after, before = list(range(1, end + 1)), list(range(-1, end))
    heap = [
        ranks[pair] << 32 | place
        for place, pair in enumerate(left << 32 | right for left, right in pairwise(tokens))
        if pair in ranks
    ]
    heapify(heap)
    kept_back: list[int] = []
    while heap:
        entry = heappop(heap)
        rank, place = entry >> 32, entry & 0xFFFFFFFF
        right = after[place] if tokens[place] >= 0 else end
        if right == end or ranks.get(pair := tokens[place] << 32 | tokens[right]) != rank:
            continue
        if dropout is not None and dropout.one():
            kept_back.append(entry)
            continue
        token = tokens[place] = made[pair]
        tokens[right] = -1
        behind = after[place] = after[right]
        if behind < end:
            before[behind] = place
            new = ranks.get(token << 32 | tokens[behind])
            if new is not None:
                heappush(heap, new << 32 | place)
        if (left := before[place]) >= 0:
            new = ranks.get(tokens[left] << 32 | token)
            if new is not None:
                heappush(heap, new << 32 | left)
        for entry in kept_back:  # a new step: all merges are possible again
            heappush(heap, entry)
        kept_back.clear()
    return [token for token in tokens if token >= 0]


def ranges(begins: Lengths, lengths: Lengths) -> Lengths:
    """``begins[i]``, ``begins[i] + 1`` and so on, ``lengths[i]`` of them, for all ``i``."""
    ends = np.cumsum(lengths)
    return np.repeat(begins - ends + lengths, lengths) + np.arange(lengths.sum())
