"""What can go wrong, said so that a person can act on it.

The library raises these; only the command line turns them into one line,
``Error: what. Try: what to do.``, and an exit code.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Every exit status that the command line can end with."""

    OK = 0
    ERROR = 1
    USAGE = 2
    INTERRUPTED = 130


class LmkitError(Exception):
    """A failure that the user can do something about.

    ``message`` says what went wrong and where (no final full stop); ``hint``
    says what to try.
    """

    exit_code = ExitCode.ERROR

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. Try: {self.hint}." if self.hint else f"{self.message}."


LONGEST = 200
"""Characters of a reason that are shown."""


def one_line(reason: object) -> str:
    """``reason``, which may quote what stands in a damaged file, as one line that is not too long
    and has no control characters."""
    line = " ".join(str(reason).split())
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


class UsageError(LmkitError):
    """The call itself is wrong: an unknown name, options that exclude each other."""

    exit_code = ExitCode.USAGE


class TextError(LmkitError):
    """Text that cannot be read, or says something that it must not say."""


class ModelFileError(LmkitError):
    """A file that is no model, is damaged, or was written by a newer lmkit."""


class FormatError(LmkitError):
    """A malformed ARPA or counts file."""


class UnsupportedError(LmkitError):
    """Something that this kind of model cannot do, and why."""


class DownloadError(LmkitError):
    """A data set that could not be fetched whole and checked."""
