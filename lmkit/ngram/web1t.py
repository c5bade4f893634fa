"""Google's layout of n-gram counts, as in Web 1T 5-gram (Brants and Franz 2006, LDC2006T13).

A directory with ``1gms/vocab.gz``, ``2gms/2gm-0000.gz``, ``2gms/2gm-0001.gz``, ``3gms/...``;
the files, compressed or not, have lines ``w1 ... wn <TAB> count``. One such file alone will do
as well. The special tokens are ``<S>``, ``</S>`` and ``<UNK>`` there.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from lmkit.errors import FormatError
from lmkit.model import BOS, EOS, UNK
from lmkit.ngram.countfiles import CountReading, read_count_files
from lmkit.ngram.model import NgramModel
from lmkit.text.encodings import encoded

ALIASES = {b"<UNK>": UNK, b"<S>": BOS, b"</S>": EOS}

_DIRECTORY = re.compile(r"(\d+)gms")
_SUFFIX = r"(\.(gz|bz2|xz|zst))?"
_VOCABULARY = re.compile(rf"vocab{_SUFFIX}")
# The vocabulary sorted by counts: the same words, taken where the other file is missing.
_VOCABULARY_BY_COUNT = re.compile(rf"vocab_cs{_SUFFIX}")
_NGRAMS = re.compile(rf"\d+gm-\d+{_SUFFIX}")


def read_web1t(
    path: str | Path, *, order: int | None = None, encoding: str | None = None, **options: Any
) -> NgramModel:
    """A model from the counts in the directory (or the one file) ``path``, up to ``order``.

    ``options`` are those of `lmkit.ngram.countfiles.read_counts`, whose errors it raises too.
    """
    files = web1t_files(Path(path), order) if Path(path).is_dir() else [path]
    paths = [encoded(file, encoding) for file in files]
    return read_count_files(paths, partial(CountReading, ALIASES), order=order, **options)


def web1t_files(directory: Path, order: int | None = None) -> list[Path]:
    """The files of the layout in ``directory``, the shortest n-grams first.

    Raises `FormatError` where there are none.
    """
    found: dict[int, list[Path]] = {}
    for entry in sorted(directory.iterdir()):
        match = _DIRECTORY.fullmatch(entry.name)
        if match and entry.is_dir() and (order is None or int(match[1]) <= order):
            found[int(match[1])] = _of_one_order(entry)
    files = [file for n in sorted(found) for file in found[n]]
    if not files:
        raise FormatError(
            f"{directory} has no files such as 1gms/vocab.gz or 2gms/2gm-0000.gz",
            "the directory that 1gms, 2gms, ... are in",
        )
    return files


def is_web1t_name(name: str) -> bool:
    """Whether a file of this name belongs to the layout."""
    kinds = (_VOCABULARY, _VOCABULARY_BY_COUNT, _NGRAMS)
    return any(kind.fullmatch(name) for kind in kinds)


def _of_one_order(directory: Path) -> list[Path]:
    files = sorted(directory.iterdir())
    for kind in (_NGRAMS, _VOCABULARY, _VOCABULARY_BY_COUNT):
        if chosen := [file for file in files if kind.fullmatch(file.name)]:
            return chosen
    return []
