"""The English channels that come with lmkit: counts learnt from lists of misspellings.

``english/<channel>.tsv`` are rows of the table ``edits``, written by ``data/english_channel.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lmkit.channel.base import EditRow
from lmkit.errors import UnsupportedError

FOLDER = Path(__file__).parent / "english"


def english_rows(channel: str) -> Iterator[EditRow]:
    """The counts of the English channel. Raises `UnsupportedError` where none comes with lmkit."""
    path = FOLDER / f"{channel}.tsv"
    if not path.exists():
        raise UnsupportedError(
            f"no English counts come with lmkit for the channel {channel!r}",
            "--pairs, to learn them",
        )
    with open(path, encoding="utf-8") as file:
        lines = (line.rstrip("\n") for line in file if not line.startswith("#"))
        next(lines)
        for line in lines:
            kind, context, intended, typed, count = line.split("\t")
            yield EditRow(kind, context, intended, typed, float(count))
