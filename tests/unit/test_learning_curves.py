"""Power laws through learning curves, and where one curve crosses another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmkit.evaluate.curves import crossings, fit_power_law
from lmkit.evaluate.results import CurvePoint, LearningCurve

AMOUNTS = [1e4, 3e4, 1e5, 3e5, 1e6]


def law(limit: float, scale: float, exponent: float) -> list[float]:
    return [limit + scale * n**-exponent for n in AMOUNTS]


@pytest.mark.parametrize(
    ("limit", "scale", "exponent"), [(1.2, 30.0, 0.35), (0.9, 4.0, 0.15), (2.0, 300.0, 0.6)]
)
def test_a_law_with_a_limit_is_found_again(limit: float, scale: float, exponent: float) -> None:
    found = fit_power_law(AMOUNTS, law(limit, scale, exponent))
    assert found is not None
    assert found.identified
    assert found.limit == pytest.approx(limit, rel=1e-3)
    assert found.scale == pytest.approx(scale, rel=1e-2)
    assert found.exponent == pytest.approx(exponent, rel=1e-2)
    assert found.error < 1e-6
    assert found.at(1e5) == pytest.approx(law(limit, scale, exponent)[2], rel=1e-6)


def test_without_a_limit_it_is_the_line_through_the_logs() -> None:
    found = fit_power_law(AMOUNTS, law(0.0, 9.0, 0.12))
    assert found is not None
    assert not found.identified
    assert found.limit == 0
    assert found.exponent == pytest.approx(0.12, rel=1e-6)
    assert found.scale == pytest.approx(9.0, rel=1e-5)


def test_by_hand_without_a_limit() -> None:
    # log L = log 8 - log n: halving with each doubling.
    found = fit_power_law([1, 2, 4], [8, 4, 2])
    assert found is not None
    assert (found.scale, found.exponent) == (pytest.approx(8), pytest.approx(1))


@pytest.mark.slow
def test_noise_does_not_move_it_far_nor_make_a_limit_of_nothing() -> None:
    generator = np.random.default_rng(8)
    noise = np.exp(generator.normal(0, 0.01, (40, len(AMOUNTS))))
    limits = [fit_power_law(AMOUNTS, np.array(law(0, 9, 0.12)) * n) for n in noise]
    assert sum(one is not None and one.identified for one in limits) <= 10
    clear = [fit_power_law(AMOUNTS, np.array(law(1.5, 200, 0.5)) * n) for n in noise]
    exponents = [one.exponent for one in clear if one is not None and one.identified]
    assert len(exponents) >= 35
    assert np.median(exponents) == pytest.approx(0.5, rel=0.1)


def test_too_few_points_have_no_law() -> None:
    assert fit_power_law([1, 2], [8, 4]) is None
    assert fit_power_law([1, 2, 3], [8, 4, math.inf]) is None


def curve(name: str, bits: list[float]) -> LearningCurve:
    points = [
        CurvePoint(share, 1, round(1e6 * share), value, None)
        for share, value in zip((0.01, 0.1, 1.0), bits, strict=True)
    ]
    return LearningCurve(name, points, None)


def test_where_one_overtakes_another() -> None:
    # The difference goes from +1 to -1 between 10^4 and 10^5: zero halfway on the log scale.
    (found,) = crossings([curve("slow", [4.0, 2.0, 1.0]), curve("fast", [3.0, 3.0, 2.5])])
    assert (found.winner, found.loser) == ("slow", "fast")
    assert found.characters == pytest.approx(10**4.5)
    assert crossings([curve("a", [4, 3, 2]), curve("b", [5, 4, 3])]) == []
    assert crossings([curve("a", [4, 3, 2]), curve("b", [4, 3, 2])]) == []
