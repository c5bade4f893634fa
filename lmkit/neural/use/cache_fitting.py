"""Fitting a continuous cache (`lmkit.neural.use.cache`) to held-out text.

The network reads the text once. What the cache says of each token is found for every flatness on
a grid; the weight that mixes it with what the network says is then the maximum of a concave
function of one variable:

    mean log((1 - weight) p_network + weight p_cache)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError
from lmkit.model import EOS
from lmkit.neural.blas import one_thread
from lmkit.neural.use.base import NetworkModel
from lmkit.neural.use.cache import Cache

FLATNESSES = tuple(float(f) for f in np.geomspace(3, 48, 13).round(1))
READ = 50_000
"""Tokens of the text that are read: a few documents tell the two numbers well enough."""
LEAST = 100
HIGHEST = 0.95
"""The largest weight that is chosen."""


@dataclass(frozen=True, slots=True)
class FittedCache:
    """``weight`` and ``flatness`` of a cache of ``size`` tokens, and the mean loss in nats a token
    on the held-out text ``before`` and ``after``."""

    size: int
    weight: float
    flatness: float
    before: float
    after: float


def fit_cache(
    model: NetworkModel,
    ids: NDArray[np.int32],
    size: int = 2000,
    progress: Callable[[int, int | None], None] | None = None,
) -> FittedCache:
    """The best weight and flatness on the running text ``ids`` [N], of which the first `READ`
    tokens are read; ``progress`` is called with the tokens done and those there are. Raises
    `TextError` where there are too few."""
    ids = ids[:READ]
    if len(ids) < LEAST:
        raise TextError(
            f"a cache cannot be fitted to {len(ids)} tokens of held-out text", "a longer text"
        )
    cache, scorer, layers = Cache(size), model.scorer, model.before_start
    log_probs = np.empty(len(ids))
    parts = np.empty((len(FLATNESSES), len(ids)))
    inputs = np.concatenate((np.array([EOS], ids.dtype), ids[:-1]))[:, None]
    with one_thread():
        limit = scorer.network.limit
        step = 256 if limit is None else max(1, limit // 2)
        for start in range(0, len(ids), step):
            here = slice(start, start + step)
            if limit is None:
                h, layers = scorer.read(inputs[here], layers)
            else:
                # Half of a window is read before what is looked at, as a running text is.
                before = max(0, start - limit // 2)
                h, _ = scorer.read(inputs[before : here.stop], layers)
                h = h[:, start - before :]
            log_probs[here] = scorer.log_prob(h, ids[here])
            parts[:, here], _ = cache.parts(h, ids[here], FLATNESSES)
            if progress is not None:
                progress(min(start + step, len(ids)), len(ids))
    # Before the first token there is no cache.
    p, parts = np.exp(log_probs[1:]), parts[:, 1:]
    weights = [best_weight(p, part) for part in parts]
    losses = [-np.log((1 - w) * p + w * q).mean() for w, q in zip(weights, parts, strict=True)]
    best = int(np.argmin(losses))
    return FittedCache(
        size,
        round(weights[best], 4),
        FLATNESSES[best],
        float(-log_probs[1:].mean()),
        float(losses[best]),
    )


def best_weight(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """The weight w from 0 to `HIGHEST` with the highest mean of log((1 - w) p + w q): where the
    slope, which only falls, is zero."""
    low, high = 0.0, HIGHEST
    for _ in range(40):
        middle = (low + high) / 2
        if ((q - p) / ((1 - middle) * p + middle * q)).mean() > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
