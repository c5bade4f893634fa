"""Compressed files: which kind a file is, and the stream of what it holds; and what can go wrong
when a file is read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from lmkit.errors import TextError

_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".lzma": "xz", ".zst": "zstd"}
# None of these can begin a UTF-8 text, except bzip2's, which is taken with the mark of a block or
# of the end, and that of the old form of xz, which is taken with its name.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{
        b"BZh%d%s" % (level, mark): "bzip2"
        for level in range(1, 10)
        for mark in (b"1AY&", b"\x17rE8")
    },
}


class DamagedError(EOFError):
    """A compressed stream that ends too early or does not decode."""


READ_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
)


def kind_of(name: str, start: bytes | None) -> str | None:
    """The compression of a file, by its first bytes; None where it has none. Its name decides only
    where those cannot be seen (None), or where there are none."""
    promised = kind_of_name(name)
    if not start:
        return promised
    if promised == "xz" and start.startswith(b"]\0\0"):
        return promised
    for magic, kind in _MAGIC.items():
        # A file that ends within its first bytes is damaged.
        if start.startswith(magic) or (kind == promised and magic.startswith(start)):
            return kind
    return None


def kind_of_name(name: str) -> str | None:
    """The compression that the end of a file's name promises."""
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def decompress(raw: IO[bytes], kind: str, name: str) -> IO[bytes]:
    """The decompressed stream of ``raw``. Damage shows as one of `READ_ERRORS` when it is read.

    Raises `TextError` where zstd is not installed.
    """
    stream: Any
    if kind == "gzip":
        stream = gzip.GzipFile(fileobj=raw, mode="rb")
    elif kind == "bzip2":
        stream = bz2.BZ2File(raw)
    elif kind == "xz":
        stream = lzma.LZMAFile(raw)
    else:
        stream = io.BufferedReader(_ZstdStream(raw, name), 1 << 17)
    return stream


class _ZstdStream(io.RawIOBase):
    """A zstd file of one or more frames. (The package's own stream takes a file that was
    cut short for a whole one.)"""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        try:
            import zstandard
        except ImportError:
            raise TextError(
                f"{name} is compressed with zstd, which needs the package zstandard",
                "pip install 'lmkit[zstd]'",
            ) from None
        self._error = zstandard.ZstdError
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._raw = raw
        self._frame: Any = None
        self._input = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if not self._input:
                self._input = self._raw.read(1 << 17)
                if not self._input:
                    if self._frame is not None:
                        raise DamagedError("the last frame is cut short")
                    return 0
            self._ready = memoryview(self._decoded())
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _decoded(self) -> bytes:
        frame = self._frame = self._frame or self._new()
        try:
            data: bytes = frame.decompress(self._input)
        except self._error as error:
            raise DamagedError(str(error)) from error
        self._input = b""
        if frame.eof:
            self._input, self._frame = frame.unused_data, None
        return data


@contextmanager
def reading_of(name: str) -> Iterator[None]:
    """Makes one `TextError` of whatever goes wrong when ``name`` is opened or read."""
    try:
        yield
    except READ_ERRORS as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> TextError:
    if isinstance(error, IsADirectoryError):
        return TextError(f"{name} is a directory", "the files in it, one by one")
    if isinstance(error, OSError) and error.errno is not None:
        reason = (error.strerror or str(error)).lower()
        hint = None
        if isinstance(error, FileNotFoundError) and " " in name:
            # People type the text itself where a file is wanted.
            hint = "echo TEXT | lmkit ..., if it is the text itself"
        return TextError(f"cannot read {name}: {reason}", hint)
    return TextError(
        f"{name} is damaged or not whole: {error}".rstrip("."), "making or fetching it again"
    )
