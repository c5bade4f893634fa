"""A model file is written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lmkit.errors import LmkitError
from lmkit.files.claims import claimed
from lmkit.files.replacing import Temporary
from lmkit.store.columns import MemoryColumn
from lmkit.store.modelfile import ModelReader, ModelWriter

ROOT = Path(__file__).parents[2]
LENGTH = 200_000


def write(path: Path, number: int, length: int = LENGTH) -> None:
    """A file all of whose parts say ``number``."""
    with ModelWriter(path) as writer:
        fill(writer, number, length)


def fill(writer: ModelWriter, number: int, length: int = LENGTH) -> None:
    writer.meta({"number": number})
    writer.vocabulary([f"word {number}"] * 500, [number] * 500)
    writer.column("numbers", MemoryColumn(np.full(length, number, np.int32)))


def number_of(path: Path) -> int:
    """What all parts of the file say; fails where they disagree."""
    reader = ModelReader(path)
    assert reader.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    number: int = reader.meta["number"]
    rows = reader.connection.execute("SELECT DISTINCT token, count FROM vocabulary").fetchall()
    assert rows == [(f"word {number}", number)]
    assert set(np.unique(reader.column("numbers").array()).tolist()) <= {number}
    return number


def names_in(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def partials(directory: Path) -> list[str]:
    return [name for name in names_in(directory) if name.endswith(".partial")]


def start(script: str, *words: object) -> subprocess.Popen[str]:
    """A process that knows the functions of this file."""
    prelude = f"""
        import sys, os, signal
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from lmkit.files import replacing
        from lmkit.store import modelfile
        from lmkit.store.modelfile import ModelWriter
        from lmkit.store.columns import MemoryColumn
        import numpy as np
        LENGTH = {LENGTH}
    """
    import inspect

    parts = [textwrap.dedent(prelude), inspect.getsource(write), inspect.getsource(fill)]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join([*parts, textwrap.dedent(script)]), *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
    )


# -- killed at any moment -----------------------------------------------------------------------

STEPS = {
    "before anything": "Path(sys.argv[1])",
    "the temporary file is there": "modelfile.ModelWriter._prepare",
    "half written": "modelfile.ModelWriter.column",
    "all written": "modelfile.ModelWriter._finish",
    "before the sync": "replacing.os.fsync",
    "before the rename": "replacing.os.replace",
    "after the rename": "replacing._sync_directory",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("old", [None, 1])
def test_killed_at_a_step(tmp_path: Path, step: str, old: int | None) -> None:
    path = tmp_path / "model.lm"
    if old is not None:
        write(path, old)
    name = STEPS[step]
    process = start(
        f"""
        def die(*_, **__):
            os.kill(os.getpid(), signal.SIGKILL)
        if {name.startswith("Path")}:
            die()
        {name if not name.startswith("Path") else "ignored"} = die
        write(Path(sys.argv[1]), 2)
        """,
        path,
    )
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    if step == "after the rename":
        assert number_of(path) == 2
        assert partials(tmp_path) == []
        return
    assert names_in(tmp_path) == sorted([*partials(tmp_path), *(["model.lm"] if old else [])])
    if old is not None:
        assert number_of(path) == old
    assert len(partials(tmp_path)) == (0 if step == "before anything" else 1)
    write(path, 3)
    assert number_of(path) == 3
    assert names_in(tmp_path) == ["model.lm"]


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    generator = random.Random(5)
    written = 0
    for attempt in range(9):
        process = start(
            """
            number = int(sys.argv[2])
            while True:
                print("begins", flush=True)
                number += 1
                write(Path(sys.argv[1]), number, 5 * LENGTH)
            """,
            path,
            written,
        )
        assert process.stdout is not None
        # Killed in the first, second or third writing: the moment in it is free, and any is right.
        for _ in range(1 + attempt % 3):
            assert process.stdout.readline() == "begins\n"
        time.sleep(generator.uniform(0, 0.04))
        process.kill()
        process.communicate(timeout=60)
        assert len(partials(tmp_path)) <= 1
        if path.exists():
            assert number_of(path) >= written
            written = number_of(path)
    assert written > 0
    write(path, 0)
    assert names_in(tmp_path) == ["model.lm"]


# -- what others left, and what others are doing -------------------------------------------------


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_what_the_dead_left_is_swept(tmp_path: Path) -> None:
    here, dead, other = socket.gethostname(), dead_process(), os.getppid()
    stale = [
        f".model.lm.{here}-{dead}-abc.partial",
        f".other.lm.{here}-{dead}-abc.partial",  # whatever its target was
        f".lmkit-0123456789abcdef.{here}-{dead}-a_c.partial",
        f".model.lm.{here}-{os.getpid()}-abc.partial",  # of an earlier process of this number
        f".lmkit-0123456789abcdef.elsewhere-{dead}-old.partial",
        f".lmkit-0123456789abcdef.{here}-{other}-old.partial",
        ".lmkit-0123456789abcdef.lock",
    ]
    kept = [
        f".lmkit-0123456789abcdef.{here}-{other}-abc.partial",
        f".model.lm.elsewhere-{dead}-abc.partial",
        f".model.lm.{here}-{dead}-abc.partial.txt",
        f"model.lm.{here}-{dead}-abc.partial",
        f".model.lm.{here}-99999999999999999999-abc.partial",
        ".model.lm.partial",
        ".lmkit-notes.lock",
    ]
    for name in [*stale, *kept]:
        (tmp_path / name).write_text("x")
        if "old" in name:
            os.utime(tmp_path / name, (0, 0))
    write(tmp_path / "model.lm", 1)
    assert names_in(tmp_path) == sorted([*kept, "model.lm"])


def test_what_is_held_is_never_swept(tmp_path: Path) -> None:
    with Temporary(tmp_path / "a.lm") as mine, claimed(tmp_path / "b.lm"):
        os.utime(mine.path, (0, 0))
        # As if it were of a machine whose clock is its own, or of a number given again.
        held = mine.path.with_name(".a.lm.elsewhere-1-abc.partial")
        os.link(mine.path, held)
        before = names_in(tmp_path)
        write(tmp_path / "model.lm", 1, 10)
        assert names_in(tmp_path) == sorted([*before, "model.lm"])
    write(tmp_path / "model.lm", 1, 10)
    assert names_in(tmp_path) == ["model.lm"]


def test_two_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    with ModelWriter(path) as first:
        fill(first, 1)
        with ModelWriter(path) as second:
            fill(second, 2)
            assert len(partials(tmp_path)) == 2
            assert not path.exists()
        assert number_of(path) == 2
        first.column("more", MemoryColumn(np.arange(10)))
    assert number_of(path) == 1
    assert names_in(tmp_path) == ["model.lm"]


@pytest.mark.slow
def test_many_processes_write_to_one_target(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    processes = [
        start("for _ in range(10): write(Path(sys.argv[1]), int(sys.argv[2]))", path, number)
        for number in (1, 2, 3)
    ]
    seen = set()
    while any(process.poll() is None for process in processes):
        if path.exists():
            seen.add(number_of(path))
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert number_of(path) in {1, 2, 3}
    assert seen <= {1, 2, 3}
    assert names_in(tmp_path) == ["model.lm"]


def test_a_reader_keeps_the_file_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    write(path, 1)
    reader = ModelReader(path)
    column = reader.column("numbers")
    assert column.take(np.array([0])).tolist() == [1]
    write(path, 2)
    assert set(column.array().tolist()) == {1}
    assert number_of(path) == 2


# -- failures while writing ----------------------------------------------------------------------


def stop_half_way(path: Path, error: type[BaseException]) -> None:
    with ModelWriter(path) as writer:
        fill(writer, 2)
        raise error("stop")


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    write(path, 1)
    for error in (ValueError, KeyboardInterrupt, LmkitError):
        with pytest.raises(error):
            stop_half_way(path, error)
        assert names_in(tmp_path) == ["model.lm"]
        assert number_of(path) == 1


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [1, 20_000, 100_000, 400_000, 780_000])
def test_no_room_at_any_moment(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.lm"
    write(path, 1)
    assert path.stat().st_size > size
    with (
        pytest.raises(LmkitError, match=r"cannot write .*model\.lm: \S") as error,
        largest_file(size),
    ):
        write(path, 2)
    assert error.value.hint is not None and "room" in error.value.hint
    assert names_in(tmp_path) == ["model.lm"]
    assert number_of(path) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB of its own."""
    directory = tmp_path / "disk"
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root may mount a small disk, and not everywhere")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "model.lm"
    write(path, 1, 1000)
    with pytest.raises(LmkitError, match=r"cannot write .*model\.lm: .*full"):
        write(path, 2)
    assert names_in(small_disk) == ["model.lm"]
    assert number_of(path) == 1
    (small_disk / "more").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 50_000))
    with pytest.raises(LmkitError, match="cannot write"):
        write(path, 2, 1000)
    assert number_of(path) == 1


