"""How a channel is learnt, apart from what learning needs: most models are only used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a channel is learnt: ``first`` rounds over single letters, ``rounds`` over all edits,
    ``viterbi`` or all ways, windows of up to ``widest`` edits, of which those counted less than
    ``cutoff`` times in all are dropped; ``only_after`` as in `Inventory`. ``damping`` and ``far``:
    see `Pairs.damped`."""

    first: int = 3
    rounds: int = 2
    viterbi: bool = False
    widest: int = 3
    cutoff: float = 1.0
    only_after: bool = False
    damping: float = 0.5
    far: float = 0.7
