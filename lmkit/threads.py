"""Work that threads share: NumPy lets go of the interpreter while it works on large arrays."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, TypeVar

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


class Pipeline:
    """Work in threads whose results are taken in the order in which it was given, by the thread
    that gives it. No more waits at a time than keeps ``workers`` threads busy, which bounds memory.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, "lmkit") if workers > 1 else None
        self._most = workers + 1
        self._waiting: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()

    def put(self, task: Callable[[], Result], take: Callable[[Result], None]) -> None:
        """Have ``task`` done, and ``take`` its result once those before it are taken. What tasks
        raise, this or a later call raises, in their order."""
        if self._pool is None:
            take(task())
            return
        self._waiting.append((self._pool.submit(task), take))
        while len(self._waiting) > self._most:
            self._next()

    def drain(self) -> None:
        """Take all results that are still to come."""
        while self._waiting:
            self._next()

    def _next(self) -> None:
        future, take = self._waiting.popleft()
        take(future.result())

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.drain()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
