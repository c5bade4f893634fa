"""The queue and the thread behind it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lmkit.serving.refusals import Refused
from lmkit.serving.worker import Group, Job, Worker

FOREVER = 1e9


@pytest.fixture
def worker():
    made = Worker(8, lambda error: None)
    made.start()
    yield made
    made.close()


def run(talk):
    return asyncio.run(talk)


def test_a_place_is_free_before_the_client_knows(worker, monkeypatch):
    """Else a client that asks again at once could find the queue full of what is done."""
    loads = []
    send = Job.send

    def watched(job, items, ended, error=None):
        if ended:
            loads.append(worker.load)
        send(job, items, ended, error)

    monkeypatch.setattr(Job, "send", watched)
    group = Group(lambda payloads: payloads, lambda payload: 1, 4)

    def broken():
        yield 1
        raise ValueError

    async def talk():
        await worker.submit(group=group, payload=1).result(FOREVER, 1)
        await worker.submit(iter([1, 2])).result(FOREVER, 1)
        with pytest.raises(Refused):
            await worker.submit(broken()).result(FOREVER, 1)

    run(talk())
    assert loads == [0, 0, 0]


def test_jobs_take_turns(worker, monkeypatch):
    from lmkit.serving import worker as module

    monkeypatch.setattr(module, "SLICE", 0.0)
    order = []
    both = threading.Event()

    def steps(name):
        assert both.wait(20)
        for _ in range(3):
            order.append(name)
            yield None

    async def talk():
        jobs = [worker.submit(steps(name)) for name in "ab"]
        both.set()
        for job in jobs:
            await job.result(FOREVER, 1)

    run(talk())
    assert order == ["a", "b"] * 3


def test_a_group_takes_what_waits_but_no_more_than_fits(worker):
    seen = []
    all_wait = threading.Event()

    def first():
        assert all_wait.wait(20)
        yield None

    def together(payloads):
        seen.append(list(payloads))
        return payloads

    group = Group(together, lambda payload: payload, 10)

    async def talk():
        begun = worker.submit(first())
        jobs = [worker.submit(group=group, payload=size) for size in (4, 5, 3, 20)]
        all_wait.set()
        await begun.result(FOREVER, 1)
        return [await job.result(FOREVER, 1) for job in jobs]

    assert run(talk()) == [4, 5, 3, 20]
    assert seen == [[4, 5], [3], [20]]


def test_a_group_that_fails_tells_each_of_its_jobs(worker):
    def together(payloads):
        raise ZeroDivisionError

    async def talk():
        with pytest.raises(Refused) as refused:
            await worker.submit(group=Group(together, len, 1), payload="a").result(FOREVER, 1)
        return refused.value.status

    assert run(talk()) == 500


def test_a_cancelled_job_is_not_worked_on(worker):
    reached = []
    go = threading.Event()

    def first():
        assert go.wait(20)
        yield None

    def never():
        reached.append(1)
        yield None

    async def talk():
        job = worker.submit(first())
        worker.cancel(worker.submit(never()))
        go.set()
        await job.result(FOREVER, 1)
        await worker.submit(iter([1])).result(FOREVER, 1)

    run(talk())
    assert reached == []
