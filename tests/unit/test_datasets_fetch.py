"""Downloads: whole and checked, gone on with where they broke off, never two at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmkit.datasets import dataset_path, fetch, get_dataset
from lmkit.errors import DownloadError
from lmkit.home import home_directory

from ..mirror import PARTIAL, TEXT, Mirror, broken, fails, git_blob, left_behind


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


DOWNLOADER = """
import sys
from lmkit.datasets import catalogue, get_dataset
from lmkit.datasets.catalogue import Dataset, Source
source = Source("owner/name", "0" * 40, "small", sys.argv[1], int(sys.argv[2]))
catalogue()["small"] = Dataset("small", "", "", "", {"all": source})
get_dataset("small", progress=lambda split, done, total: print(done, flush=True))
"""


def test_killed_process_leaves_what_the_next_can_continue(mirror: Mirror, root: Path) -> None:
    served = mirror.add("small", TEXT, hold=threading.Event())
    assert served.hold is not None
    words = [sys.executable, "-c", DOWNLOADER, git_blob(TEXT), str(len(TEXT))]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as downloader:
        assert downloader.stdout is not None
        assert int(downloader.stdout.readline()) > 0
        assert int(downloader.stdout.readline()) > 0
        downloader.kill()
    served.hold.set()
    with pytest.raises(DownloadError, match="has not been fetched"):
        dataset_path("small")
    assert get_dataset("small")["all"].read_bytes() == TEXT
    assert int(mirror.requests[-1]["Range"].removeprefix("bytes=").rstrip("-")) > 0
    assert left_behind() == ["small", "small/all.txt"]
