"""Byte-pair encoding is learnt: which pairs of tokens to merge, the most frequent first.

Sennrich, Haddow and Birch 2016, over bytes as in GPT-2 (Radford et al. 2019). All distinct pieces
stand concatenated in arrays of positions. A merge touches the places of its pair only: it takes
the pairs around them out of the counts and puts the new ones in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Merges = list[tuple[bytes, bytes]]
Places = NDArray[np.int32]
_GONE = -1


def learn_merges(
    counts: Mapping[bytes, int],
    tokens: int,
    *,
    minimum: int = 2,
    forbidden: Collection[bytes] = (),
    progress: Callable[[int], object] | None = None,
) -> Merges:
    """The merges of pieces that were seen ``counts`` times, in the order in which they are made.

    They end once they make ``tokens`` tokens beside the 256 bytes, or no pair stands ``minimum``
    times. Each is the pair seen most often; of several that with the smaller left token, then with
    the smaller right token, compared byte by byte. No merge makes a token of ``forbidden``.
    ``progress`` is called with the number of tokens made so far.
    """
    pairs = _Pairs(_Chain(counts), minimum)
    numbers = {bytes([byte]): byte for byte in range(256)}
    made: Merges = []
    while len(numbers) - 256 < tokens and (best := pairs.pop()) is not None:
        left, right = pairs.tokens[best >> 32], pairs.tokens[best & 0xFFFFFFFF]
        token = left + right
        if token in forbidden:
            continue
        # Two pairs can make the same token (a + bc, ab + c): it is one.
        new = numbers.setdefault(token, len(numbers))
        if new == len(pairs.tokens):
            pairs.tokens.append(token)
        made.append((left, right))
        pairs.merge(best, new)
        if progress is not None:
            progress(len(numbers) - 256)
    return made


class _Chain:
    """The tokens of all distinct pieces, each piece a doubly linked chain of positions [n].

    Position n stands for the end of every chain, and has no token. ``weight`` is how often the
    piece of a position was seen.
    """

    def __init__(self, counts: Mapping[bytes, int]) -> None:
        pieces = [piece for piece in counts if len(piece) > 1]
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        size = self.end = int(lengths.sum())
        self.token = np.empty(size + 1, np.int32)
        self.token[:size] = np.frombuffer(b"".join(pieces), np.uint8)
        self.token[size] = _GONE
        self.next = np.arange(1, size + 2, dtype=np.int32)
        self.next[size] = size
        self.previous = np.arange(-1, size, dtype=np.int32)
        ends = np.cumsum(lengths)
        self.next[ends - 1] = size
        self.previous[ends - lengths] = size
        seen = np.fromiter((counts[piece] for piece in pieces), np.int64, len(pieces))
        self.weight = np.repeat(seen, lengths)
        self._marked = np.zeros(size + 1, np.bool_)

    def pairs_at(self, places: Places) -> NDArray[np.int64]:
        """The pair that begins at each of ``places`` [n], as left << 32 | right."""
        left, right = self.token[places], self.token[self.next[places]]
        return (left.astype(np.int64) << 32) | right

    def occurrences(self, pair: int, candidates: Places) -> Places:
        """Those of ``candidates`` where ``pair`` still stands; of overlapping ones the first, third
        and so on."""
        left, right = pair >> 32, pair & 0xFFFFFFFF
        at = candidates[self.token[candidates] == left]
        at = at[self.token[self.next[at]] == right]
        if left == right and len(at) > 1:
            at.sort()
            begins = np.append(True, self.next[at[:-1]] != at[1:])
            index = np.arange(len(at))
            at = at[(index - np.maximum.accumulate(np.where(begins, index, 0))) % 2 == 0]
        return at

    def around(self, at: Places, marked: Places) -> Places:
        """Where the pairs begin that share a token with what stands at ``at``, each once: those
        that begin before it, and those that begin in ``marked``, its last positions."""
        self._marked[marked] = True
        before = self.previous[at]
        before = before[(before != self.end) & ~self._marked[before]]
        self._marked[marked] = False
        return np.concatenate([before, marked[self.next[marked] != self.end]])

    def merge(self, at: Places, token: int) -> None:
        """Make one ``token`` of the two at ``at`` and behind it."""
        gone = self.next[at]
        behind = self.next[gone]
        self.token[at] = token
        self.token[gone] = _GONE
        self.next[at] = behind
        self.previous[behind] = at


class _Pairs:
    """How often each pair of neighbours stands in a chain, and where.

    ``_places`` may name places where a pair stands no more. ``_heap`` may hold counts that have
    fallen since: those are put right when they come up.
    """

    def __init__(self, chain: _Chain, minimum: int) -> None:
        self.tokens = [bytes([byte]) for byte in range(256)]
        self._chain = chain
        self._minimum = minimum
        self._counts: dict[int, int] = {}
        self._places: dict[int, list[Places]] = {}
        self._heap: list[tuple[int, bytes, bytes, int]] = []
        self._add(np.flatnonzero(chain.next != chain.end).astype(np.int32))

    def pop(self) -> int | None:
        """The best pair, which is counted no more; None where none is frequent enough."""
        while self._heap:
            negative, left, right, pair = heappop(self._heap)
            count = self._counts.get(pair, 0)
            if count == -negative:
                del self._counts[pair]
                return pair
            if self._minimum <= count < -negative:
                heappush(self._heap, (-count, left, right, pair))
        return None

    def merge(self, pair: int, token: int) -> None:
        """Make ``token`` of ``pair`` wherever it stands."""
        chain = self._chain
        candidates = self._places.pop(pair)
        at = chain.occurrences(
            pair, candidates[0] if len(candidates) == 1 else np.concatenate(candidates)
        )
        self._remove(chain.around(at, chain.next[at]))
        chain.merge(at, token)
        self._add(chain.around(at, at))

    def _remove(self, places: Places) -> None:
        for pair, count, _ in self._grouped(places):
            if pair in self._counts:  # neither the one at work nor one that is forbidden
                self._counts[pair] -= count

    def _add(self, places: Places) -> None:
        heap, tokens = self._heap, self.tokens
        for pair, count, where in self._grouped(places):
            count += self._counts.get(pair, 0)
            self._counts[pair] = count
            self._places.setdefault(pair, []).append(where)
            if count >= self._minimum:
                heappush(heap, (-count, tokens[pair >> 32], tokens[pair & 0xFFFFFFFF], pair))

    def _grouped(self, places: Places) -> Iterator[tuple[int, int, Places]]:
        """The distinct pairs that begin at ``places`` [n], how often each was seen, and where."""
        if not len(places):
            return
        pairs = self._chain.pairs_at(places)
        order = np.argsort(pairs, kind="stable")
        pairs, places = pairs[order], places[order]
        starts = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1]))
        counts = np.add.reduceat(self._chain.weight[places], starts)
        bounds = [*starts.tolist(), len(places)]
        for pair, count, bound in zip(
            pairs[starts].tolist(), counts.tolist(), pairwise(bounds), strict=True
        ):
            yield pair, count, places[slice(*bound)]
