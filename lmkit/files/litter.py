"""What killed processes leave beside the files that they were writing, and who removes it.

A temporary file is named ``.lmkit-DIGEST.HOST-PROCESS-RANDOM.partial``, a lock file
``.lmkit-DIGEST.lock``. The digest is of the target's name, which itself may be as long as a file
system allows.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import sys
import time
from pathlib import Path

from lmkit.files.locking import same_file, try_lock

PARTIAL = ".partial"
LOCK = ".lock"
_PREFIX = ".lmkit-"
DAY = 86_400.0
"""How old, in seconds, a temporary file of another machine is when it is nobody's."""

# Those of earlier versions began with the target's name in place of the digest.
_LEFT = re.compile(r"\..+\.(?P<host>[^/]+)-(?P<process>\d{1,9})-[a-z0-9_]+\.partial")
_LOCKS = re.compile(re.escape(_PREFIX) + r"[0-9a-f]{16}\.lock")

live: set[Path] = set()
"""The temporary and lock files that this process has at present."""


def discard_all() -> None:
    """Remove all of them: for the end of the process."""
    for path in list(live):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    live.clear()


def name_prefix(name: str) -> str:
    """How the name of a temporary file for the target ``name`` begins."""
    return f"{_PREFIX}{_digest(name)}.{socket.gethostname()}-{os.getpid()}-"


def lock_name(name: str) -> str:
    """The name of the lock file for the target ``name``."""
    return f"{_PREFIX}{_digest(name)}{LOCK}"


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def sweep(folder: Path) -> None:
    """Remove from ``folder`` the temporary files and locks of processes that are no more.

    That is so at once where the process was one of this machine, and after a `DAY` where it was
    not, or its number has been given again; but never while somebody holds the file, nor those
    that are `live`. What cannot be looked at or removed stays.
    """
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    for name in names:
        path = folder / name
        found = _LEFT.fullmatch(name)
        if path in live:
            continue
        if _LOCKS.fullmatch(name) or (found and _is_left(path, found)):
            _remove_unless_held(path)


def _is_left(path: Path, found: re.Match[str]) -> bool:
    process = int(found["process"])
    if found["host"] == socket.gethostname() and (process == os.getpid() or not alive(process)):
        return True
    try:
        return time.time() - path.stat().st_mtime > DAY
    except OSError:
        return False


def _remove_unless_held(path: Path) -> None:
    """Remove ``path`` unless a process has it locked, as all do that write it."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDWR)
        try:
            # It may have been removed, and made again, since it was opened.
            if try_lock(handle) and same_file(handle, path):
                path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def alive(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    if sys.platform == "win32":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
