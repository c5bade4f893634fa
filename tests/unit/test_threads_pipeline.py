"""`lmkit.threads.Pipeline`: results in order, however long each takes; errors in order too."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from lmkit.threads import Pipeline


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_order(workers: int) -> None:
    taken: list[int] = []
    late = threading.Event()

    def work(number: int) -> int:
        if number == 0 and workers > 1:
            late.wait(10)  # The second is ready before the first.
        if number == 1:
            late.set()
        return number

    with Pipeline(workers) as pipeline:
        for number in range(20):
            pipeline.put(partial(work, number), taken.append)
    assert taken == list(range(20))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_is_raised_and_nothing_behind_it_taken(workers: int) -> None:
    taken: list[float] = []

    def run() -> None:
        with Pipeline(workers) as pipeline:
            for number in (2, 1, 0, 0, 4):
                pipeline.put(partial(lambda x: 1 / x, number), taken.append)

    with pytest.raises(ZeroDivisionError):
        run()
    assert taken == [0.5, 1.0]
