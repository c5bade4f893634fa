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
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lmkit.errors import UsageError
from lmkit.files.replacing import cannot_write, check_place, replace, temporary_beside

Target = str | Path | BinaryIO

GZIP_LEVEL = 6
"""gzip's own default; Python's, 9, takes three times as long for one percent."""


@contextlib.contextmanager
def open_target(target: Target) -> Iterator[BinaryIO]:
    """A binary stream to ``target``: a path, ``-`` for standard output, or an open stream.

    A regular file is replaced when the block is left without an exception, and else stays as
    it was. ``.gz``, ``.bz2``, ``.xz`` and (with the package zstandard) ``.zst`` are compressed.
    Raises `LmkitError` where the file cannot be written.
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
    check_place(path)
    if path.exists() and not path.is_file():
        # A pipe or a device is no file to be replaced.
        with _failures(path), open(path, "wb") as file:
            yield file
        return
    with _failures(path):
        temporary = temporary_beside(path)
        try:
            with open(temporary, "wb") as file, _compressed(file, path) as stream:
                yield stream
            replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


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
