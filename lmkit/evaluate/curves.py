"""Learning curves: a power law through them, and where one model overtakes another.

    L(n) = limit + scale n^-exponent

with n the amount of training text: Hestness et al. 2017, "Deep learning scaling is predictable,
empirically"; the limit is what no amount of text takes away. Fitted by least squares of log L, so
that a point counts by its relative error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lmkit.evaluate.results import Crossing, LearningCurve, PowerLaw

FEWEST_POINTS = 3
_STEPS = 200
_STARTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)
"""Limits to begin with, as parts of the lowest loss."""


def fit_power_law(amounts: Sequence[float], losses: Sequence[float]) -> PowerLaw | None:
    """The power law through the points; None for fewer than three.

    The limit is given only where the points tell it: four or more, and a limit that is more than
    twice its standard error. Else the law without a limit is fitted.
    """
    n, loss = np.asarray(amounts, float), np.asarray(losses, float)
    usable = np.isfinite(loss) & (loss > 0) & (n > 0)
    n, loss = n[usable], loss[usable]
    if len(n) < FEWEST_POINTS:
        return None
    # Centred amounts: scale and exponent hardly depend on each other then.
    middle = float(np.exp(np.log(n).mean()))
    x, y = np.log(n / middle), np.log(loss)
    plain = _plain(x, y)
    if len(n) > FEWEST_POINTS:
        fits = [_with_limit(x, y, part * float(loss.min())) for part in _STARTS]
        best = min(fits, key=lambda fit: _sum_of_squares(x, y, fit))
        if _tells_limit(x, y, best):
            return _law(x, y, best, middle, identified=True)
    return _law(x, y, plain, middle, identified=False)


def _law(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    parameters: NDArray[np.float64],
    middle: float,
    identified: bool,
) -> PowerLaw:
    limit, log_scale, exponent = map(float, parameters)
    error = math.sqrt(_sum_of_squares(x, y, parameters) / len(x))
    # a (n / middle)^-b = (a middle^b) n^-b
    scale = math.exp(log_scale + exponent * math.log(middle))
    return PowerLaw(limit, scale, exponent, identified, error)


def _plain(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Limit 0, and the line through the logs."""
    slope, height = np.polyfit(x, y, 1)
    return np.array([0.0, height, -slope])


def _curve(x: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    return p[0] + np.exp(p[1] - p[2] * x)


def _residuals(
    x: NDArray[np.float64], y: NDArray[np.float64], p: NDArray[np.float64]
) -> NDArray[np.float64]:
    return y - np.log(np.maximum(_curve(x, p), 1e-300))


def _sum_of_squares(
    x: NDArray[np.float64], y: NDArray[np.float64], p: NDArray[np.float64]
) -> float:
    return float((_residuals(x, y, p) ** 2).sum())


def _jacobian(x: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of log L by limit, log scale and exponent: [points, 3]."""
    power, whole = np.exp(p[1] - p[2] * x), _curve(x, p)
    return np.stack([1 / whole, power / whole, -x * power / whole], axis=1)


def _with_limit(
    x: NDArray[np.float64], y: NDArray[np.float64], limit: float
) -> NDArray[np.float64]:
    """Levenberg and Marquardt's method from the line through log(loss - limit)."""
    p = _plain(x, np.log(np.maximum(np.exp(y) - limit, 1e-9)))
    p[0] = limit
    found, damping = _sum_of_squares(x, y, p), 1e-3
    for _ in range(_STEPS):
        jacobian, residuals = _jacobian(x, p), _residuals(x, y, p)
        normal = jacobian.T @ jacobian
        step = np.linalg.lstsq(
            normal + damping * np.diag(np.diag(normal) + 1e-12), jacobian.T @ residuals, rcond=None
        )[0]
        tried = p + step
        tried[0] = min(max(tried[0], 0.0), float(np.exp(y.min())) * (1 - 1e-9))
        after = _sum_of_squares(x, y, tried)
        if not after < found:
            damping *= 4
            if damping > 1e12:
                break
            continue
        settled = found - after < 1e-15 * found
        p, found, damping = tried, after, max(damping / 4, 1e-12)
        if settled:
            break
    return p


def _tells_limit(x: NDArray[np.float64], y: NDArray[np.float64], p: NDArray[np.float64]) -> bool:
    if p[0] <= 0 or p[2] <= 0:
        return False
    jacobian = _jacobian(x, p)
    # Rounding alone leaves residuals too: points that fit exactly are no proof of a limit near 0.
    variance = max(_sum_of_squares(x, y, p), 1e-16) / (len(x) - 3)
    covariance = variance * np.linalg.pinv(jacobian.T @ jacobian)
    return bool(p[0] > 2 * math.sqrt(max(covariance[0, 0], 0.0)))


def crossings(curves: Sequence[LearningCurve]) -> list[Crossing]:
    """Where the better of two models becomes the worse one as the text grows, by straight lines
    between the points on a log scale of the amount; in the order of the amounts."""
    found = []
    for k, one in enumerate(curves):
        for other in curves[k + 1 :]:
            found += _crossings_of(one, other)
    return sorted(found, key=lambda crossing: crossing.characters)


def _crossings_of(one: LearningCurve, other: LearningCurve) -> list[Crossing]:
    bits = {point.share: point.bits_per_character for point in other.points}
    common = [point for point in one.points if point.share in bits]
    found = []
    for before, after in pairwise(common):
        first = before.bits_per_character - bits[before.share]
        second = after.bits_per_character - bits[after.share]
        if not (math.isfinite(first) and math.isfinite(second)) or first * second >= 0:
            continue
        low, high = math.log(before.characters), math.log(after.characters)
        place = math.exp(low + (high - low) * first / (first - second))
        winner, loser = (one, other) if second < 0 else (other, one)
        found.append(Crossing(winner.name, loser.name, place))
    return found