def test_a_read_only_directory(tmp_path: Path) -> None:
    directory = tmp_path / "read-only"
    directory.mkdir()
    directory.chmod(0o555)
    if os.access(directory, os.W_OK):
        pytest.skip("permission bits do not stop this user")
    with pytest.raises(LmkitError, match=r"cannot write .*model\.lm: Permission denied"):
        write(directory / "model.lm", 1)
    assert names_in(directory) == []


def test_a_read_only_file_system(small_disk: Path) -> None:
    write(small_disk / "model.lm", 1, 1000)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(LmkitError, match=r"cannot write .*model\.lm: read-only file system"):
        write(small_disk / "model.lm", 2, 1000)
    assert number_of(small_disk / "model.lm") == 1


# -- the file itself -----------------------------------------------------------------------------


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_are_those_of_any_output(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write(tmp_path / "model.lm", 1, 10)
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.lm").stat().st_mode) == mode


@pytest.mark.parametrize(
    "name",
    ["a model.lm", "Łódź", "100%", "it's.lm", "a?b#c.lm", "[1].lm", "-", "n" * 255, "Ł" * 127],
)
def test_any_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, 1, 10)
    write(tmp_path / name, 2, 10)
    assert names_in(tmp_path) == [name]
    assert number_of(tmp_path / name) == 2


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("model.lm"), 1, 10)
    assert number_of(Path("model.lm")) == 1


def test_a_copy_keeps_what_it_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    write(path, 1)
    with ModelWriter(path, copy_of=path) as writer:
        writer.column("more", MemoryColumn(np.arange(10)))
        writer.connection.execute("CREATE TABLE readable (x)")
    assert number_of(path) == 1
    reader = ModelReader(path)
    assert reader.column_names() == ["numbers", "more"]
    assert reader.column("more").array().tolist() == list(range(10))
    assert reader.connection.execute("SELECT count(*) FROM readable").fetchone() == (0,)
