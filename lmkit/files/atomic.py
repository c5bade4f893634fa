"""Writing a file that is not a model, such as an ARPA file: whole or not at all.

What is written goes to a temporary file beside the target, which is renamed when it is whole
and on disk, so that a crash leaves the old file or none. The end of the name says how it is
compressed.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lmkit.errors import UsageError
from lmkit.files.replacing import Temporary, cannot_write, check_place, kind_of, not_regular

Target = str | Path | BinaryIO

_DESCRIPTOR = re.compile(rf"/(?:dev|proc/(?:self|{os.getpid()}))/fd/(\d{{1,9}})")
_LINKS = 40
"""So many links one after the other are a circle."""

GZIP_LEVEL = 6
"""gzip's own default; Python's, 9, takes three times as long for one percent."""


@contextlib.contextmanager
def open_target(target: Target) -> Iterator[BinaryIO]:
    """A binary stream to ``target``: a path, ``-`` for standard output, or an open stream.

    A regular file is replaced when the block is left without an exception, and else stays as
    it was; a link is written through. A pipe or a device is written to as it comes, and what
    names an open file of this process, such as ``/dev/stdout``, is that file. ``.gz``, ``.bz2``,
    ``.xz`` and (with the package zstandard) ``.zst`` are compressed. Raises `LmkitError` where
    the file cannot be written.
    """
    if not isinstance(target, str | Path):
        yield target
        target.flush()
        return
    if str(target) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    descriptor = _open_already(path)
    if descriptor is not None or _is_special(path):
        if kind_of(path) == "a disk":
            raise not_regular(path)
        with _failures(path), open(path if descriptor is None else descriptor, "wb") as file:
            yield file
        return
    check_place(path)
    with _failures(path), Temporary(path) as temporary:
        with open(temporary.path, "wb") as file, _compressed(file, path) as stream:
            yield stream
        temporary.put()


def _is_special(path: Path) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _open_already(path: Path) -> int | None:
    """A new descriptor of the open file of this process that ``path`` names, as ``/dev/stdout``
    and ``/dev/fd/3`` do: others write to it as well, so that it must not be replaced."""
    name = path
    for _ in range(_LINKS):
        found = _DESCRIPTOR.fullmatch(str(name))
        if found is not None:
            if sys.stdout is not None:
                sys.stdout.flush()
            with _failures(path):
                return os.dup(int(found[1]))
        if not os.path.islink(name):
            return None
        name = name.parent / os.readlink(name)
    return None


@contextlib.contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error


def _compressed(file: BinaryIO, path: Path) -> Any:
    """``file`` itself, or a stream that compresses into it, which leaving it completes."""
    suffix = path.suffix
    if suffix == ".gz":
        # No time in it: the same content gives the same file.
        return gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0)
    if suffix == ".bz2":
        return bz2.BZ2File(file, "wb")
    if suffix in (".xz", ".lzma"):
        return lzma.LZMAFile(
            file, "wb", format=lzma.FORMAT_ALONE if suffix == ".lzma" else lzma.FORMAT_XZ
        )
    if suffix == ".zst":
        try:
            import zstandard
        except ImportError:
            raise UsageError(
                f"{path} is to be compressed with zstd, which needs the package zstandard",
                "pip install 'lmkit[zstd]', or a name that ends in .xz",
            ) from None
        return zstandard.ZstdCompressor().stream_writer(file, closefd=False)
    return contextlib.nullcontext(file)
