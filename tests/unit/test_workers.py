"""Processes that share a stream of work: order, errors, deaths and bounds."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Pipe

import pytest

from lmkit.errors import LmkitError
from lmkit.workers import Workers, serve

UPPER = "operator:methodcaller"
"""Of the standard library, since a worker imports no tests: upper() of each item."""


def test_results_come_in_the_order_of_the_items_and_few_are_read_ahead():
    taken = []

    def items():
        for number in range(40):
            taken.append(number)
            yield f"item {number}"

    with Workers(2, UPPER, "upper") as team:
        for number, result in enumerate(team.map(items())):
            assert result == f"ITEM {number}"
            assert len(taken) <= number + 5
        assert list(team.map(["once more"])) == ["ONCE MORE"]
        processes = [worker._process for worker in team._workers]
    assert all(process.returncode is not None for process in processes)


def test_what_a_worker_raises_is_raised_here():
    with Workers(1, UPPER, "upper") as team:
        with pytest.raises(RuntimeError, match=r"AttributeError: 'int' object has no .*'upper'"):
            list(team.map(["a", 3]))
        assert list(team.map(["it goes on"])) == ["IT GOES ON"]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_killed_is_an_error_and_not_the_end_of_the_text(ending):
    with Workers(1, UPPER, "upper") as team:
        results = team.map(["a", "b", "c"])
        assert next(results) == "A"
        team._workers[0]._process.send_signal(ending)
        team._workers[0]._process.wait()
        with pytest.raises(LmkitError, match=rf"a worker has died \(signal {int(ending)}, "):
            list(team.map(["d"]))


def test_a_worker_ends_when_its_parent_is_gone():
    ours, theirs = Pipe()
    descriptor = os.dup(theirs.fileno())
    theirs.close()
    ours.close()
    serve(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
