"""Byte-pair encoding as it is told: everything counted again for each merge, nothing kept.

The slow twin of `lmkit.text.subwords.bpe_training` and `bpe_encoding`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

Merges = list[tuple[bytes, bytes]]


def learn(
    counts: Mapping[bytes, int], tokens: int, minimum: int = 2, forbidden: Collection[bytes] = ()
) -> Merges:
    """The merges that make ``tokens`` tokens beside the bytes."""
    pieces = [([bytes([byte]) for byte in piece], seen) for piece, seen in counts.items()]
    merges: Merges = []
    made: set[bytes] = set()
    while len(made) < tokens:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for piece, seen in pieces:
            for pair in pairwise(piece):
                if pair[0] + pair[1] not in forbidden:
                    pairs[pair] += seen
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < minimum:
            break
        merges.append(best)
        made.add(best[0] + best[1])
        pieces = [(merged(piece, best), seen) for piece, seen in pieces]
    return merges


def merged(piece: Sequence[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    """``piece`` with every ``pair`` made one, from the left."""
    result: list[bytes] = []
    place = 0
    while place < len(piece):
        if tuple(piece[place : place + 2]) == pair:
            result.append(pair[0] + pair[1])
            place += 2
        else:
            result.append(piece[place])
            place += 1
    return result


def encode(piece: bytes, merges: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """``piece`` in tokens: again and again the first pair of the lowest rank is made one."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = [piece[i : i + 1] for i in range(len(piece))]
    while True:
        pairs = list(pairwise(tokens))
        found = [(ranks[pair], place) for place, pair in enumerate(pairs) if pair in ranks]
        if not found:
            return tokens
        _, place = min(found)
        tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]
