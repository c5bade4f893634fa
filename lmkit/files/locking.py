"""One process at a time, such as on one data set file.

The lock is the operating system's (flock, or its Windows counterpart), so a
killed process never leaves anything locked behind.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.1
OPEN_ATTEMPTS = 100

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock the open file; False where another one has it. Raises `OSError` where the file
        system has no locks. The lock ends with the file's closing, or the process."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock the open file; False where another one has it. Raises `OSError` where the file
        system has no locks. The lock ends with the file's closing, or the process."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``path``, made for the purpose and removed afterwards.

    Waits while another process holds it; ``waiting`` is called once when that is
    so. Raises OSError where the directory cannot be written or cannot lock.
    """
    descriptor = _acquire(path, waiting)
    try:
        yield
    finally:
        release(descriptor, path)
        with suppress(OSError):  # not empty: another download lives there
            path.parent.rmdir()


def release(descriptor: int, path: Path) -> None:
    """Give up the lock on the open file ``path``, and remove it."""
    # Windows refuses to remove an open file, others must not see it unlocked first.
    if sys.platform == "win32":
        os.close(descriptor)
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
    else:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, waiting: Callable[[], None] | None) -> int:
    """An open, locked descriptor of the file that ``path`` names now."""
    told = False
    while True:
        descriptor = _open(path)
        held = False
        try:
            # The last holder may have removed this very file between open and lock.
            held = try_lock(descriptor) and same_file(descriptor, path)
        finally:
            if not held:
                os.close(descriptor)
        if held:
            return descriptor
        if waiting and not told:
            waiting()
            told = True
        time.sleep(POLL_SECONDS)


def _open(path: Path) -> int:
    """Open the lock file, made where it is missing, with its directory."""
    for _ in range(OPEN_ATTEMPTS):
        # Between the two steps the last holder may remove the directory.
        with suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        time.sleep(0.001)
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent))


def same_file(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that ``path`` names now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
