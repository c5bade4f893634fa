"""Servers that never end, lie about lengths, lead elsewhere, or write to the terminal: each is one
error within bounds of bytes and time, and leaves nothing behind."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from lmkit.datasets import connection, fetch, get_dataset
from lmkit.datasets.catalogue import LARGEST, LEAST_SECONDS, SLOWEST, Dataset, Source, catalogue
from lmkit.datasets.connection import may_follow
from lmkit.errors import LmkitError
from lmkit.home import home_directory

from ..mirror import TEXT, fails, git_blob, left_behind

Answer = Callable[[BinaryIO], object]
FOUND = b"HTTP/1.1 200 OK\r\n"
CLOSED = b"Connection: close\r\n\r\n"


class Server(socketserver.ThreadingTCPServer):
    """Sends what ``answer`` writes to any request, and remembers the requests' first bytes."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer = lambda out: None
        self.asked: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        line = self.rfile.readline()
        self.server.asked.append(line)
        if line[:1] != b"G":  # of TLS, which nobody answers
            return
        while self.rfile.readline().strip():
            pass
        with suppress(OSError):
            self.server.answer(self.wfile)  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(fetch, "RETRY_DELAYS_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 10.0)
    known = dict(catalogue())
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("LMKIT_DATA_MIRROR", f"http://127.0.0.1:{running.port}")
        add(size=len(TEXT))
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()
            catalogue().clear()
            catalogue().update(known)


def add(**how: Any) -> None:
    """The data set ``small``, of which the catalogue knows ``how``."""
    source = Source("owner/name", "0" * 40, "small", git_blob(TEXT), **how)
    catalogue()["small"] = Dataset("small", "for a test", "none", "https://a", {"all": source})


def endless(head: bytes, part: bytes) -> Answer:
    """``head`` and then ``part`` until nobody listens."""

    def answer(out: BinaryIO) -> None:
        out.write(head)
        while True:
            out.write(part)

    return answer


def ticking(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A clock that goes on by so much whenever it is looked at."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += seconds
        return now

    monkeypatch.setattr(fetch, "clock", clock)


@pytest.mark.parametrize("how", [{"size": 100_000}, {"largest": 100_000}])
@pytest.mark.parametrize(
    "head",
    [FOUND + CLOSED, FOUND + b"Transfer-Encoding: chunked\r\n" + CLOSED],
    ids=["no length", "chunked"],
)
def test_a_body_without_end_takes_no_more_room_than_the_file_may(
    server: Server, how: dict[str, int], head: bytes
) -> None:
    add(**how)
    chunk = b"x" * 50_000
    if b"chunked" in head:
        chunk = b"c350\r\n" + chunk + b"\r\n"
    server.answer = endless(head, chunk)
    sizes: list[int] = []
    body = home_directory() / "data/.partial/small-all.partial"

    def watch(split: str, done: int, total: int | None) -> None:
        sizes.append(max(done, body.stat().st_size))

    with pytest.raises(fetch.DownloadError, match="sent more than 100000 bytes") as caught:
        get_dataset("small", progress=watch)
    assert "\n" not in str(caught.value)
    assert max(sizes) <= 100_000
    assert left_behind() == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("resumable", [True, False])
def test_a_slow_body_ends_with_the_time(
    server: Server, monkeypatch: pytest.MonkeyPatch, resumable: bool
) -> None:
    add(size=10**9, seconds=500)  # of which there is no time to take so much
    ticking(monkeypatch, 7)
    ranges = b"Accept-Ranges: bytes\r\n" if resumable else b""
    server.answer = endless(FOUND + ranges + CLOSED, b"x")
    error = fails()
    assert "it was not whole within 500 seconds" in error.message
    kept = "are kept" if resumable else "nothing was kept"
    assert kept in error.message
    assert bool(left_behind()) == resumable


def test_a_slow_head_ends_with_the_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    add(size=len(TEXT), seconds=500)
    ticking(monkeypatch, 50)
    server.answer = endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
    assert "it was not whole within 500 seconds" in fails().message
    assert left_behind() == []


def test_all_attempts_together_have_the_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that breaks again and again gets no more time by that."""
    monkeypatch.setattr(fetch, "RETRY_DELAYS_SECONDS", (0.0,) * 10_000)
    add(size=len(TEXT), seconds=500)
    ticking(monkeypatch, 50)
    server.answer = lambda out: out.write(FOUND + CLOSED)
    assert "it was not whole within 500 seconds" in fails().message
    assert len(server.asked) < 10


@pytest.mark.parametrize("length", [b"9" * 5000, b"9" * 20, b"300001", b"00" + b"9" * 18])
def test_lengths_that_cannot_be_are_refused_at_once(server: Server, length: bytes) -> None:
    server.answer = endless(FOUND + b"Content-Length: " + length + b"\r\n" + CLOSED, b"x")
    error = fails()
    assert "that are not the pinned file" in error.message
    assert len(str(error)) < 500
    assert left_behind() == []


@pytest.mark.parametrize("length", ["", "-1", "1e5", "0x10", "٣٠٠", "300000, 300000", "\x1b[2J"])
def test_lengths_that_are_no_number_say_nothing(server: Server, length: str) -> None:
    head = FOUND + b"Content-Length: " + length.encode() + b"\r\n" + CLOSED
    server.answer = lambda out: out.write(head + TEXT)
    assert get_dataset("small")["all"].read_bytes() == TEXT


@pytest.mark.parametrize(
    "sent",
    [
        b"\x1b]0;owned\x07\x9b2J\xc2\x9b\x08\r\n\r\n",
        b"HTTP/1.1 \x1b[31m200\x1b[0m OK\r\n\r\n",
        b"\x1b" * 60_000 + b"\r\n\r\n",
        b"\x1b" * 70_000,
        FOUND + b"\x1b[2J: \x1b[2J\r\n" * 101,
    ],
)
def test_what_a_server_says_reaches_nobody_as_it_is(server: Server, sent: bytes) -> None:
    server.answer = lambda out: out.write(sent)
    error = str(fails())
    assert error.isprintable() and len(error) < 700
    assert left_behind() == []


@pytest.mark.parametrize(
    "address",
    [
        *("ftp://127.0.0.1/x", "file:///etc/passwd", "data:,x", "javascript:x", "HTTP://a.example/"),
        *("http://192.0.2.1/x", "//192.0.2.1/x", "http://127.0.0.1.example/x", "http://[bad/"),
        *("http://127.0.0.1@192.0.2.1/", "http://a\x1b[2Jb.example/", "https://", "ftp:x"),
    ],
)  # fmt: skip
def test_redirects_to_anything_but_https_are_not_followed(server: Server, address: str) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: " + address.encode() + b"\r\n"
    server.answer = lambda out: out.write(head + b"Content-Length: 0\r\n" + CLOSED)
    error = fails()
    assert "which is not an https address" in error.message
    assert str(error).isprintable()
    assert len(server.asked) == 1
    assert left_behind() == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_the_body_of_a_redirect_is_not_read(server: Server, code: int) -> None:
    def answer(out: BinaryIO) -> None:
        if len(server.asked) == 1:
            head = b"HTTP/1.1 %d Found\r\nLocation: /elsewhere\r\n" % code
            endless(head + CLOSED, b"x" * 50_000)(out)
        out.write(FOUND + CLOSED + TEXT)

    server.answer = answer
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert server.asked[1].startswith(b"GET /elsewhere ")


@pytest.mark.parametrize("port", ["99999999", "-1", "x"])
def test_redirects_to_ports_that_cannot_be(server: Server, port: str) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:" + port.encode() + b"/\r\n"
    server.answer = lambda out: out.write(head + CLOSED)
    assert str(fails()).isprintable()
    assert left_behind() == []


def test_redirects_to_https_are_followed(server: Server) -> None:
    """There is no TLS here, but it was asked for."""
    head = b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:%d/x\r\n" % server.port
    server.answer = lambda out: out.write(head + CLOSED)
    assert "cannot fetch small" in fails().message
    assert any(line[:1] == b"\x16" for line in server.asked)


def test_what_may_be_followed() -> None:
    for url in (
        "https://a.example/x",
        "http://127.0.0.1:80/",
        "http://localhost/",
        "http://[::1]/",
    ):
        assert may_follow(url)
    for url in ("", "/x", "http://", "https://", "ftp://127.0.0.1/", "http://localhost.example/"):
        assert not may_follow(url)


def test_bounds_follow_from_the_catalogue() -> None:
    unknown = Source("a/b", "0" * 40, "c")
    assert (unknown.most_bytes, unknown.most_seconds) == (
        LARGEST,
        LEAST_SECONDS + LARGEST / SLOWEST,
    )
    known = Source("a/b", "0" * 40, "c", size=16_384, seconds=None)
    assert (known.most_bytes, known.most_seconds) == (16_384, 61.0)
    assert Source("a/b", "0" * 40, "c", seconds=5).most_seconds == 5
    for dataset in catalogue().values():
        for source in filter(None, dataset.splits.values()):
            assert source.most_bytes <= 16_000_000
            assert source.most_seconds < 1200


@pytest.mark.parametrize("mirror", ["http://me:secret@127.0.0.1:9/a", "ftp://me:secret@h/a"])
def test_no_password_of_a_mirror_is_shown(
    mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LMKIT_DATA_MIRROR", mirror)
    monkeypatch.setattr(fetch, "RETRY_DELAYS_SECONDS", ())
    with pytest.raises(LmkitError) as found:
        get_dataset("wikitext-2", "train")
    assert "secret" not in str(found.value)
