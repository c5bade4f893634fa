"""Work that threads share: NumPy lets go of the interpreter while it works on large arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
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
    """``workers`` threads, the calling one among them, for one list of tasks after the other."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = ThreadPoolExecutor(workers - 1, "lmkit") if workers > 1 else None

    def run(self, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of at most as many ``tasks`` as there are workers, in their order, the first
        in the calling thread."""
        if self._pool is None:
            return [task() for task in tasks]
        futures = [self._pool.submit(task) for task in tasks[1:]]
        try:
            first = tasks[0]()
        finally:
            wait(futures)
        return [first, *(future.result() for future in futures)]

    def share(self, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of any number of ``tasks``, in their order; each thread takes the next one
        as soon as it is free.

        Whatever a task raises is raised here, once no thread works any more; after that no task
        is begun.
        """
        if self._pool is None or len(tasks) < 2:
            return [task() for task in tasks]
        results: dict[int, Result] = {}
        waiting, lock, stopped = iter(enumerate(tasks)), threading.Lock(), threading.Event()

        def work() -> None:
            try:
                while not stopped.is_set():
                    with lock:
                        place, task = next(waiting, (-1, None))
                    if task is None:
                        return
                    results[place] = task()
            except BaseException:
                stopped.set()
                raise

        self.run([work] * min(self.workers, len(tasks)))
        return [results[place] for place in range(len(tasks))]

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def shared(task: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """``task`` of each of ``items``, in their order, as `Team.share` does it with so many
    ``threads``, the calling one among them."""
    with Team(min(threads, len(items))) as team:
        return team.share([partial(task, item) for item in items])
