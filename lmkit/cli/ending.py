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

PATIENCE = 5.0
"""Seconds that a command may take to clean up. Python loses what is raised within a `__del__` or a
callback of SQLite: without an end to it the command would go on as if no signal had come."""


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
        if old and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in old.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    # Whoever sends a second one does not want to wait until all is cleaned up.
    for each in SIGNALS:
        if signal.getsignal(each) == _raise:
            signal.signal(each, _die)
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: _die(number))
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    raise Ended(number)


def _die(number: int, frame: FrameType | None = None) -> None:
    if "lmkit.files.litter" in sys.modules:
        from lmkit.files.litter import discard_all

        discard_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
