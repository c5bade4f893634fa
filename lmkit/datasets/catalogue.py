"""Which data sets there are: names, licences, splits, and what pins each file.

The facts are in ``catalogue.toml`` beside this module, so that they can be read
and extended without reading code. Nothing here touches the network.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from lmkit.errors import UsageError

RAW_FILES = "https://raw.githubusercontent.com"
"""Where pinned files are read from, unless ``LMKIT_DATA_MIRROR`` names another base URL."""

LARGEST = 64 << 20
"""Bytes of a file of unknown size, where the catalogue says nothing."""
LEAST_SECONDS = 60.0
SLOWEST = 16_384.0
"""Bytes a second, below which a download is too slow to be waited for."""


@dataclass(frozen=True)
class Source:
    """One file as its publisher serves it, pinned by commit, git blob id and length.

    ``size`` (bytes) and ``git_blob``, which covers the length too, are None where they are
    not known before the download: then the commit in the address is all that pins the file.
    ``conversion`` names what turns the file into plain text, None where it is plain text
    already; ``least`` is how many lines that must give at least. ``largest`` (bytes) bounds a
    file whose ``size`` is not known, and ``seconds`` how long it may take to fetch it.
    """

    repository: str
    commit: str
    path: str
    git_blob: str | None = None
    size: int | None = None
    conversion: str | None = None
    least: int = 1
    largest: int = LARGEST
    seconds: float | None = None

    @property
    def most_bytes(self) -> int:
        """No more of them are taken from a server."""
        return self.largest if self.size is None else self.size

    @property
    def most_seconds(self) -> float:
        """A call gives up after so long: by ``seconds``, or else by the size on a slow line."""
        if self.seconds is not None:
            return self.seconds
        return LEAST_SECONDS + self.most_bytes / SLOWEST

    @property
    def url(self) -> str:
        """The address to fetch from; raises `UsageError` for a mirror that is no http(s) URL."""
        return f"{_base_url()}/{self.repository}/{self.commit}/{quote(self.path)}"


@dataclass(frozen=True)
class Dataset:
    """A named data set; ``splits`` maps a split to its source (None: made on this machine)."""

    name: str
    description: str
    licence: str
    home: str
    splits: dict[str, Source | None]

    @property
    def size(self) -> int | None:
        """Bytes to download for all splits, None where one of them is not known."""
        sizes = [source.size if source else None for source in self.splits.values()]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


def _base_url() -> str:
    mirror = os.environ.get("LMKIT_DATA_MIRROR", "").strip().rstrip("/")
    if not mirror:
        return RAW_FILES
    if not re.fullmatch(r"https?://[!-.0-~]+(/[!-~]*)?", mirror):
        raise UsageError(
            f"LMKIT_DATA_MIRROR is {without_password(mirror)!r}, which is not an http or https"
            " address",
            f"a base URL that stands for {RAW_FILES}, such as https://mirror.example/raw",
        )
    return mirror


def without_password(text: str) -> str:
    """``text`` with the addresses in it as they may be shown: errors end up in logs."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    origin = entry.get("source")
    splits = {
        split: Source(**origin, **fields) if origin else None
        for split, fields in entry["splits"].items()
    }
    return Dataset(name, entry["description"], entry["licence"], entry["home"], splits)


@cache
def catalogue() -> dict[str, Dataset]:
    """All data sets by name, in the order of the catalogue file."""
    text = files("lmkit.datasets").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return {name: _dataset(name, entry) for name, entry in tomllib.loads(text).items()}


def find_dataset(name: str) -> Dataset:
    """The data set called ``name``; raises `UsageError` where there is none."""
    try:
        return catalogue()[name]
    except KeyError:
        raise UsageError(
            f"there is no data set named {name!r}", f"one of {', '.join(catalogue())}"
        ) from None


def check_split(dataset: Dataset, split: str) -> str:
    """``split`` itself; raises `UsageError` where the data set has no such split."""
    if split not in dataset.splits:
        raise UsageError(
            f"data set {dataset.name!r} has no split named {split!r}",
            f"one of {', '.join(dataset.splits)}",
        )
    return split
