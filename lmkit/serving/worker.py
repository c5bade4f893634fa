"""The one thread that works on the model, and the requests that wait for it.

A `Job` is a generator: each step is a bit of work. The thread gives each job a slice of time in
turn, so that a long one holds up nobody. Jobs of one `Group` that wait together are done in one
go. What is finished goes to the event loop, where `Job.batches` waits for it. A job holds its place
in the queue until its work is done, however slowly its client reads.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lmkit.serving.refusals import Refused, full, of_error, stopping, timed_out

SLICE = 0.010
"""Seconds of work on one job before the next one has its turn."""


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that are better done together: ``run`` answers several, each with its result or with
    an exception; ``size`` tells how large one is, and ``most`` how large all of one go may be."""

    run: Callable[[Sequence[Any]], Sequence[Any]]
    size: Callable[[Any], int]
    most: int


class Job:
    """A request at work. Made in the event loop by `Worker.submit`; its other half lives in the
    thread."""

    def __init__(self, steps: Iterator[Any] | None, group: Group | None, payload: Any) -> None:
        self.steps = steps
        self.group = group
        self.payload = payload
        self.streams = False
        self.cancelled = False
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._items: list[Any] = []
        self._ended = False
        self._error: Refused | None = None

    async def batches(self, deadline: float, timeout: float) -> AsyncIterator[list[Any]]:
        """What the steps have yielded, as it comes: all that is there each time. Raises
        `Refused` for what they have raised, and at ``deadline`` (of the loop's clock), ``timeout``
        seconds after the beginning."""
        while True:
            if self._items:
                items, self._items = self._items, []
                yield items
            elif self._ended:
                if self._error is not None:
                    raise self._error
                return
            else:
                self._arrived.clear()
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._arrived.wait()
                except TimeoutError:
                    raise timed_out(timeout) from None

    async def result(self, deadline: float, timeout: float) -> Any:
        """The last item, of a job that has only one to tell."""
        found = None
        async for items in self.batches(deadline, timeout):
            found = items[-1]
        return found

    def deliver(self, items: Sequence[Any], ended: bool, error: Refused | None) -> None:
        """In the event loop: what the thread has to say."""
        if not self._ended:
            self._items.extend(items)
            self._ended, self._error = ended, error
            self._arrived.set()

    def send(self, items: Sequence[Any], ended: bool, error: Refused | None = None) -> None:
        """In the thread: hand on to the event loop."""
        if items or ended:
            try:
                self._loop.call_soon_threadsafe(self.deliver, items, ended, error)
            except RuntimeError:
                self.cancelled = True  # the loop is closed, and nobody waits any more


class Worker:
    """The thread, and at most ``places`` jobs. ``failed`` is told of unexpected errors, from the
    thread."""

    def __init__(self, places: int, failed: Callable[[BaseException], None]) -> None:
        self._places = places
        self._failed = failed
        self._jobs: deque[Job] = deque()
        self._at_work = 0
        self._changed = threading.Condition()
        self._closed = False
        self._stopping = False
        # Whoever ends the process by force does not wait for a step to end.
        self._thread = threading.Thread(target=self._run, name="lmkit-model", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    @property
    def load(self) -> int:
        """How many jobs wait or are worked on."""
        return len(self._jobs) + self._at_work

    def submit(
        self,
        steps: Iterator[Any] | None = None,
        *,
        group: Group | None = None,
        payload: Any = None,
        streams: bool = False,
    ) -> Job:
        """Queue the ``steps``, or a ``payload`` for ``group``; in the event loop. Raises `Refused`
        if there is no place, or no time any more."""
        job = Job(steps, group, payload)
        job.streams = streams
        with self._changed:
            if self._stopping:
                raise stopping()
            if self.load >= self._places:
                raise full()
            self._jobs.append(job)
            self._changed.notify()
        return job

    def cancel(self, job: Job) -> None:
        """Nobody waits for ``job``: its place is free as soon as the step at work ends."""
        with self._changed:
            job.cancelled = True
            if job in self._jobs:
                self._jobs.remove(job)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def stop(self) -> None:
        """Take no more jobs, and end those that stream; the others go on to their end."""
        with self._changed:
            self._stopping = True
            streaming = [job for job in self._jobs if job.streams]
        for job in streaming:
            self.cancel(job)
            job.send((), True, stopping())

    def close(self) -> None:
        """End the thread, after `stop`, once no job is left."""
        with self._changed:
            self._stopping = self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._jobs:
                    if self._closed:
                        return
                    self._changed.wait()
                jobs = self._next()
                self._at_work = len(jobs)
            if jobs[0].group is not None:
                self._together(jobs[0].group, jobs)
            else:
                self._slice(jobs[0])

    def _next(self) -> list[Job]:
        first = self._jobs.popleft()
        group = first.group
        if group is None:
            return [first]
        jobs, size = [first], group.size(first.payload)
        for job in list(self._jobs):
            if job.group is group:
                size += group.size(job.payload)
                if size > group.most:
                    break
                jobs.append(job)
                self._jobs.remove(job)
        return jobs

    def _together(self, group: Group, jobs: list[Job]) -> None:
        try:
            answers = group.run([job.payload for job in jobs])
        except Exception as error:  # noqa: BLE001 - a request's failure is not the server's
            answers = [error] * len(jobs)
        self._done(len(jobs))
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, Exception):
                job.send((), True, self._told(answer))
            else:
                job.send((answer,), True)

    def _slice(self, job: Job) -> None:
        """Some steps of ``job``, which then goes to the end of the queue."""
        until = time.monotonic() + SLICE
        items: list[Any] = []
        try:
            for item in job.steps or ():
                if item is not None:
                    items.append(item)
                if time.monotonic() >= until or job.cancelled:
                    break
            else:
                self._done(1)
                job.send(items, True)
                return
        except Exception as error:  # noqa: BLE001 - a request's failure is not the server's
            self._done(1)
            job.send(items, True, self._told(error))
            return
        job.send(items, False)
        with self._changed:
            self._at_work = 0
            if job.cancelled:
                return
            if not (self._stopping and job.streams):
                self._jobs.append(job)
                return
        job.send((), True, stopping())

    def _done(self, count: int) -> None:
        """So many places are free again: before the clients, who may ask again, know it."""
        with self._changed:
            self._at_work -= count

    def _told(self, error: BaseException) -> Refused:
        refused = of_error(error)
        if refused.status == 500:
            self._failed(error)
        return refused
