"""The best entries of groups, by one packed sort, against a sort of everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.channel.groups import best_of_groups, floors


def brute_force(groups: np.ndarray, values: np.ndarray, most: int, behind: float) -> list[int]:
    chosen = []
    for group in np.unique(groups).tolist():
        places = np.flatnonzero(groups == group).tolist()
        places.sort(key=lambda place: -values[place])
        best = values[places[0]]
        chosen += [p for p in places[:most] if values[p] >= best - behind]
    return chosen


@pytest.mark.parametrize("behind", [np.inf, 16.0, 0.5])
@pytest.mark.parametrize(
    ("entries", "number"), [(30, 4), (300, 1), (3000, 7), (3000, 900), (20_000, 40)]
)
def test_they_are_those_of_a_sort(entries: int, number: int, behind: float) -> None:
    generator = np.random.default_rng(entries + number)
    groups = generator.integers(0, number, entries)
    values = generator.normal(-20, 6, entries)
    # Some are equal, some differ by less than packing can tell apart, some are impossible.
    values[::5] = np.round(values[::5])
    values[1::5] = np.round(values[1::5]) + 1e-13 * generator.integers(-3, 3, len(values[1::5]))
    values[::97] = -np.inf
    for some in (groups, np.sort(groups), 1_000_000 * groups):
        found = best_of_groups(some, values, 10, behind)
        assert found.tolist() == brute_force(some, values, 10, behind)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3)), min_size=70, max_size=200))
def test_of_equal_values_the_earlier_ones_stay(entries: list[tuple[int, int]]) -> None:
    groups, values = np.array(entries).T
    found = best_of_groups(groups, values.astype(float), 3, 2.0)
    assert found.tolist() == brute_force(groups, values.astype(float), 3, 2.0)


def test_groups_without_a_possible_entry() -> None:
    groups = np.repeat(np.arange(20), 10)
    found = best_of_groups(groups, np.full(200, -np.inf), 2, 16.0)
    assert found.tolist() == [10 * g + k for g in range(20) for k in (0, 1)]


def test_no_entries() -> None:
    assert not len(best_of_groups(np.zeros(0, np.int64), np.zeros(0), 3))


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-50, 50)), max_size=200), st.integers(1, 20))
def test_floors_are_never_above_the_last_of_the_best(entries: list[tuple[int, float]], most: int):
    groups = np.array([group for group, _ in entries], np.int64)
    values = np.array([value for _, value in entries], float)
    for group, floor in enumerate(floors(groups, values, 4, most).tolist()):
        mine = sorted(values[groups == group].tolist(), reverse=True)
        if len(mine) < most:
            assert floor == -np.inf
        else:
            assert floor <= mine[most - 1]
            # The bound is close where the last one is not far behind.
            if mine[0] - mine[most - 1] < 30:
                assert floor > mine[most - 1] - 0.3
