"""What stands at a target: links, pipes, devices, journals of SQLite."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

import lmkit
from lmkit.errors import LmkitError, UsageError
from lmkit.files.atomic import open_target
from lmkit.files.replacing import Temporary, replace
from lmkit.store.modelfile import ModelReader, ModelWriter, check_target


def put(path: Path, data: bytes = b"new") -> None:
    with open_target(path) as file:
        file.write(data)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.fixture
def null_device(tmp_path: Path) -> Path:
    """A device as ``/dev/null`` is one, that a test may lose."""
    path = tmp_path / "null"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        path.write_bytes(b"x")
    except OSError:
        pytest.skip("no devices can be made here")
    return path


# -- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_written_through(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real", tmp_path / "link"
    if there:
        real.write_bytes(b"old")
    link.symlink_to(Path("far") / "real")
    put(link)
    assert link.is_symlink() and real.read_bytes() == b"new"
    with ModelWriter(link) as writer:
        writer.meta({"number": 1})
    assert link.is_symlink() and ModelReader(real).meta == {"number": 1}
    assert names_in(tmp_path) == ["far", "link"] and names_in(tmp_path / "far") == ["real"]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    for write in (put, check_target):
        with pytest.raises(LmkitError):
            write(link)
    assert names_in(tmp_path) == ["link"]


def test_a_link_into_no_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "none" / "model.lm")
    with pytest.raises(LmkitError, match="there is no directory") as error:
        check_target(tmp_path / "link")
    assert error.value.hint == f"mkdir -p {tmp_path / 'none'}"


# -- what is no regular file ---------------------------------------------------------------------


def test_a_pipe_is_streamed_to(fifo: Path) -> None:
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    put(fifo, b"streamed")
    reader.join(60)
    assert got == [b"streamed"] and fifo.is_fifo()


def test_a_device_is_streamed_to(null_device: Path) -> None:
    put(null_device)
    assert null_device.is_char_device()


@pytest.mark.parametrize("special", ["fifo", "null_device"])
def test_a_model_cannot_be_streamed(special: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(special)
    kind = stat.S_IFMT(path.stat().st_mode)
    for write in (check_target, ModelWriter):
        with pytest.raises(UsageError, match=f"{path} is a (pipe|device)") as error:
            write(path)
        assert error.value.exit_code == 2
    assert stat.S_IFMT(path.stat().st_mode) == kind
    assert names_in(path.parent) == [path.name]


@pytest.mark.parametrize("special", ["fifo", "null_device"])
def test_a_rename_is_guarded_itself(special: str, request: pytest.FixtureRequest) -> None:
    """Whatever looked at the target before, it may have become something else since."""
    path: Path = request.getfixturevalue(special)
    new = path.with_name("new")
    new.write_bytes(b"new")
    with pytest.raises(UsageError):
        replace(new, path)
    link = path.with_name("link")
    link.symlink_to("somewhere")
    with pytest.raises(UsageError):
        replace(new, link)
    assert names_in(path.parent) == sorted(["link", "new", path.name])
    assert not path.is_file() and link.is_symlink()


def test_an_open_file_of_the_process_is_not_replaced(tmp_path: Path) -> None:
    """``(lmkit export a -o /dev/stdout; lmkit export b -o /dev/stdout) > both`` has both."""
    if not Path("/dev/fd").exists():
        pytest.skip("this system does not name open files")
    with open(tmp_path / "both", "wb", buffering=0) as both:
        link = tmp_path / "link"
        link.symlink_to(f"/dev/fd/{both.fileno()}")
        for path in (Path(f"/dev/fd/{both.fileno()}"), link):
            put(path, b"one\n")
        both.write(b"end\n")
    assert (tmp_path / "both").read_bytes() == b"one\none\nend\n"
    assert link.is_symlink()


def test_a_file_that_was_deleted_has_no_name_to_put_a_model_at(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc on this system")
    with open(tmp_path / "gone", "wb") as gone:
        (tmp_path / "gone").unlink()
        with pytest.raises(LmkitError, match="has been deleted"):
            check_target(f"/proc/self/fd/{gone.fileno()}")
    assert names_in(tmp_path) == []


# -- journals ------------------------------------------------------------------------------------


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    """A database that a killed program left, with its rollback journal."""
    path = tmp_path / "model.lm"
    for mode, ending in (("DELETE", "-journal"), ("WAL", "-wal")):
        with sqlite3.connect(path, isolation_level=None) as database:
            database.execute(f"PRAGMA journal_mode = {mode}")
            database.execute("CREATE TABLE IF NOT EXISTS t (x)")
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO t VALUES (?)", [("x" * 4000,)] * 900)
            if mode == "WAL":
                database.execute("COMMIT")
            left = {
                name: (tmp_path / f"model.lm{name}").read_bytes()
                for name in (ending, "-shm")
                if (tmp_path / f"model.lm{name}").exists()
            }
            if mode != "WAL":
                database.execute("ROLLBACK")
        database.close()
        for name, data in left.items():
            (tmp_path / f"model.lm{name}").write_bytes(data)
        if mode == "DELETE":
            kept = left
            (tmp_path / "model.lm-journal").unlink()
    (tmp_path / "model.lm-journal").write_bytes(kept["-journal"])
    assert {"model.lm-journal", "model.lm-wal", "model.lm-shm"} <= set(names_in(tmp_path))
    return path


def test_what_sqlite_left_goes_with_the_old_file(journals: Path) -> None:
    with ModelWriter(journals) as writer:
        writer.meta({"number": 1})
    assert names_in(journals.parent) == ["model.lm"]
    with sqlite3.connect(journals) as database:  # as Datasette opens it
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT * FROM meta").fetchall() == [("number", "1")]
    database.close()


def test_a_file_of_such_a_name_that_is_none_of_sqlite_stays(tmp_path: Path) -> None:
    for name in ("diary-journal", "diary-wal", "diary-shm"):
        (tmp_path / name).write_text("Dear diary")
    put(tmp_path / "diary")
    assert names_in(tmp_path) == ["diary", "diary-journal", "diary-shm", "diary-wal"]


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [219, 255])
def test_names_as_long_as_a_file_system_allows(tmp_path: Path, size: int) -> None:
    path = tmp_path / ("n" * size)
    check_target(path)
    put(path)
    assert names_in(tmp_path) == ["n" * size]


def test_a_name_that_is_too_long_is_said_in_one_line(tmp_path: Path) -> None:
    for write in (check_target, put):
        with pytest.raises(LmkitError, match="too long: 256 bytes") as error:
            write(tmp_path / ("n" * 256))
        assert error.value.hint == "a shorter name"


def test_what_is_not_put_is_removed(tmp_path: Path) -> None:
    with Temporary(tmp_path / "file") as temporary:
        temporary.path.write_bytes(b"x")
        assert len(names_in(tmp_path)) == 1
    assert names_in(tmp_path) == []


def test_the_checkpoint_of_a_network_needs_room_in_the_name_too(tmp_path: Path) -> None:
    """Better known before the training than after."""
    (tmp_path / "text.txt").write_text("a b c\n")
    with pytest.raises(LmkitError, match=r"n\.checkpoint is too long: 261 bytes"):
        lmkit.train(tmp_path / "text.txt", backend="lstm", output=tmp_path / ("n" * 250))
