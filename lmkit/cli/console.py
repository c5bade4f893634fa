"""The streams and the terminal, as one object.

`lmkit.cli.main.main` makes one `Console` and hands it to every command through
click's context, so that a test can put any streams and any terminal in its place.
Results go to ``stdout``; remarks, progress and errors go to ``stderr``.

Whatever is written to a terminal goes through `visible` here, since texts, models, file names and
servers are not to be trusted with it. Only what `Console.style` has added is left as it is. Pipes
and files get every character and byte as it is.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import shutil
import sys
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TextIO, cast

import click

from lmkit.errors import LmkitError
from lmkit.visible import on_one_line, visible

_ESCAPE = "\x1b"
_OUR_ESCAPE = f"{_ESCAPE}{os.urandom(8).hex()}"
"""Stands for the escape character in what `Console.style` adds, until it is written: no text can
hold it but by knowing this process's random number."""


@dataclass
class Console:
    """Where a command reads and writes, and what is known about the other end.

    ``stdin`` is binary. ``stdout`` is text, UTF-8 with line feeds whatever the locale;
    it is None where the caller closed it. ``color`` is ``auto``, ``always`` or ``never``.
    """

    stdin: BinaryIO | None
    stdout: TextIO | None
    stderr: TextIO
    stdin_is_terminal: bool = False
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    width: int = 80
    color: str = "auto"
    no_color: bool = False
    progress: bool = True
    quiet: bool = False
    debug: bool = False
    live: Any = field(default=None, repr=False)
    """The rich console of a progress bar while one is drawn, else None."""

    @classmethod
    def of_process(cls) -> Console:
        """The streams and the terminal of this process."""
        return cls(
            stdin=None if sys.stdin is None else getattr(sys.stdin, "buffer", None),
            stdout=_as_utf8(sys.stdout),
            stderr=_as_utf8(sys.stderr) or io.StringIO(),
            stdin_is_terminal=_is_terminal(sys.stdin),
            stdout_is_terminal=_is_terminal(sys.stdout),
            stderr_is_terminal=_is_terminal(sys.stderr),
            width=shutil.get_terminal_size().columns,
            no_color=bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb",
            debug=os.environ.get("LMKIT_DEBUG", "") not in ("", "0"),
        )

    @property
    def out(self) -> TextIO:
        """``stdout``. Raises `LmkitError` where it is closed."""
        if self.stdout is None:
            raise LmkitError("standard output is closed", "a file: > out.txt")
        return self.stdout

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar is wanted and somebody could see it."""
        return self.progress and self.stderr_is_terminal and not self.quiet

    def write(self, text: str) -> None:
        """Write ``text`` to standard output."""
        self.out.write(_shown(text, self.stdout_is_terminal))

    def write_line(self, text: str = "") -> None:
        """Write ``text`` and a line end to standard output."""
        self.write(f"{text}\n")

    def write_bytes(self, data: bytes) -> None:
        """Write bytes to standard output, after the text written so far."""
        stream = self.binary()
        if not self.stdout_is_terminal:
            data = data.replace(_OUR_ESCAPE.encode(), _ESCAPE.encode())
        stream.write(data)
        stream.flush()

    def binary(self) -> BinaryIO:
        """Standard output for bytes, after the text written so far."""
        out = self.out
        out.flush()
        return cast(BinaryIO, _Visible(out)) if self.stdout_is_terminal else out.buffer

    def remark(self, text: str) -> None:
        """Say something beside the results, on standard error, unless ``--quiet``; after the
        results so far, where both streams end in one place."""
        if self.quiet:
            return
        if self.stdout is not None:
            # A closed pipe or a full disk is reported by the last flush.
            with contextlib.suppress(OSError):
                self.stdout.flush()
        if self.stderr_is_terminal:
            text = on_one_line(text)
        if self.live is not None:
            self.live.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        self.tell(f"{text}\n")

    def tell(self, text: str) -> None:
        """Write ``text`` to standard error, ``--quiet`` or not."""
        self.stderr.write(_shown(text, self.stderr_is_terminal))
        self.stderr.flush()

    def flush(self) -> None:
        """Push out what is buffered; the place where a full disk shows itself."""
        if self.stdout is not None:
            self.stdout.flush()
        self.stderr.flush()

    def style(self, text: str, *, error: bool = False, **style: Any) -> str:
        """``text`` with colours or weight where its stream (standard error if ``error``)
        takes them."""
        terminal = self.stderr_is_terminal if error else self.stdout_is_terminal
        wanted = self.color == "always" or (self.color == "auto" and terminal and not self.no_color)
        if not wanted:
            return text
        # Our own escapes are told from those of the text when both are written.
        begin, _, end = click.style("\0", **style).partition("\0")
        return "".join([_ours(begin), text, _ours(end)])


def _ours(codes: str) -> str:
    return codes.replace(_ESCAPE, _OUR_ESCAPE)


def _shown(text: str, on_terminal: bool) -> str:
    """``text`` as its stream gets it, with our own escapes in their places."""
    if _OUR_ESCAPE not in text:
        return visible(text) if on_terminal else text
    parts = text.split(_OUR_ESCAPE)
    return _ESCAPE.join(map(visible, parts) if on_terminal else parts)


class _Visible(io.RawIOBase):
    """A terminal for bytes: text goes there as `visible`, and what is no UTF-8 as escapes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._out.write(_shown(self._decoder.decode(data), True))
        return len(data)

    def flush(self) -> None:
        self._out.write(visible(self._decoder.decode(b"", final=True)))
        self._out.flush()


pass_console = click.make_pass_decorator(Console)
"""Decorator: the command gets the `Console` as its first argument."""


def _as_utf8(stream: TextIO | None) -> TextIO | None:
    # Backslashes for lone surrogates (file names that are no UTF-8): it is also what JSON wants.
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    return stream


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
