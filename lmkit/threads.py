"""Work that threads share: NumPy lets go of the interpreter while it works on large arrays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
