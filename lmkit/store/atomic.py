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
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lmkit.errors import LmkitError, UsageError

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
    _check(path)
    if path.exists() and not path.is_file():
        # A pipe or a device is no file to be replaced.
        with _failures(path), open(path, "wb") as file:
            yield file
        return
    _sweep(path)
    prefix = f".{path.name}.{socket.gethostname()}-{os.getpid()}-"
    with _failures(path):
        handle, name = tempfile.mkstemp(".partial", prefix, path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                with _compressed(file, path) as stream:
                    yield stream
                file.flush()
                os.fsync(handle)
            # mkstemp makes files that only their owner can read.
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


def _check(path: Path) -> None:
    if path.is_dir():
        raise LmkitError(f"{path} is a directory", "naming a file in it")
    if not path.parent.is_dir():
        raise LmkitError(f"there is no directory {path.parent}", f"mkdir -p {path.parent}")


@contextlib.contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LmkitError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}",
            "another place with --output, with room and permission to write",
        ) from error


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


def _sweep(path: Path) -> None:
    """Remove what a killed process on this machine left of an earlier write to ``path``."""
    pattern = re.compile(
        rf"\.{re.escape(path.name)}\.{re.escape(socket.gethostname())}-(\d+)-.*\.partial"
    )
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            found = pattern.fullmatch(entry.name)
            if found and not _alive(int(found[1])):
                os.unlink(entry.path)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
