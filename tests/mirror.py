"""A file server on the loopback interface that fails in every way a real one does, and what
the tests of downloads from it share."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lmkit.datasets import fetch, get_dataset
from lmkit.datasets.catalogue import Dataset, Source, catalogue
from lmkit.errors import DownloadError
from lmkit.home import home_directory

COMMIT = "0" * 40

TEXT = random.Random(1).randbytes(300_000)
"""Longer than a block of the reader, so that a download has a middle."""

ATTEMPTS = 1 + len(fetch.RETRY_DELAYS_SECONDS)

PARTIAL = [".partial", ".partial/small-all.json", ".partial/small-all.partial"]
"""What is left behind of a download of the data set ``small`` that can go on."""


def broken() -> list[int | None]:
    """All attempts of one call are cut off, each after 100 bytes."""
    return [100] * ATTEMPTS


def left_behind() -> list[str]:
    """Every file and directory below data/ in the home directory."""
    data = home_directory() / "data"
    return sorted(str(path.relative_to(data)) for path in data.rglob("*"))


def fails(name: str = "small", **options: bool) -> DownloadError:
    """The one clear error of a download that must fail."""
    with pytest.raises(DownloadError) as caught:
        get_dataset(name, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest()


@dataclass
class Served:
    """One file of the server, and how it is sent. Lists are used up, one entry a request."""

    content: bytes
    etag: str | None = '"v1"'
    ranges: bool = True
    lengths: bool = True
    cuts: list[int | None] = field(default_factory=list)
    """Bytes after which the connection is closed (None: all are sent)."""
    statuses: list[int] = field(default_factory=list)
    location: str | None = None
    content_range: str | None = None
    hold: threading.Event | None = None
    """Set by the test when the answer may go on."""


class Mirror(ThreadingHTTPServer):
    """Serves ``files`` (path to `Served`) and remembers the headers of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.requests: list[dict[str, str]] = []
        self.sent: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of these tests."""

    def add(
        self,
        name: str,
        content: bytes,
        *,
        pinned: bytes | None = None,
        size_known: bool = True,
        conversion: str | None = None,
        least: int = 1,
        blob_known: bool = True,
        **how: Any,
    ) -> Served:
        """Serve ``content`` as the data set ``name``; ``pinned`` is what it should be."""
        whole = content if pinned is None else pinned
        source = Source(
            repository="owner/name",
            commit=COMMIT,
            path=name,
            git_blob=git_blob(whole) if blob_known else None,
            size=len(whole) if size_known else None,
            conversion=conversion,
            least=least,
        )
        catalogue()[name] = Dataset(
            name, "for a test", "none", "https://example.org", {"all": source}
        )
        served = self.files[f"/owner/name/{COMMIT}/{name}"] = Served(content, **how)
        return served


class _Handler(BaseHTTPRequestHandler):
    server: Mirror

    def log_message(self, *args: Any) -> None:
        """Nothing: the tests look at ``requests``."""

    def do_GET(self) -> None:
        self.server.requests.append(dict(self.headers.items()))
        served = self.server.files.get(self.path)
        status = served.statuses.pop(0) if served and served.statuses else None
        if served is None or status not in (None, 302):
            self.send_response(status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif status == 302:
            self.send_response(302)
            self.send_header("Location", served.location or self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(served)

    def _send(self, served: Served) -> None:
        start = self._start(served)
        if start > 0 and start >= len(served.content):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = served.content[start:]
        self.send_response(206 if start else 200)
        if start:
            whole = len(served.content)
            normal = f"bytes {start}-{whole - 1}/{whole}"
            self.send_header("Content-Range", served.content_range or normal)
        if served.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if served.etag:
            self.send_header("ETag", served.etag)
        if served.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = served.cuts.pop(0) if served.cuts else None
        body = body if cut is None else body[:cut]
        self.server.sent.append(len(body))
        if served.hold is not None:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            served.hold.wait(20)
            body = body[len(body) // 2 :]
        self.wfile.write(body)
        self.close_connection = True

    def _start(self, served: Served) -> int:
        wanted = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        if not served.ranges or not wanted or condition not in (None, served.etag):
            return 0
        return int(wanted.removeprefix("bytes=").rstrip("-"))


@contextmanager
def running_mirror() -> Iterator[Mirror]:
    """A mirror in a thread of its own; what it added to the catalogue goes with it."""
    known = dict(catalogue())
    with Mirror() as mirror:
        thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield mirror
        finally:
            mirror.shutdown()
            thread.join()
            catalogue().clear()
            catalogue().update(known)
