"""Which format of other programs a file is in, and the model that it holds."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lmkit.errors import UsageError
from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.countfiles import read_counts
from lmkit.ngram.model import NgramModel
from lmkit.ngram.web1t import is_web1t_name, read_web1t
from lmkit.text.reading import TextReader
from lmkit.text.settings import TextSettings

Progress = Callable[[str, int, int], None]

KINDS = ("arpa", "counts", "web1t")

_LOOKED_AT = 1 << 16
_DATA = re.compile(rb"^\\data\\[ \t]*$", re.MULTILINE)


def read_model_of(
    path: str | Path,
    kind: str | None,
    settings: TextSettings | None,
    progress: Progress | None,
    options: Mapping[str, Any],
) -> NgramModel:
    """The model that ``path`` holds. ``kind`` is one of `KINDS`; None: told from the file.

    ``options`` are those of `read_counts`; an ARPA file has none. Raises what the readers
    raise, and `UsageError` for a kind or options that make no sense.
    """
    kind = kind or kind_of_file(path)
    if kind not in KINDS:
        raise UsageError(f"there is no format {kind!r}", f"one of {', '.join(KINDS)}")
    if kind != "arpa":
        reader = read_counts if kind == "counts" else read_web1t
        return reader(path, settings=settings, progress=progress, **options)
    given = [name for name, value in options.items() if value is not None]
    if given:
        shown = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise UsageError(
            f"an ARPA file has its probabilities already, so {shown} cannot be given",
            "leaving it out, or --format counts for a file of counts",
        )
    return read_arpa(path, settings, progress)


def kind_of_file(path: str | Path) -> str:
    """Which of `KINDS` the file (or directory) ``path`` is.

    Raises `UsageError` for standard input and pipes, which can be read only once.
    """
    try:
        mode = None if str(path) == "-" else os.stat(path).st_mode
    except OSError:
        mode = stat.S_IFREG  # Reading it will say what is wrong.
    if mode is None or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UsageError(
            f"what {'standard input' if mode is None else path} holds cannot be told before it is "
            "read, and it can be read only once",
            f"--format {' or '.join(KINDS)}",
        )
    if stat.S_ISDIR(mode) or is_web1t_name(Path(path).name):
        return "web1t"
    start = next(iter(TextReader(path, chunk_bytes=_LOOKED_AT)), None)
    return "arpa" if start is not None and _DATA.search(start.data) else "counts"
