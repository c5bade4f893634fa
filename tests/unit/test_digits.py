"""Numbers as text, many at a time: what Python's ``%`` gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lmkit.ngram.digits import WIDTH, count_text, log10_text, short_log10

LOGS = st.one_of(
    st.floats(-230, 0, width=32),
    st.floats(-(2.0**127), 2.0**127, width=32),
    st.floats(-(2.0**-10), 2.0**-10, width=32),
    st.sampled_from([-np.inf, 0.0, -0.0, 2.3025851, -2.3025851, -230.2585, -0.00023025851]),
)


def texts(rows: np.ndarray) -> list[str]:
    return [bytes(row).replace(b"\0", b"").decode() for row in rows]


@given(st.lists(LOGS, max_size=40))
def test_logarithms(values: list[float]) -> None:
    stored = np.array(values, np.float32)
    written = log10_text(stored)
    assert written.shape == (len(values), WIDTH)
    assert texts(written) == [f"{number:.9g}" for number in short_log10(stored).tolist()]


def test_logarithms_by_hand() -> None:
    log10 = np.array([-1.5, -99, 0, -0.25, -12.34567, -1e-5, -100, -0.0001, -10])
    expected = ["-1.5", "-99", "0", "-0.25", "-12.34567", "-1e-05", "-100", "-0.0001", "-10"]
    assert texts(log10_text((log10 * np.log(10)).astype(np.float32))) == expected


def test_many_logarithms_mean_what_is_stored() -> None:
    stored = np.log(np.random.default_rng(1).random(20_000)).astype(np.float32)
    again = np.array(texts(log10_text(stored)), np.float64) * np.log(10)
    np.testing.assert_array_equal(again.astype(np.float32), stored)


@given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 20_000), max_size=30))
def test_whole_numbers(values: list[int]) -> None:
    assert texts(count_text(np.array(values, np.int64))) == list(map(str, values))


def test_whole_numbers_of_small_types() -> None:
    values = [0, 9, 10, 99, 100, 255]
    assert texts(count_text(np.array(values, np.uint8))) == list(map(str, values))
