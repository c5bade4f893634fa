"""The size and the decay of a cache, from held-out text."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lmkit.mixture.cache import CLASSES, Cache, usable
from lmkit.mixture.weights import em_weights_by_class, mixed

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int | None], None]

MOST_TOKENS = 300_000
"""Of how many held-out tokens, from the beginning, the size and the decay are tuned."""
SIZES = (200, 500, 1000, 2000, 4000, 8000)
HALF_LIVES = (50, 100, 200, 400, 800, 1600, 3200, math.inf)
"""After how many tokens one counts half."""
ROUNDS = 3
"""How often each of the two is tuned at most, the other being held."""


def tune_cache(
    ids: NDArray[np.int32],
    starts: NDArray[np.int64],
    sources: Floats,
    size: int | None,
    decay: float | None,
    progress: Progress | None = None,
) -> Cache:
    """The cache that makes the text ``ids`` [T] likeliest, mixed with ``sources`` [T, K]; it is
    empty at ``starts``. What is given stays."""
    ids, sources = ids[:MOST_TOKENS], sources[:MOST_TOKENS]
    starts = starts[starts < len(ids)]
    can = np.ones((CLASSES, sources.shape[1] + 2), bool)
    can[:, -2:] = usable()
    values: dict[tuple[int, float], float] = {}

    def value(place: tuple[int, float]) -> float:
        if place not in values:
            if progress is not None:
                progress("tuning the cache", len(values), None)
            found, classes = Cache(*place).of_text(ids, starts)
            both = np.concatenate((sources, found), axis=1)
            weights = em_weights_by_class(both, classes, CLASSES, can)
            values[place] = float(mixed(both, weights[classes]).sum())
        return values[place]

    decays = [0.5 ** (1 / half) for half in HALF_LIVES] if decay is None else [decay]
    sizes = list(SIZES) if size is None else [size]
    best_size, best_decay = sizes[len(sizes) // 2], decays[len(decays) // 2]
    for _ in range(ROUNDS):
        before = best_size, best_decay
        best_decay = decays[_peak([(best_size, d) for d in decays], value)]
        best_size = sizes[_peak([(n, best_decay) for n in sizes], value)]
        if (best_size, best_decay) == before:
            break
    return Cache(best_size, best_decay)


def _peak(places: list[tuple[int, float]], value: Callable[[tuple[int, float]], float]) -> int:
    """Which of ``places`` is best, by way of a climb from the middle one."""
    here = len(places) // 2
    while True:
        around = [n for n in (here - 1, here, here + 1) if 0 <= n < len(places)]
        best = max(around, key=lambda n: value(places[n]))
        if best == here:
            return here
        here = best
