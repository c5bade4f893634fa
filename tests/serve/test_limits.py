"""A full queue, clients that leave or read slowly, time that runs out, an end that comes."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lmkit.serving.limits import Limits

BODY = {"prompt": "the", "max_tokens": 5, "seed": 1}
LONG = {"prompt": "the", "max_tokens": 4096, "ignore_eos": True, "stream": True}


class Held:
    """A model whose next token waits until it is let go."""

    def __init__(self, model):
        self._model = model
        self.go = threading.Event()
        self.reached = threading.Event()

    def __getattr__(self, name):
        return getattr(self._model, name)

    def draw_next(self, *words):
        self.reached.set()
        assert self.go.wait(20)
        return self._model.draw_next(*words)


async def begun(held):
    assert await asyncio.to_thread(held.reached.wait, 20)


@pytest.fixture
def held(model):
    held = Held(model)
    yield held
    held.go.set()


def test_a_full_queue_refuses_and_loses_nothing(served, held):
    asking = served(held, Limits(queue=3))

    async def run():
        tasks = [asyncio.create_task(asking.talk("/v1/completions", BODY).run()) for _ in range(3)]
        await begun(held)
        while asking.service.worker.load < 3:
            await asyncio.sleep(0)
        refused = [await asking.talk("/score", {"text": "a"}).run() for _ in range(5)]
        held.go.set()
        return (
            refused,
            await asyncio.gather(*tasks),
            await asking.talk("/v1/completions", BODY).run(),
        )

    refused, answers, later = asyncio.run(run())
    for answer in refused:
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.record["error"]["code"] == "queue_full"
    texts = [answer.record["choices"][0]["text"] for answer in (*answers, later)]
    assert texts == [texts[0]] * 4


def test_no_answer_is_lost_or_mixed_up_among_many_clients(served, model):
    asking = served(model, Limits(queue=48))
    lines = [f"{word} {other}" for word in ("the", "a", "dog", "x") for other in ("cat", "mat")]

    async def run():
        async def client(line):
            return [await asking.talk("/score", {"text": line}).run() for _ in range(5)]

        return await asyncio.gather(*(client(line) for line in lines * 6))

    expected = {line: asking.told("/score", {"text": line}) for line in lines}
    for line, answers in zip(lines * 6, asyncio.run(run()), strict=True):
        for answer in answers:
            (found,) = answer.record["lines"]
            assert found == pytest.approx(expected[line]["lines"][0])
    assert asking.service.worker.load == 0


def test_a_long_request_holds_up_no_short_one(served, model):
    asking = served(model)

    async def run():
        long = asking.talk("/v1/completions", LONG)
        task = asyncio.create_task(long.run())
        await long.began.wait()
        answer = await asking.talk("/score", {"text": "the cat"}).run()
        still = not task.done()
        long.leave()
        await task
        return answer, still

    answer, still = asyncio.run(run())
    assert answer.status == 200
    assert still


def test_a_client_that_reads_nothing_holds_no_place(served, model):
    asking = served(model, Limits(queue=1))

    async def run():
        slow = asking.talk("/v1/completions", {**LONG, "max_tokens": 200})
        slow.reads.clear()
        task = asyncio.create_task(slow.run())
        await slow.began.wait()
        while asking.service.worker.load:
            await asyncio.sleep(0)
        answer = await asking.talk("/score", {"text": "the cat"}).run()
        assert len(slow.sent) == 1
        slow.reads.set()
        return answer, await task

    answer, stream = asyncio.run(run())
    assert answer.status == 200
    assert stream.events[-1]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_place(served, held, stream):
    asking = served(held, Limits(queue=1))

    async def run():
        talk = asking.talk("/v1/completions", {**LONG, "stream": stream})
        task = asyncio.create_task(talk.run())
        await begun(held)
        talk.leave()
        with pytest.raises((ValueError, AssertionError)):
            (await task).events  # noqa: B018 - nothing, or no end
        held.go.set()
        while asking.service.worker.load:
            await asyncio.sleep(0)
        return await asking.talk("/score", {"text": "a"}).run()

    assert asyncio.run(run()).status == 200
    assert "the client has gone" in asking.lines[0]


@pytest.mark.parametrize("stream", [True, False])
def test_work_that_takes_too_long_is_ended(served, held, stream):
    asking = served(held, Limits(timeout=0.05))
    answer = asking.post("/v1/completions", {**BODY, "stream": stream})
    assert answer.status == 504
    assert answer.record["error"]["code"] == "timeout"


def test_a_body_that_does_not_come_is_not_waited_for(served, model):
    asking = served(model, Limits(timeout=0.05))

    async def run():
        talk = asking.talk("/score", b"")
        talk.incoming.get_nowait()
        talk.incoming.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
        return await talk.run()

    assert asyncio.run(run()).status == 408


def test_a_client_that_never_reads_is_cut_off(served, model, monkeypatch):
    from lmkit.serving import app

    monkeypatch.setattr(app, "GRACE", 0.0)
    asking = served(model, Limits(timeout=0.05))

    async def run():
        talk = asking.talk("/v1/completions", LONG)
        talk.reads.clear()
        with pytest.raises(app.Gone):
            await talk.run()

    asyncio.run(run())
    assert "cut off" in asking.lines[0]


def test_a_client_that_leaves_before_its_body_is_there_is_no_error(served, model):
    asking = served(model)

    async def run():
        talk = asking.talk("/score", b"")
        talk.incoming.get_nowait()
        talk.incoming.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
        talk.leave()
        await talk.run()

    asyncio.run(run())
    (line,) = asking.lines
    assert line.startswith("127.0.0.1 POST /score - ") and line.endswith("the client has gone")


def test_a_body_that_is_compressed_is_refused_by_name(served, model):
    answer = served(model).post("/score", b"\x1f\x8b", **{"content-encoding": "gzip"})
    assert answer.status == 415
    assert "Content-Encoding" in answer.record["error"]["message"]
    plain = served(model).post("/score", {"text": "a"}, **{"content-encoding": "identity"})
    assert plain.status == 200


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_too_large(served, model, chunked):
    asking = served(model, Limits(request_bytes=1000))
    body = b'{"text": "' + b"a" * 1000 + b'"}'
    headers = {} if chunked else {"content-length": str(len(body))}
    answer = asking.post("/score", body, **headers)
    assert answer.status == 413
    assert answer.record["error"]["code"] == "too_large"


def test_the_end_stops_streams_and_lets_the_others_finish(served, held):
    asking = served(held)

    async def run():
        running = asyncio.create_task(asking.talk("/v1/completions", BODY).run())
        await begun(held)
        stream = asking.talk("/v1/completions", {**LONG, "echo": True})
        streaming = asyncio.create_task(stream.run())
        while asking.service.worker.load < 2:
            await asyncio.sleep(0)
        asking.service.worker.stop()
        late = await asking.talk("/score", {"text": "a"}).run()
        held.go.set()
        return await running, await streaming, late

    running, streaming, late = asyncio.run(run())
    assert running.status == 200
    assert running.record["choices"][0]["finish_reason"]
    assert streaming.record["error"]["code"] == "stopping"
    assert (late.status, late.record["error"]["code"]) == (503, "stopping")


def test_the_end_waits_for_no_body(served, model):
    asking = served(model)

    async def run():
        talk = asking.talk("/score", b"")
        talk.incoming.get_nowait()
        talk.incoming.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
        task = asyncio.create_task(talk.run())
        while not talk.incoming.empty():
            await asyncio.sleep(0)
        asking.app.stop()
        asking.app.stop()
        return await task, await asking.talk("/score", {"text": "a"}).run()

    for answer in asyncio.run(run()):
        assert (answer.status, answer.record["error"]["code"]) == (503, "stopping")


def test_a_stream_under_way_ends_with_an_error(served, model):
    asking = served(model)

    async def run():
        talk = asking.talk("/v1/completions", LONG)
        task = asyncio.create_task(talk.run())
        await talk.began.wait()
        asking.service.worker.stop()
        return await task

    body = asyncio.run(run()).body.decode()
    assert "[DONE]" not in body
    assert '"code":"stopping"' in body.split("data: ")[-1]


def test_an_unexpected_error_tells_nothing_of_the_text(served, model):
    class Broken:
        def __getattr__(self, name):
            return getattr(model, name)

        def score(self, batch, state=None):
            raise ZeroDivisionError("secret")

    failures = []
    asking = served(Broken())
    asking.service.worker._failed = failures.append
    answer = asking.post("/score", {"text": "secret"})
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert isinstance(failures[0], ZeroDivisionError)
    assert asking.post("/next", {}).status == 200


class TestOtherSites:
    HOSTS = frozenset({"localhost"})

    @pytest.mark.parametrize(
        "headers, status",
        [
            ({"host": "localhost:8000"}, 200),
            ({"host": "LOCALHOST"}, 200),
            ({"host": "evil.example:8000"}, 403),
            ({"host": ""}, 403),
            ({"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
            ({"host": "localhost:8000", "origin": "http://evil.example"}, 403),
            ({"host": "localhost:8000", "origin": "http://localhost:9000"}, 403),
            ({"host": "localhost:8000", "origin": "null"}, 403),
        ],
    )
    def test_only_those_of_its_own_are_answered(self, served, model, headers, status):
        asking = served(model, hosts=self.HOSTS)
        assert asking.post("/score", {"text": "a"}, **headers).status == status

    def test_any_host_where_others_may_ask(self, served, model):
        assert served(model).post("/score", {"text": "a"}, host="any.example").status == 200
