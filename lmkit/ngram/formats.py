"""Reading models and counts of other programs: which reader a file is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmkit.errors import UsageError
from lmkit.ngram.model import NgramModel
from lmkit.text.reading import read_lines
from lmkit.text.settings import TextSettings

LINES_LOOKED_AT = 100
"""How many lines may stand before ``\\data\\`` in an ARPA file."""


def read_model_of(
    path: str | Path,
    kind: str | None,
    settings: TextSettings,
    progress: Callable[..., None] | None,
    options: dict[str, Any],
) -> NgramModel:
    """The model in ``path``: an ``arpa`` file, ``counts`` or ``web1t``; None: as it looks.

    Raises `UsageError` for smoothing options with an ARPA file, which has its probabilities.
    """
    kind = kind or kind_of_file(path)
    if kind == "arpa":
        if options:
            shown = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(options))
            raise UsageError(
                f"an ARPA file has its probabilities already, so {shown} cannot be given",
                "leaving it out, or --format counts for a file of counts",
            )
        from lmkit.ngram.arpa import read_arpa

        return read_arpa(path, settings, progress)
    if kind == "counts":
        from lmkit.ngram.countfiles import read_counts

        return read_counts(path, settings=settings, progress=progress, **options)
    from lmkit.ngram.web1t import read_web1t

    return read_web1t(path, settings=settings, progress=progress, **options)


def kind_of_file(path: str | Path) -> str:
    """``arpa``, ``counts`` or ``web1t``, by the first lines of ``path``, or its being a
    directory."""
    if Path(path).is_dir():
        return "web1t"
    for number, line in enumerate(read_lines(path)):
        if line.strip() == "\\data\\":
            return "arpa"
        if number >= LINES_LOOKED_AT:
            break
    return "counts"
