"""Putting a new file in the place of an old one, whole or not at all.

What is written goes to a temporary file beside the target, with the process in its name; it
is renamed when it is whole and on disk, so that a crash leaves the old file or none.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
from pathlib import Path

from lmkit.errors import LmkitError


def temporary_beside(path: Path) -> Path:
    """A new empty file in the directory of ``path``, for `replace` to put in its place.

    Removes what a killed process on this machine left of an earlier write to ``path``.
    Raises `OSError` where none can be made.
    """
    _sweep(path)
    prefix = f".{path.name}.{socket.gethostname()}-{os.getpid()}-"
    handle, name = tempfile.mkstemp(".partial", prefix, path.parent)
    os.close(handle)
    return Path(name)


def replace(temporary: Path, path: Path) -> None:
    """Put ``temporary``, once it is on disk, in the place of ``path``. Raises `OSError`."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    # mkstemp makes files that only their owner can read.
    os.chmod(temporary, _mode_of(path))
    os.replace(temporary, path)
    _sync_directory(path.parent)


def check_place(path: Path) -> None:
    """Raises `LmkitError` where ``path`` is a directory, or lies in one that there is not."""
    if path.is_dir():
        raise LmkitError(f"{path} is a directory", "a file in it, such as model.lm")
    if not path.parent.is_dir():
        raise LmkitError(f"there is no directory {path.parent}", f"mkdir -p {path.parent}")


def cannot_write(path: Path, error: Exception) -> LmkitError:
    """The error to raise where the system refused to write ``path``."""
    reason = getattr(error, "strerror", None) or str(error)
    return LmkitError(
        f"cannot write {path}: {reason[:1].lower()}{reason[1:]}",
        "another place, with room and permission to write",
    )


def _sweep(path: Path) -> None:
    pattern = re.compile(
        rf"\.{re.escape(path.name)}\.{re.escape(socket.gethostname())}-(\d+)-.*\.partial"
    )
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            found = pattern.fullmatch(entry.name)
            if found and not _alive(int(found[1])):
                os.unlink(entry.path)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
