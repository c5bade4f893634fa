"""Putting a new file in the place of an old one, whole or not at all.

What is written goes to a `Temporary` beside the target, with the process in its name; it is
renamed when it is whole and on disk, so that a crash leaves the old file or none. A link is
written through. Nothing but a regular file is ever replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from lmkit.errors import LmkitError, UsageError
from lmkit.files.litter import PARTIAL, live, name_prefix, sweep
from lmkit.files.locking import try_lock

_JOURNALS = {"-journal": b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", "-wal": b"\x37\x7f\x06"}
"""What SQLite keeps beside a database, and how it begins: a file of somebody else that happens to
have such a name begins otherwise."""

_making = threading.Lock()
"""Held while one is made, so that no other thread takes it for one that was left."""


class Temporary:
    """A new empty file, ``path``, in the directory of what ``target`` leads to; a context manager.

    `put` moves it to the target. What has not been put is removed when the block is left. Making
    one removes what killed processes have left in that directory. Raises `OSError` where none
    can be made.
    """

    def __init__(self, target: Path) -> None:
        self.target = Path(os.path.realpath(target))
        folder = self.target.parent
        with _making:
            sweep(folder)
            handle, name = tempfile.mkstemp(PARTIAL, name_prefix(self.target.name), folder)
            self.path = Path(name)
            live.add(self.path)
        # Locked as long as it is written, by which others know that it is: see `sweep`.
        self._handle: int | None = handle
        with contextlib.suppress(OSError):
            try_lock(handle)

    def put(self) -> None:
        """Move the file, once it is on disk, to the target. Raises `OSError`, and `UsageError`
        where the target is a device, a pipe or anything else that is no regular file."""
        self._close()
        replace(self.path, self.target)
        live.discard(self.path)

    def discard(self) -> None:
        """Remove what has not been put. It may be called again."""
        self._close()
        self.path.unlink(missing_ok=True)
        live.discard(self.path)

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Temporary:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def replace(temporary: Path, path: Path) -> None:
    """Put ``temporary``, once it is on disk, in the place of ``path``, which may be there.

    Raises `OSError`, and `UsageError` where ``path`` is no regular file.
    """
    _refuse_special(path)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    # mkstemp makes files that only their owner can read.
    os.chmod(temporary, _mode_of(path))
    # SQLite would take what belongs to the old file for a part of the new one.
    _remove_journals(path)
    os.replace(temporary, path)
    _sync_directory(path.parent)


def _refuse_special(path: Path) -> None:
    """The last guard: whatever else is wrong, a rename makes no device, pipe or link vanish."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise not_regular(path)


def not_regular(path: Path) -> UsageError:
    """The error to raise where only a regular file will do."""
    return UsageError(
        f"{path} is {kind_of(path)}: what is put in place as a whole needs a regular file",
        "the name of a file, such as --output model.lm",
    )


def kind_of(path: Path) -> str:
    """What stands at ``path``, in words."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return "a link that leads nowhere" if path.is_symlink() else "nothing"
    kinds = {
        "a directory": stat.S_ISDIR,
        "a device": stat.S_ISCHR,
        "a disk": stat.S_ISBLK,
        "a pipe": stat.S_ISFIFO,
        "a socket": stat.S_ISSOCK,
    }
    return next((name for name, test in kinds.items() if test(mode)), "a regular file")


def check_place(path: Path) -> None:
    """Raises `LmkitError` where ``path`` is a directory, lies in one that there is not, or has a
    name that is too long."""
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            size = len(os.fsencode(path.name))
            raise LmkitError(
                f"the name {path.name[:12]}...{path.name[-12:]} is too long: {size} bytes",
                "a shorter name",
            ) from error
    if path.is_dir():
        raise LmkitError(f"{path} is a directory", "a file in it, such as model.lm")
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise LmkitError(f"{path} is a link that leads to itself", "the name of a file")
    if path.is_file() and not real.exists():  # one of /proc, of a file that is still open
        raise LmkitError(f"{path} leads to a file that has been deleted", "the name of a file")
    parent = real.parent
    if not parent.is_dir():
        parent = parent if path.is_symlink() else path.parent
        raise LmkitError(f"there is no directory {parent}", f"mkdir -p {parent}")


def cannot_write(path: Path, error: Exception) -> LmkitError:
    """The error to raise where the system refused to write ``path``."""
    reason = getattr(error, "strerror", None) or str(error)
    return LmkitError(
        f"cannot write {path}: {reason[:1].lower()}{reason[1:]}",
        "another place, with room and permission to write",
    )


def _remove_journals(path: Path) -> None:
    for ending, magic in _JOURNALS.items():
        journal = path.with_name(path.name + ending)
        with contextlib.suppress(FileNotFoundError):
            if os.path.isfile(journal) and _begins(journal, magic):
                journal.unlink()
                if ending == "-wal":
                    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)


def _begins(path: Path, magic: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(len(magic)) == magic


def _mode_of(path: Path) -> int:
    """The permissions of what is put in the place of ``path``: those of the file that is there,
    else those of any output."""
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_directory(directory: Path) -> None:
    # Some file systems cannot sync a directory; the rename itself has happened by then.
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
