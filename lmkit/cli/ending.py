"""SIGTERM and SIGHUP: what is being written is removed, and then the process ends by the signal.

Without this Python would end at once, and leave temporary files behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Ended(BaseException):
    """The signal ``number`` has come. It is no `Exception`, so that nobody takes it for a failure
    that one may go on after."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block the signals raise `Ended`, unless they are ignored (``nohup``); at its end
    the process dies by the one that came, as its parent expects."""
    old = {}
    for number in SIGNALS if threading.current_thread() is threading.main_thread() else []:
        if signal.getsignal(number) == signal.SIG_DFL:
            old[number] = signal.signal(number, _raise)
    try:
        yield
    except Ended as ended:
        _die(ended.number)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


def _die(number: int) -> None:
    if "lmkit.files.replacing" in sys.modules:
        from lmkit.files.replacing import discard_all

        # A second signal may have broken off the cleaning up after the first.
        discard_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
