"""Downloads: whole and checked, or one clear error with nothing left behind."""

from __future__ import annotations

import errno
import json
import random
import socket
import ssl
import threading
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmkit.datasets import dataset_path, fetch, get_dataset
from lmkit.datasets.location import home_directory
from lmkit.errors import DownloadError, UsageError

from ..mirror import Mirror, Served, git_blob, running_mirror

TEXT = random.Random(1).randbytes(300_000)
"""Longer than a block of the reader, so that a download has a middle."""

ATTEMPTS = 1 + len(fetch.RETRY_DELAYS_SECONDS)


def broken() -> list[int | None]:
    """All attempts of one call are cut off, each after 100 bytes."""
    return [100] * ATTEMPTS


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with running_mirror() as server:
        monkeypatch.setenv("LMKIT_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("LMKIT_DATA_MIRROR", server.url)
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(fetch, "RETRY_DELAYS_SECONDS", (0.0, 0.0, 0.0))
        monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 10.0)
        yield server


def left_behind() -> list[str]:
    """Every file and directory below data/ in the home directory."""
    data = home_directory() / "data"
    return sorted(str(path.relative_to(data)) for path in data.rglob("*"))


PARTIAL = [".partial", ".partial/small-all.json", ".partial/small-all.partial"]


def fails(name: str = "small", **options: bool) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        get_dataset(name, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_git_blob_id_is_gits(tmp_path: Path) -> None:
    # `git hash-object` of an empty file, and of the line "hello".
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert fetch.git_blob_id(path) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    path.write_bytes(b"hello\n")
    assert fetch.git_blob_id(path) == "ce013625030ba8dba906f756967f9e9ca394464a"


@pytest.mark.parametrize("size_known", [True, False])
@pytest.mark.parametrize("lengths", [True, False])
def test_whole_file(mirror: Mirror, size_known: bool, lengths: bool) -> None:
    mirror.add("small", TEXT, size_known=size_known, lengths=lengths)
    seen: list[tuple[str, int, int | None]] = []
    paths = get_dataset("small", progress=lambda *state: seen.append(state))
    assert paths == {"all": dataset_path("small", "all")}
    assert paths["all"].read_bytes() == TEXT
    assert left_behind() == ["small", "small/all.txt"]
    assert {split for split, _, _ in seen} == {"all"}
    counts = [done for _, done, _ in seen]
    assert counts == sorted(counts)
    assert len(counts) > 1
    assert seen[-1][1:] == (len(TEXT), len(TEXT) if size_known or lengths else None)


def test_empty_file(mirror: Mirror) -> None:
    mirror.add("small", b"")
    assert get_dataset("small")["all"].read_bytes() == b""


def test_what_is_there_is_not_fetched_again(mirror: Mirror) -> None:
    mirror.add("small", TEXT)
    get_dataset("small")
    get_dataset("small")
    assert len(mirror.requests) == 1
    get_dataset("small", force=True)
    assert len(mirror.requests) == 2


def test_broken_connection_goes_on_within_one_call(mirror: Mirror) -> None:
    mirror.add("small", TEXT, cuts=[1000, 2000])
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert [request.get("Range") for request in mirror.requests] == [
        None,
        "bytes=1000-",
        "bytes=3000-",
    ]
    assert mirror.requests[1]["If-Range"] == '"v1"'
    assert sum(mirror.sent) == len(TEXT)


@pytest.mark.parametrize("etag", ['"v1"', 'W/"weak"', None])
def test_broken_download_goes_on_in_the_next_call(mirror: Mirror, etag: str | None) -> None:
    # Four attempts of 100 bytes each; the next call brings the rest.
    mirror.add("small", TEXT, etag=etag, cuts=broken())
    error = fails()
    assert "400 bytes are kept" in error.message
    assert "same command" in str(error.hint)
    assert left_behind() == PARTIAL
    with pytest.raises(DownloadError, match="has not been fetched"):
        dataset_path("small")
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert mirror.requests[-1]["Range"] == "bytes=400-"
    assert mirror.requests[-1].get("If-Range") == ('"v1"' if etag == '"v1"' else None)
    assert sum(mirror.sent) == len(TEXT)
    assert left_behind() == ["small", "small/all.txt"]


def test_half_download_that_nobody_can_continue_leaves_nothing(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT, etag=None, ranges=False, cuts=broken())
    error = fails()
    assert "closed after 100 of 300000 bytes" in error.message
    assert "nothing was kept" in error.message
    assert left_behind() == []
    served.cuts.clear()
    assert get_dataset("small")["all"].read_bytes() == TEXT


def test_half_download_of_unknown_length(mirror: Mirror) -> None:
    # Without any length a cut looks like an end: only the check notices.
    mirror.add("small", TEXT, size_known=False, lengths=False, ranges=False, etag=None, cuts=[100])
    error = fails()
    assert "sent 100 bytes that are not the pinned file" in error.message
    assert left_behind() == []


def test_known_size_tells_a_cut_from_an_end(mirror: Mirror) -> None:
    mirror.add("small", TEXT, lengths=False, cuts=[100])
    assert get_dataset("small")["all"].read_bytes() == TEXT


def test_server_that_ignores_ranges_is_read_from_the_start(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT, cuts=broken())
    fails()
    served.ranges = False
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert mirror.sent[-1] == len(TEXT)


def test_changed_etag_is_read_from_the_start(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT, cuts=broken())
    fails()
    served.etag = '"v2"'
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert mirror.requests[-1]["If-Range"] == '"v1"'


def test_another_range_than_asked_for(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT, cuts=broken())
    fails()
    served.content_range = "bytes 7-299999/300000"
    assert get_dataset("small")["all"].read_bytes() == TEXT


def test_partial_that_is_whole_needs_no_more_bytes(mirror: Mirror) -> None:
    # As a process leaves it that is killed between the last byte and the check.
    mirror.add("small", TEXT, cuts=broken())
    fails()
    (home_directory() / "data/.partial/small-all.partial").write_bytes(TEXT)
    mirror.sent.clear()
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert mirror.sent == []


@pytest.mark.parametrize("damage", [b"x" * 400, b"x" * 300_000, b"x" * 300_001])
def test_damaged_partial_is_thrown_away_once(mirror: Mirror, damage: bytes) -> None:
    mirror.add("small", TEXT, cuts=broken())
    fails()
    (home_directory() / "data/.partial/small-all.partial").write_bytes(damage)
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert left_behind() == ["small", "small/all.txt"]


@pytest.mark.parametrize("note", ["", "[]", '{"git_blob": "of another version"}'])
def test_partial_of_something_else_is_not_continued(mirror: Mirror, note: str) -> None:
    mirror.add("small", TEXT, cuts=broken())
    fails()
    (home_directory() / "data/.partial/small-all.json").write_text(note)
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert "Range" not in mirror.requests[-1]


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
    monkeypatch.setattr(fetch.urllib.request, "urlopen", refuse)
    error = fails()
    assert "certificate is not trusted" in error.message
    assert "certificates" in str(error.hint)


def test_silent_server(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.1)
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


def test_two_at_once_download_once(mirror: Mirror) -> None:
    served = mirror.add("small", TEXT, hold=threading.Event())
    hold = served.hold
    assert hold is not None
    waits: list[str] = []
    results: list[bytes] = []

    def bring() -> None:
        def waiting(split: str) -> None:
            waits.append(split)
            hold.set()  # only now may the first one go on

        results.append(get_dataset("small", waiting=waiting)["all"].read_bytes())

    threads = [threading.Thread(target=bring) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [TEXT, TEXT]
    assert waits == ["all"]
    assert len(mirror.requests) == 1
    assert left_behind() == ["small", "small/all.txt"]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.lists(st.one_of(st.none(), st.integers(0, len(TEXT))), max_size=9),
    ranges=st.booleans(),
    lengths=st.booleans(),
    etag=st.sampled_from([None, '"v1"', 'W/"weak"']),
)
def test_any_breaks_end_in_the_right_file(
    mirror: Mirror, cuts: list[int | None], ranges: bool, lengths: bool, etag: str | None
) -> None:
    """Whatever breaks: the target is right or it is not there, and in the end it is there."""
    mirror.add("small", TEXT, cuts=list(cuts), ranges=ranges, lengths=lengths, etag=etag)
    target = home_directory() / "data/small/all.txt"
    target.unlink(missing_ok=True)
    for _ in range(4):
        try:
            get_dataset("small")
        except DownloadError:
            assert not target.exists()
        else:
            break
    assert target.read_bytes() == TEXT
    assert [entry for entry in left_behind() if not entry.startswith("small")] == []


def test_note_tells_what_the_bytes_are_part_of(mirror: Mirror) -> None:
    mirror.add("small", TEXT, cuts=broken())
    fails()
    note = json.loads((home_directory() / "data/.partial/small-all.json").read_text())
    assert note == {"git_blob": git_blob(TEXT), "etag": '"v1"'}
