"""Intervals of proportions, and a test of the difference of two that are paired.

``n`` trials of which ``k`` succeed; a trial that is neither may count half, so ``k`` need not be
whole. All intervals are of 95 %.

Wilson 1927, "Probable inference, the law of succession, and statistical inference"; Agresti and
Min 2005, "Simple improved confidence intervals for comparing matched proportions"; Zou and Donner
2008, "Construction of confidence limits about effect measures" (the limits of a sum from those of
its terms); McNemar 1947, here as the exact sign test of the trials that differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054
"""A standard normal variable is beyond this, on either side, with probability 0.05."""
Limits = tuple[float, float]


def wilson(k: float, n: int) -> Limits:
    """The interval of Wilson's score for ``k`` successes in ``n`` trials; (0, 1) without trials."""
    if not n:
        return 0.0, 1.0
    share = k / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + (Z / (2 * n)) ** 2)
    # At the ends the limit is the end itself, which rounding may miss.
    return (0.0 if k <= 0 else middle - half), (1.0 if k >= n else middle + half)


def mean_limits(estimates: Sequence[float], limits: Sequence[Limits]) -> Limits:
    """The interval of the mean of independent ``estimates``, each with its own ``limits``."""
    below = math.sqrt(
        sum((one - low) ** 2 for one, (low, _) in zip(estimates, limits, strict=True))
    )
    above = math.sqrt(
        sum((high - one) ** 2 for one, (_, high) in zip(estimates, limits, strict=True))
    )
    size = len(estimates)
    mean = sum(estimates) / size
    return mean - below / size, mean + above / size


def paired_limits(differences: NDArray[np.float64]) -> Limits:
    """The interval of the mean of ``differences`` [n] of two paired outcomes, each from -1 to 1:
    Agresti and Min's, with half a trial added to each of the four cells."""
    n = len(differences) + 2
    gained = float(differences[differences > 0].sum()) + 0.5
    lost = float(-differences[differences < 0].sum()) + 0.5
    mean = (gained - lost) / n
    half = Z * math.sqrt(max(gained + lost - (gained - lost) ** 2 / n, 0)) / n
    return max(mean - half, -1.0), min(mean + half, 1.0)


def sign_test(differences: NDArray[np.float64]) -> float:
    """The exact two-sided p-value of as many trials better, or worse, among ``differences`` [n]
    as there are, were both equally likely. Trials without a difference say nothing."""
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    n, fewer = better + worse, min(better, worse)
    if not n:
        return 1.0
    # log C(n, i) for i = 0 to fewer, by the ratios of neighbours.
    steps = np.arange(1, fewer + 1)
    choose = np.concatenate(([0.0], np.cumsum(np.log((n + 1 - steps) / steps))))
    return min(1.0, 2 * float(np.exp(choose - n * math.log(2)).sum()))
