"""The server as a process: many clients, slow ones, its memory, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lmkit

from .process import Server, Stream

for package in ("starlette", "uvicorn"):
    pytest.importorskip(package, reason="the extra serve is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]

STREAM = {"prompt": "the", "max_tokens": 1_000_000, "ignore_eos": True, "stream": True}


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("model") / "model.lm"
    lmkit.train(text, output=path, order=3)
    return path


@pytest.fixture
def server(model_file):
    started = []

    def start(*options: str) -> Server:
        started.append(Server(model_file, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def test_fifty_clients_lose_nothing_and_slow_ones_starve_nobody(server, model_file):
    running = server("--max-tokens", "1000000", "--quiet")
    model = lmkit.load(model_file)
    lines = [f"the {word} sat" for word in ("cat", "dog", "mat", "zebra", "naïve")]
    expected = {line: len(model.score(line)[0]) for line in lines}
    slow = [Stream(running, STREAM) for _ in range(4)]  # which read no more, ever
    # Neither does this one ever send what it has announced.
    stalled = socket.create_connection(("127.0.0.1", running.port))
    stalled.sendall(b"POST /score HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")

    def client(number: int) -> int:
        connection = running.connect()
        answered = 0
        for turn in range(12):
            line = lines[(number + turn) % len(lines)]
            connection.request("POST", "/score", json.dumps({"text": line}))
            response = connection.getresponse()
            (found,) = json.loads(response.read())["lines"]
            assert response.status == 200 and found["tokens"] == expected[line]
            answered += 1
        connection.close()
        return answered

    with ThreadPoolExecutor(50) as clients:
        assert sum(clients.map(client, range(50))) == 600
    for stream in slow:
        stream.close()
    stalled.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_is_flat(server):
    running = server("--quiet")

    def some(turns: int) -> None:
        connection = running.connect()
        for turn in range(turns):
            kind = turn % 3
            body = [{"text": "the cat"}, {"prompt": "the", "n": 8}, {"prompt": "a", "stream": True}]
            path = ["/score", "/generate", "/v1/completions"][kind]
            connection.request("POST", path, json.dumps(body[kind]))
            assert connection.getresponse().read()
        connection.close()
        for _ in range(turns // 10):  # some leave early
            Stream(running, {**STREAM, "max_tokens": 4000}).close()

    some(90)
    before = running.resident
    some(300)
    assert running.resident - before < 4_000_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_what_runs(server, number):
    running = server("--max-tokens", "1000000")
    stream = Stream(running, STREAM)
    answers = []
    body = {**STREAM, "stream": False, "max_tokens": 3000, "prompt": "secret"}
    asking = threading.Thread(target=lambda: answers.append(running.ask("/v1/completions", body)))
    asking.start()
    while running.ask_health() < 2:
        pass
    status, said = running.end(number)
    asking.join()
    assert status == 0, said
    assert said.splitlines()[-1] == "stopped"
    assert "127.0.0.1 POST /v1/completions 200 " in said and "secret" not in said
    ((answered, record),) = answers
    assert answered == 200 and record["usage"]["completion_tokens"] == 3000
    assert b'"code":"stopping"' in stream.response.read()
    stream.close()


def test_clients_that_ask_nothing_take_no_place_for_ever(server):
    running = server("--timeout", "0.5", "--max-queue", "1")
    address = ("127.0.0.1", running.port)
    silent = [socket.create_connection(address) for _ in range(256)]
    for one in silent[::2]:
        one.sendall(b"POST /score HTTP/1.1\r\nhost: localhost\r\n")
    later = running.connect()  # which asks once, and then begins to ask again
    for one in silent:
        one.settimeout(20)
        assert one.recv(1) == b""
        one.close()
    later.request("POST", "/score", json.dumps({"text": "the"}))
    assert json.loads(later.getresponse().read())["lines"]
    later.sock.sendall(b"POST /score HTTP/1.1\r\n")
    later.sock.settimeout(20)
    assert later.sock.recv(1) == b""
    later.close()
    code, said = running.end()
    assert code == 0 and "Traceback" not in said


def test_a_second_signal_ends_at_once(server):
    running = server("--max-tokens", "1000000")
    body = {**STREAM, "stream": False}
    connection = running.begin("/v1/completions", body)
    while running.ask_health() < 1:
        pass
    running.process.send_signal(signal.SIGINT)
    # It takes no more connections once the first one has come.
    while True:
        late = running.connect()
        try:
            late.connect()
        except OSError:
            break
        finally:
            late.close()
    status, said = running.end(signal.SIGINT)
    assert status in (0, 130), said
    connection.close()
