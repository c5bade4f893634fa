"""Results that go to a file in place of standard output."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, cast

from lmkit.cli.console import Console


@contextmanager
def writing_to(console: Console, output: str | None) -> Iterator[Console]:
    """A console whose standard output is the file ``output`` (`lmkit.files.atomic.open_target`);
    ``console`` itself for ``-`` and None."""
    if output in (None, "-"):
        yield console
        return
    from lmkit.files.atomic import open_target

    with open_target(str(output)) as stream:
        out = io.TextIOWrapper(
            cast(Any, _Unflushed(stream)), "utf-8", errors="backslashreplace", newline="\n"
        )
        yield replace(console, stdout=out, stdout_is_terminal=False)
        out.flush()
        out.detach()


class _Unflushed(io.RawIOBase):
    """Nobody waits at a file, and what compresses does it worse when it is flushed."""

    def __init__(self, below: BinaryIO) -> None:
        self._below = below

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._below.write(data)
        return len(data)
