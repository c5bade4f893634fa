"""Text as models take it: a `Batch` of token ids.

``T`` is the number of tokens of a batch, ``S`` of sentences, ``U`` of unknown words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

UNK, BOS, EOS = 0, 1, 2
"""Ids of ``<unk>``, ``<s>`` and ``</s>`` in every vocabulary."""


@dataclass(frozen=True, slots=True)
class UnknownWords:
    """The spellings behind the ``<unk>`` tokens of a batch.

    ``positions`` [U] are indices into ``Batch.ids`` in ascending order,
    ``types`` [U] are indices into ``spellings``, which are distinct. A literal
    ``<unk>`` in the text has the spelling ``"<unk>"``.
    """

    positions: NDArray[np.int64]
    types: NDArray[np.int32]
    spellings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sentences as token ids.

    ``ids`` [T] holds each sentence with its final ``</s>`` and without ``<s>``;
    sentence ``i`` is ``ids[offsets[i]:offsets[i + 1]]``. ``characters`` [S], where
    known, is the length of each sentence's reference text: its tokens joined by
    single spaces, in code points, plus one for the end of the line.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    unknown: UnknownWords | None = None
    characters: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def sentence_sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sum of ``values`` [T] over each sentence: [S]."""
        return sums_of_parts(values, np.diff(self.offsets))


def sums_of_parts(values: NDArray[np.floating], sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Sum of each part of ``values`` [T], which are of ``sizes`` [S]: [S]."""
    # Differences of a running sum would let a part's sum depend on those before it.
    sums: NDArray[np.float64] = np.zeros(len(sizes))
    some = np.flatnonzero(sizes)
    if len(some):
        starts = np.cumsum(sizes) - sizes
        sums[some] = np.add.reduceat(values.astype(np.float64), starts[some])
    return sums


def rebase(batch: Batch, first: int, last: int) -> Batch:
    """Sentences ``first`` to ``last`` (exclusive) of ``batch`` as a batch of their own."""
    start, stop = int(batch.offsets[first]), int(batch.offsets[last])
    unknown = batch.unknown
    if unknown is not None:
        low, high = np.searchsorted(unknown.positions, (start, stop))
        unknown = replace(
            unknown, positions=unknown.positions[low:high] - start, types=unknown.types[low:high]
        )
    return Batch(
        batch.ids[start:stop],
        batch.offsets[first : last + 1] - start,
        unknown,
        None if batch.characters is None else batch.characters[first:last],
    )
