"""Every way to end badly: one line on standard error and an exit code.

`Error: what. Try: what to do.` The traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback

import click

from lmkit.cli.console import Console
from lmkit.errors import ExitCode, LmkitError

DEBUG_HINT = "the same command with --debug to see where"

OS_HINTS = {
    errno.ENOSPC: "freeing some space, or a place on another disk",
    errno.EDQUOT: "freeing some space, or a place on another disk",
    errno.EACCES: "another place, or changing who may read and write there",
    errno.EPERM: "another place, or changing who may read and write there",
    errno.EROFS: "a directory that can be written",
    errno.ENOENT: "another path, there is nothing at this one",
    errno.EISDIR: "a file instead of a directory",
    errno.ENOTDIR: "another path, a part of this one is a file",
    errno.ENAMETOOLONG: "a shorter name",
    errno.EFBIG: "a disk that takes larger files",
    errno.EMFILE: "fewer files at once, or a higher limit (ulimit -n)",
}


def report(error: BaseException, console: Console) -> int:
    """Say what ``error`` means, in one line, and return the exit status it stands for."""
    if isinstance(error, BrokenPipeError):
        # The reader has all it wants (`| head`): nothing went wrong.
        return ExitCode.OK
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.ERROR
    with contextlib.suppress(OSError, ValueError):
        if console.stdout is not None:
            console.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        if console.debug:
            console.tell("".join(traceback.format_exception(error)))
        label, text, status = explain(error)
        console.tell(f"{console.style(label, error=True, fg='red', bold=True)}{text}\n")
        return status
    return explain(error)[2]


def explain(error: BaseException) -> tuple[str, str, int]:
    """The label, the rest of the line, and the exit status for ``error``."""
    if isinstance(error, (KeyboardInterrupt, click.exceptions.Abort)):
        return "", "Interrupted.", ExitCode.INTERRUPTED
    status: int = ExitCode.ERROR
    if isinstance(error, LmkitError):
        text, status = str(error), error.exit_code
    elif isinstance(error, click.ClickException):
        text, status = _of_click(error), error.exit_code
    elif isinstance(error, MemoryError):
        text = "out of memory. Try: lmkit train --memory 500M, or a smaller model."
    elif isinstance(error, OSError) and error.errno is not None:
        text = _of_system(error)
    else:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        text = f"unexpected {what.rstrip('.')}. Try: {DEBUG_HINT}."
    return "Error: ", " ".join(text.split()), status


def _of_click(error: click.ClickException) -> str:
    text = error.format_message().strip()
    if isinstance(error, click.NoSuchOption):
        # Said in the same words by every version of click.
        text = f"No such option {error.option_name!r}."
        if error.possibilities:
            text += f" Did you mean {' or '.join(map(repr, error.possibilities))}?"
    if not text.endswith((".", "?")):
        text += "."
    context = getattr(error, "ctx", None)
    return f"{text} Try: {context.command_path if context else 'lmkit'} --help."


def _of_system(error: OSError) -> str:
    reason = os.strerror(error.errno or 0)
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = f"{' to '.join(names)}: " if names else ""
    hint = OS_HINTS.get(error.errno or 0, DEBUG_HINT)
    return f"{where}{reason[:1].lower()}{reason[1:]}. Try: {hint}."


def abandon() -> None:
    """Point the process's standard output somewhere harmless, where it can no longer be
    written, so that the interpreter's last flush does not complain a second time."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, stream.fileno())
                os.close(sink)
