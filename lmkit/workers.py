"""Processes that share a stream of work: the same results, in the same order, for any number.

Each worker is a process that calls one function: it is named ``module:function`` and called with
``options`` once, and gives what is called with each item. Items and results travel through a
socket, so that whoever is left notices at once when the other end is gone: a worker whose parent
dies ends, and a worker that dies is an error here.

Threads would not do: what cuts text into tokens and writes rows holds the interpreter.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, Pipe
from typing import Any

from lmkit.errors import LmkitError

_SERVE = "import sys; from lmkit.workers import serve; serve(int(sys.argv[1]))"


class Workers:
    """``count`` processes that work on one stream after the other; use it as a context manager.

    Raises `LmkitError` where a worker dies; what a worker raises is raised here.
    """

    def __init__(self, count: int, function: str, options: Any) -> None:
        self._workers: list[_Worker] = []
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(count, "lmkit-worker")
        self._ahead = 2 * count
        try:
            for _ in range(count):
                worker = _Worker(function, options)
                self._workers.append(worker)
                self._idle.put(worker)
        except BaseException:
            self.close()
            raise

    def map(self, items: Iterable[Any]) -> Iterator[Any]:
        """The result of each of ``items``, in their order. No more than two items a worker are
        read ahead of what has been taken, so memory stays bounded however slow the taker is."""
        pending: deque[Future[Any]] = deque()
        for item in items:
            pending.append(self._pool.submit(self._result, item))
            while pending and (len(pending) >= self._ahead or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _result(self, item: Any) -> Any:
        worker = self._idle.get()
        try:
            return worker(item)
        finally:
            self._idle.put(worker)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for worker in self._workers:
            worker.kill()
        # A thread that waits for an answer sees the end now.
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()


class _Worker:
    def __init__(self, function: str, options: Any) -> None:
        self._connection, theirs = Pipe()
        with contextlib.closing(theirs):
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SERVE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                # Ctrl-C is for the parent, who then ends its workers.
                start_new_session=True,
            )
        self._connection.send((function, options))

    def __call__(self, item: Any) -> Any:
        try:
            self._connection.send(item)
            error, result = self._connection.recv()
        except (EOFError, OSError):
            raise LmkitError(
                f"a worker has died ({_ending(self._process)})",
                "fewer --workers, as each has the model in memory",
            ) from None
        if error is not None:
            raise error
        return result

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.wait()
        self._connection.close()


def _ending(process: subprocess.Popen[bytes]) -> str:
    try:
        status = process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "it does not answer"
    if status < 0:
        return f"signal {-status}, {signal.strsignal(-status)}"
    return f"exit status {status}"


def serve(descriptor: int) -> None:
    """What a worker does: results for items until the other end is closed."""
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, OSError):
        function, options = connection.recv()
        work: Callable[[Any], Any] | None = None
        while True:
            item = connection.recv()
            try:
                work = work or _named(function)(options)
                answer: tuple[Exception | None, Any] = None, work(item)
            except Exception as error:  # noqa: BLE001 - it is raised again in the parent
                answer = _portable(error), None
            connection.send(answer)


def _named(function: str) -> Callable[[Any], Callable[[Any], Any]]:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _portable(error: Exception) -> Exception:
    """What stands for ``error`` in the parent: an exception that survives the way there."""
    if isinstance(error, LmkitError):
        copy = LmkitError(error.message, error.hint)
        copy.exit_code = error.exit_code
        return copy
    if isinstance(error, OSError | MemoryError):
        return error
    found = RuntimeError(f"{type(error).__name__}: {error}")
    found.add_note("".join(traceback.format_exception(error)))
    return found
