"""Work that threads share: NumPy lets go of the interpreter while it works on large arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def parts(count: int, shares: int, unit: int = 1) -> list[slice]:
    """``count`` things in at most ``shares`` stretches of nearly equal length, each but the last
    a multiple of ``unit``."""
    width = -(-count // max(shares, 1))
    width = -(-width // unit) * unit
    return [slice(k, min(k + width, count)) for k in range(0, count, max(width, 1))]


class Team:
    """Runs a list of tasks, the first in the calling thread."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = ThreadPoolExecutor(workers - 1) if workers > 1 else None

    def run(self, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of ``tasks``, in their order."""
        if self._pool is None:
            return [task() for task in tasks]
        futures = [self._pool.submit(task) for task in tasks[1:]]
        try:
            first = tasks[0]()
        finally:
            rest = [future.result() for future in futures]
        return [first, *rest]

    def share(self, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of any number of ``tasks``, in their order; each thread takes the next one
        as soon as it is free."""
        if self._pool is None or len(tasks) < 2:
            return [task() for task in tasks]
        results: dict[int, Result] = {}
        waiting, lock = iter(enumerate(tasks)), threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    k, task = next(waiting, (-1, None))
                if task is None:
                    return
                results[k] = task()

        self.run([work] * min(self.workers, len(tasks)))
        return [results[k] for k in range(len(tasks))]

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def shared(task: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """``task`` of each of ``items``, in their order. The calling thread is one of the ``threads``;
    each takes the next item as soon as it is free.

    Whatever a task raises is raised here, once no thread works any more; after that no item is
    begun.
    """
    if threads < 2 or len(items) < 2:
        return [task(item) for item in items]
    results: dict[int, Result] = {}
    waiting, lock, stopped = iter(enumerate(items)), threading.Lock(), threading.Event()

    def work() -> None:
        try:
            while not stopped.is_set():
                with lock:
                    place, item = next(waiting, (-1, None))
                if place < 0:
                    return
                results[place] = task(item)  # type: ignore[arg-type]
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(min(threads, len(items)) - 1, "lmkit") as pool:
        helpers = [pool.submit(work) for _ in range(min(threads, len(items)) - 1)]
        work()
        for helper in helpers:
            helper.result()
    return [results[place] for place in range(len(items))]
