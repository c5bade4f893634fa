"""The lock on a data set: one holder, none left over by a killed process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lmkit.files import locking
from lmkit.files.locking import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from lmkit.files.locking import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "name.lock"


def test_leaves_nothing(lock: Path) -> None:
    with exclusive(lock):
        assert lock.exists()
    assert not lock.parent.exists()


def test_leaves_the_files_of_others(lock: Path) -> None:
    with exclusive(lock):
        (lock.parent / "other").touch()
    assert [entry.name for entry in lock.parent.iterdir()] == ["other"]


def test_is_released_by_an_error(lock: Path) -> None:
    with pytest.raises(ValueError, match="inside"), exclusive(lock):
        raise ValueError("inside")
    assert not lock.parent.exists()


def test_never_two_holders(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "POLL_SECONDS", 0.0)
    room = lock.parent.parent / "room"
    turns: list[int] = []

    def work() -> None:
        for turn in range(50):
            with exclusive(lock):
                room.mkdir()  # fails where somebody else is in
                turns.append(turn)
                room.rmdir()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(turns) == sorted([*range(50)] * 4)
    assert not lock.parent.exists()


def test_place_that_is_no_directory(lock: Path) -> None:
    lock.parent.symlink_to("nowhere")
    with pytest.raises(NotADirectoryError), exclusive(lock):
        pytest.fail("there is nothing to hold")


def test_killed_process_holds_nothing(lock: Path, root: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        told = threading.Event()
        held: list[bool] = []

        def wait_for_it() -> None:
            with exclusive(lock, told.set):
                held.append(holder.poll() is not None)

        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        assert told.wait(20)
        assert held == []
        holder.kill()
        holder.wait()
        waiter.join(20)
    assert held == [True]
    assert not lock.parent.exists()
