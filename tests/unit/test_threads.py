"""Threads that share work: the same results, in order; errors and interruptions come through."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from lmkit import threads as threads_module
from lmkit.cores import MOST_THREADS, available_cores
from lmkit.threads import Team, parts, shared


def stop_of(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What the threads of the next `shared` tell each other that they stop."""
    stopped = threading.Event()
    ours = SimpleNamespace(Event=lambda: stopped, Lock=threading.Lock)
    monkeypatch.setattr(threads_module, "threading", ours)
    return stopped


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("many", [0, 1, 2, 40])
def test_results_come_in_order(threads: int, many: int) -> None:
    ended = [threading.Event() for _ in range(many)]

    def slow_first(item: int) -> int:
        # With another thread at hand, the first one ends after the second one.
        if item == 0 and threads > 1 and many > 1:
            assert ended[1].wait(60)
        ended[item].set()
        return item * item

    assert shared(slow_first, range(many), threads) == [item * item for item in range(many)]


def test_two_threads_work_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=60)
    assert len(shared(lambda _: both.wait(), range(2), 2)) == 2


@pytest.mark.parametrize("bad", [0, 7, 39])
def test_what_a_task_raises_is_raised_and_nothing_is_begun_after_it(
    bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, stopped = [], stop_of(monkeypatch)

    def task(item: int) -> None:
        begun.append(item)
        if item == bad:
            raise ValueError(f"item {item}")
        if item > bad:
            assert stopped.wait(60)  # until the thread of the bad one has said so

    with pytest.raises(ValueError, match=f"item {bad}"):
        shared(task, range(40), 2)
    assert len(begun) <= bad + 2


def test_an_interruption_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    caller, stopped = threading.current_thread(), stop_of(monkeypatch)
    ended = []

    def task(item: int) -> None:
        if threading.current_thread() is caller:
            raise KeyboardInterrupt
        assert stopped.wait(60)
        ended.append(item)

    with pytest.raises(KeyboardInterrupt):
        shared(task, range(1000), 2)
    # The other thread ends what it has begun, and no more.
    assert len(ended) <= 1


def test_a_team_goes_on_after_a_task_that_failed() -> None:
    def bad() -> int:
        raise ValueError("bad")

    with Team(3) as team:
        with pytest.raises(ValueError, match="bad"):
            team.run([lambda: 1, bad, lambda: 2])
        assert team.share([lambda k=k: k for k in range(9)]) == list(range(9))  # type: ignore[misc]
        assert team.run([lambda: 1, lambda: 2]) == [1, 2]


def test_parts_are_nearly_equal_and_end_at_whole_units() -> None:
    assert parts(10, 3) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert parts(10, 2, unit=4) == [slice(0, 8), slice(8, 10)]
    assert parts(2, 5) == [slice(0, 1), slice(1, 2)]
    assert parts(0, 3) == []


def test_as_many_threads_as_there_are_cores_but_not_too_many() -> None:
    assert 1 <= available_cores() <= MOST_THREADS
