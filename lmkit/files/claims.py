"""One process at a time that is going to write a file, from the moment it begins to read for it.

Two that read a model, change it and write it back would lose the change of one of them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from lmkit.errors import LmkitError
from lmkit.files.litter import alive, live, lock_name
from lmkit.files.locking import release, same_file, try_lock

OTHER_OUTPUT = "the same command when that one is done, or another --output"
ATTEMPTS = 200
PAUSE = 0.01
"""How often, and seconds after which, it is asked again whose a lock without a name is."""


@contextlib.contextmanager
def claimed(path: str | Path, name: str | Path | None = None) -> Iterator[None]:
    """Be the one process that writes ``path``, as long as the block lasts. Links are followed.

    A lock file stands beside it meanwhile. Raises `LmkitError` where another process, which is
    named, has claimed it; there the file is called ``name`` if that is given. Where the system
    cannot lock files everybody may write.
    """
    target = Path(os.path.realpath(path))
    lock = target.with_name(lock_name(target.name))
    descriptor = _claim(lock, name or path)
    try:
        yield
    finally:
        if descriptor is not None:
            release(descriptor, lock)
            live.discard(lock)


def _claim(lock: Path, name: str | Path) -> int | None:
    """The open lock file; None where there can be none."""
    for attempt in count(1):
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            # Who cannot write a lock there cannot put a file there either, and is told so then.
            return None
        try:
            if try_lock(descriptor):
                # The last holder may have removed this very file between open and lock.
                if same_file(descriptor, lock):
                    live.add(lock)
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
                    return descriptor
                os.close(descriptor)
                continue
            process, host = _owner(descriptor)
        except OSError:
            # No locks on this file system, or no room in it: it goes on as it did without.
            release(descriptor, lock)
            live.discard(lock)
            return None
        os.close(descriptor)
        if _holds(process, host) or attempt == ATTEMPTS:
            raise _busy(process, host, name)
        # Somebody is about to write its number, or to remove what a killed process has left.
        time.sleep(PAUSE)
    raise AssertionError


def _owner(descriptor: int) -> tuple[int | None, str]:
    """The process and the machine that the holder has written into its lock file; none so far, or
    where that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        process, host = os.read(descriptor, 300).decode().split()
        return int(process), host
    return None, ""


def _holds(process: int | None, host: str) -> bool:
    return process is not None and (host != socket.gethostname() or alive(process))


def _busy(process: int | None, host: str, name: str | Path) -> LmkitError:
    who = "another process" if process is None else f"process {process}"
    if host not in ("", socket.gethostname()):
        who += f" on {host}"
    return LmkitError(f"{who} is at work on {name}, which this command would write", OTHER_OUTPUT)
