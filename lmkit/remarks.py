"""Things worth saying that are no errors, from anywhere in the library to whoever listens.

Nobody does by default, so Python code stays quiet; the command line prints them on standard error.

>>> with heard(print):
...     remark("the model has no checksums")
the model has no checksums
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Listener = Callable[[str], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def remark(text: str) -> None:
    """Tell whoever listens ``text``: one line, without a full stop."""
    listener = _listener.get()
    if listener is not None:
        listener(text)


@contextlib.contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Within the block each different remark is told to ``listener``, once."""
    told: set[str] = set()

    def once(text: str) -> None:
        if text not in told:
            told.add(text)
            listener(text)

    token = _listener.set(once)
    try:
        yield
    finally:
        _listener.reset(token)
