"""Places in a long text that no token can reach across, whatever is merged in which order.

A merge across a border makes a token that stands there in the text. Where no token of the
vocabulary does, there is no such merge, and what is on either side can be encoded by itself. A
line of English without a pattern so falls into parts of some eight bytes, most of them seen before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.text.subwords.hashing import ABSENT, IntegerTable

_BLOCK = 1 << 20
_DEEPEST = 32
"""Bytes of a token that are compared. One that is longer counts as there if it begins so."""


class Borders:
    """The borders between tokens of a vocabulary, which is kept as a trie.

    Node ``b`` is the byte ``b``; a child has the key node << 8 | byte.
    """

    def __init__(self, tokens: Sequence[bytes]) -> None:
        children: dict[int, int] = {}
        lengths: dict[int, int] = {}
        for token in tokens:
            node = token[0]
            for byte in token[1:_DEEPEST]:
                node = children.setdefault(node << 8 | byte, 256 + len(children))
            lengths[node] = max(lengths.get(node, 0), len(token))
        self._lengths = np.zeros(256 + len(children), np.int64)
        self._lengths[list(lengths)] = list(lengths.values())
        self._children = IntegerTable()
        self._children.put(
            np.fromiter(children.keys(), np.int64, len(children)),
            np.fromiter(children.values(), np.int32, len(children)),
        )
        self._pairs = np.full(1 << 16, ABSENT, np.int32)
        for key, child in children.items():
            if key < 1 << 16:
                self._pairs[key] = child

    def of(self, text: NDArray[np.uint8], begins: NDArray[np.int64]) -> NDArray[np.int64]:
        """The offsets in ``text`` [n] where a part begins; ``begins`` [m] are among them."""
        is_border = np.zeros(len(text) + 1, np.bool_)
        is_border[begins] = True
        furthest = 0
        for start in range(0, len(text), _BLOCK):
            reach = start + self._reach(text[start : start + _BLOCK + _DEEPEST])[:_BLOCK]
            reach[0] = max(reach[0], furthest)
            np.maximum.accumulate(reach, out=reach)
            furthest = int(reach[-1])
            after = np.arange(start + 1, start + 1 + len(reach))
            is_border[after[reach == after]] = True
        return np.flatnonzero(is_border[:-1])

    def _reach(self, text: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Where the longest token that begins at each place of ``text`` [n] ends."""
        reach = np.arange(1, len(text) + 1)
        at = np.arange(len(text) - 1)
        node = self._pairs[(text[:-1].astype(np.uint16) << np.uint16(8)) | text[1:]]
        length = 2
        while True:
            alive = np.flatnonzero(node != ABSENT)
            at, node = at[alive], node[alive]
            if not len(at):
                return reach
            reach[at] = np.maximum(reach[at], at + self._lengths[node])
            inside = np.searchsorted(at, len(text) - length)
            at, node = at[:inside], node[:inside]
            node = self._children.get((node.astype(np.int64) << 8) | text[at + length])
            length += 1
