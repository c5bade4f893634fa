"""Downloads that cannot succeed: one clear error, and nothing left behind."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import urllib.error
from pathlib import Path

import pytest

from lmkit.datasets import connection, fetch, get_dataset
from lmkit.errors import DownloadError, UsageError

from ..mirror import ATTEMPTS, PARTIAL, TEXT, Mirror, Served, broken, fails, left_behind


@pytest.mark.parametrize(
    "content",
    [TEXT[:-1] + b"?", TEXT[:-1], TEXT + b"?", b"<html>Please sign in</html>", b""],
    ids=["one byte differs", "shorter", "longer", "another page", "empty"],
)
@pytest.mark.parametrize("size_known", [True, False])
@pytest.mark.parametrize("lengths", [True, False])
def test_wrong_content(mirror: Mirror, content: bytes, size_known: bool, lengths: bool) -> None:
    mirror.add("small", content, pinned=TEXT, size_known=size_known, lengths=lengths)
    error = fails()
    # Shorter and of no stated length, it could be the first part of the right file: the next
    # attempt asks for the rest and hears that there is none. Of nothing there is no rest.
    cut = not content and size_known and not lengths
    assert ("closed after 0 of" if cut else "are not the pinned file") in error.message
    assert left_behind() == []


def test_wrong_size_is_noticed_before_the_download(mirror: Mirror) -> None:
    mirror.add("small", TEXT + TEXT, pinned=TEXT)
    seen: list[int] = []
    with pytest.raises(DownloadError, match="sent 600000 bytes that are not the pinned file"):
        get_dataset("small", progress=lambda split, done, total: seen.append(done))
    assert seen == []


def test_failure_leaves_the_old_file(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT)
    path = get_dataset("small")["all"]
    served.content = b"changed"
    fails(force=True)
    assert path.read_bytes() == TEXT
    assert left_behind() == ["small", "small/all.txt"]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_refusal_is_final(mirror: Mirror, status: int) -> None:
    mirror.add("small", TEXT, statuses=[status] * 9)
    error = fails()
    assert f"the server answered {status} " in error.message
    assert mirror.url in error.message
    assert len(mirror.requests) == 1
    assert left_behind() == []


def test_refusal_removes_an_earlier_partial(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT, cuts=broken())
    fails()
    served.statuses.append(404)
    fails()
    assert left_behind() == []


def test_busy_server_is_asked_again(mirror: Mirror) -> None:
    mirror.add("small", TEXT, statuses=[503, 429])
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert len(mirror.requests) == 3


def test_busy_server_is_given_up(mirror: Mirror) -> None:
    mirror.add("small", TEXT, statuses=[503] * 9)
    assert "the server answered 503 Service Unavailable" in fails().message
    assert len(mirror.requests) == ATTEMPTS
    assert left_behind() == []


def test_redirect_is_followed_with_its_range(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT, statuses=[302, 302], location="/elsewhere")
    mirror.files["/elsewhere"] = Served(TEXT, cuts=[100])
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert served.statuses == []
    assert mirror.requests[-1]["Range"] == "bytes=100-"


def test_redirect_without_end(mirror: Mirror) -> None:
    mirror.add("small", TEXT, statuses=[302] * 50)
    assert "the server answered 302" in fails().message
    assert left_behind() == []


def test_nobody_listens(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.add("small", TEXT)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LMKIT_DATA_MIRROR", f"http://127.0.0.1:{unused.getsockname()[1]}")
        error = fails()
    assert "no connection to 127.0.0.1" in error.message
    assert "network" in str(error.hint)
    assert left_behind() == []


def test_unknown_host(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    mirror.add("small", TEXT)
    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    monkeypatch.delenv("LMKIT_DATA_MIRROR")
    error = fails()
    assert "no connection to raw.githubusercontent.com: Name or service not known" in error.message
    assert left_behind() == []


def test_missing_network_keeps_what_is_there(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.add("small", TEXT, cuts=broken())
    fails()
    with monkeypatch.context() as offline:
        offline.setenv("LMKIT_DATA_MIRROR", "http://127.0.0.1:1")
        fails()
    assert left_behind() == PARTIAL
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert mirror.requests[-1]["Range"] == "bytes=400-"


def test_certificate_that_is_not_trusted(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError(ssl.SSLCertVerificationError(1, "self-signed certificate"))

    mirror.add("small", TEXT)
    monkeypatch.setattr(fetch, "open_url", refuse)
    error = fails()
    assert "certificate is not trusted" in error.message
    assert "certificates" in str(error.hint)


def test_silent_server(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(fetch, "RETRY_DELAYS_SECONDS", ())
    served = mirror.add("small", TEXT, hold=threading.Event(), etag=None, ranges=False)
    assert "did not answer within 0.1 seconds" in fails().message
    assert left_behind() == []
    assert served.hold is not None
    served.hold.set()


@pytest.mark.parametrize("ranges", [True, False])
def test_interrupt(mirror: Mirror, ranges: bool) -> None:
    def interrupt(split: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    mirror.add("small", TEXT, ranges=ranges, etag=None)
    with pytest.raises(KeyboardInterrupt):
        get_dataset("small", progress=interrupt)
    assert left_behind() == (PARTIAL if ranges else [])
    assert get_dataset("small")["all"].read_bytes() == TEXT


def test_full_disk(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    mirror.add("small", TEXT)
    monkeypatch.setattr(fetch.os, "fsync", full)
    error = fails()
    assert "No space left on device" in error.message
    assert "LMKIT_HOME" in str(error.hint)
    assert left_behind() == []


def test_home_that_cannot_be_made(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.add("small", TEXT)
    (tmp_path / "file").touch()
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "file"))
    error = fails()
    assert "cannot write" in error.message
    assert "LMKIT_HOME" in str(error.hint)


@pytest.mark.parametrize(
    "address",
    ["ftp://example.org", "file:///etc", "example.org", "http://", "http://a b", "http://ä"],
)
def test_mirror_that_is_no_address(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    mirror.add("small", TEXT)
    monkeypatch.setenv("LMKIT_DATA_MIRROR", address)
    with pytest.raises(UsageError, match="LMKIT_DATA_MIRROR"):
        get_dataset("small")
    assert left_behind() == []
