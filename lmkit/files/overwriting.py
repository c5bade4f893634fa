"""No file that is read is written over: the one check, for the command line and for Python.

Files are told apart by what they are, not by their names: a link to a file is that file. Devices
and pipes are never lost, and so never refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmkit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Named:
    """A file and its ``role``, such as ``TEXT`` or ``--valid``. ``place`` is a path, ``-`` for
    standard input or output, an open stream, or a directory of files that are read."""

    role: str
    place: Any


def refuse_overwriting(written: Iterable[Named], read: Iterable[Named]) -> None:
    """Raises `UsageError` where one of the files that are ``written`` is ``read``, too."""
    read = list(read)
    for target in written:
        for source in read:
            if _would_be_lost(source.place, target.place):
                raise _refusal(source, target)


def refuse_one_place(written: Iterable[Named]) -> None:
    """Raises `UsageError` where two of the files that are ``written`` are one."""
    seen: list[Named] = []
    for target in written:
        for other in seen:
            if _place(other.place) == _place(target.place):
                both = f"{other.role} and {target.role} are both {target.place}"
                if str(other.place) != str(target.place):
                    both += f" ({other.place})"
                raise UsageError(both, "two files")
        seen.append(target)


def _place(target: Any) -> Any:
    """What tells where ``target`` is written, whatever it is called. Devices are never lost."""
    if str(target) == "-":
        return "-"
    facts = _facts(target)
    device = facts is not None and not stat.S_ISREG(facts.st_mode)
    return object() if device else os.path.realpath(target)


def _refusal(source: Named, target: Named) -> UsageError:
    also = ""
    if isinstance(source.place, str | Path) and str(source.place) != str(target.place):
        also = f" ({source.place})"
    return UsageError(
        f"{target.role} {target.place} would write over {source.role}{also}, which is read",
        f"another name for {target.role}",
    )


def _would_be_lost(source: Any, target: Any) -> bool:
    if not isinstance(target, str | Path) or str(target) == "-":
        return False
    there, read = _facts(target), _facts(source)
    if there is None or read is None or not stat.S_ISREG(there.st_mode):
        return False
    if stat.S_ISDIR(read.st_mode):
        return Path(os.path.realpath(target)).is_relative_to(os.path.realpath(source))
    return os.path.samestat(there, read)


def _facts(place: Any) -> os.stat_result | None:
    """What the system says of a file; None where there is none, so that none can be lost."""
    try:
        if isinstance(place, str | Path):
            return os.fstat(0) if str(place) == "-" else os.stat(place)
        return os.fstat(place.fileno())
    except (OSError, ValueError, AttributeError):
        # A stream of memory has no file behind it.
        return None
