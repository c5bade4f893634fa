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
from lmkit.ngram.google_books import is_google_books, read_google_books
from lmkit.ngram.model import NgramModel
from lmkit.ngram.web1t import is_web1t_name, read_web1t
from lmkit.text.encodings import encoded
from lmkit.text.reading import TextReader
from lmkit.text.settings import TextSettings

Progress = Callable[[str, int, int], None]

KINDS = ("arpa", "counts", "web1t", "google-books")

_LOOKED_AT = 1 << 16
_DATA = re.compile(rb"^\\data\\[ \t]*$", re.MULTILINE)


def read_model_of(
    path: str | Path,
    kind: str | None,
    settings: TextSettings | None,
    progress: Progress | None,
    options: Mapping[str, Any],
    encoding: str | None = None,
    errors: str = "strict",
) -> NgramModel:
    """The model that ``path`` holds. ``kind`` is one of `KINDS`; None: told from the file.

    ``options`` are those of `read_counts`, and ``years`` of Google Books; an ARPA file has
    ``memory`` alone.
    ``encoding`` is that of the text in ``path`` (None: UTF-8), ``errors`` what bytes do that are
    not of it. Raises what the readers raise, and `UsageError` for a kind or options that make no
    sense.
    """
    kind = kind or kind_of_file(path, encoding)
    if kind not in KINDS:
        raise UsageError(f"there is no format {kind!r}", f"one of {', '.join(KINDS)}")
    if "years" in options and kind != "google-books":
        raise UsageError(
            f"--years means nothing to the format {kind}", "--format google-books, or no --years"
        )
    common: dict[str, Any] = {"settings": settings, "progress": progress, "errors": errors}
    if kind == "counts":
        return read_counts(encoded(path, encoding), **common, **options)
    if kind != "arpa":
        reader = read_web1t if kind == "web1t" else read_google_books
        return reader(path, encoding=encoding, **common, **options)
    memory = options.get("memory")
    given = [name for name, value in options.items() if value is not None and name != "memory"]
    if given:
        shown = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise UsageError(
            f"an ARPA file has its probabilities already, so {shown} cannot be given",
            "leaving it out, or --format counts for a file of counts",
        )
    return read_arpa(encoded(path, encoding), settings, progress, errors, memory)


def kind_of_file(path: str | Path, encoding: str | None = None) -> str:
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
    if stat.S_ISDIR(mode):
        return "web1t" if any(Path(path).glob("*gms")) else "google-books"
    if is_web1t_name(Path(path).name):
        return "web1t"
    # What is wrong with the bytes is said when they are read.
    reader = TextReader(encoded(path, encoding), "replace", chunk_bytes=_LOOKED_AT, arpa=True)
    start = next(iter(reader), None)
    if start is None or _DATA.search(start.data):
        return "arpa" if start is not None else "counts"
    return "google-books" if is_google_books(start.data) else "counts"
