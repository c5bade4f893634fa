"""Text in other encodings than UTF-8: a source with its encoding, and decoding block by block.

The names are those of Python's codecs. A decoder keeps what it has of a character, and its shift
state, from block to block.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from encodings.aliases import aliases
from pathlib import Path
from typing import Any, BinaryIO

from lmkit.errors import TextError, UsageError
from lmkit.text.guessing import is_utf8_already, wide_encoding

EXAMPLES = "gbk, shift_jis, koi8-r or utf-16"
_NATIVE = {"utf-16": ("utf-16-le", "utf-16-be"), "utf-32": ("utf-32-le", "utf-32-be")}
_MARK = 4
"""Bytes that the longest byte-order mark has."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """``source``, a file or a stream, whose text is in ``encoding``.

    ``kept``: the text will be written back, so that reading raises `TextError` in the end if
    encoding it again does not give the same bytes.
    """

    source: str | Path | BinaryIO
    encoding: str
    kept: bool = False

    def __str__(self) -> str:
        return str(self.source)


def encoded(source: Any, encoding: str | None) -> Any:
    """``source`` in ``encoding``: itself where that is UTF-8 (or None), or where it is no source
    but None or words.

    Raises `UsageError` for a name that Python does not know.
    """
    if encoding is None or checked_encoding(encoding) == "utf-8":
        return source
    if isinstance(source, str | Path) or hasattr(source, "read"):
        return Encoded(source, checked_encoding(encoding))
    return source


def checked_encoding(name: str) -> str:
    """The codec's own name for the encoding ``name``; ``utf-8`` with or without a mark.

    Raises `UsageError` for a name that is no encoding of text.
    """
    try:
        "".encode(name)
        found = codecs.lookup(name)
        if found.incrementaldecoder is None or found.incrementalencoder is None:
            raise LookupError(name)
    except (LookupError, UnicodeError, ValueError):
        close = get_close_matches(name.lower().replace("-", "_"), {*aliases, *aliases.values()})
        raise UsageError(
            f"there is no encoding {name!r}",
            f"one that Python knows: {', '.join(close)}"
            if close
            else f"one that Python knows, such as {EXAMPLES}",
        ) from None
    return "utf-8" if found.name in ("utf-8", "utf-8-sig") else found.name


class Decoding:
    """Turns the blocks of one source, called ``name`` in messages, into UTF-8."""

    def __init__(self, source: Encoded, name: str, errors: str) -> None:
        self._asked = source.encoding
        self._name = name
        self._errors = errors
        self._decoder: Any = None
        self._encoder: Any = None
        self._kept = source.kept
        self._hashes = hashlib.sha256(), hashlib.sha256()
        self._waiting = b""
        self._bytes = 0
        self._lines = 1
        self._after_cr = False
        self.encoding = source.encoding

    def __call__(self, block: bytes) -> bytes:
        """The UTF-8 of ``block``; an empty block is the end.

        Raises `TextError` for bytes that are not of the encoding, unless they are replaced.
        """
        final = not block
        if self._decoder is None:
            block = self._waiting + block
            if len(block) < _MARK and not final:
                self._waiting = block
                return b""
            self._begin(block)
        return self._decode(block, final)

    def _begin(self, start: bytes) -> None:
        if not self._asked.startswith("utf") and is_utf8_already(start):
            raise TextError(
                f"{self._name} is UTF-8, not {self._asked}",
                f"leaving out --encoding {self._asked}, which holds for all files of a command",
            )
        self.encoding = _with_order(self._asked, start)
        self._decoder = codecs.getincrementaldecoder(self.encoding)(self._errors)
        self._encoder = codecs.getincrementalencoder(self.encoding)()

    def _decode(self, block: bytes, final: bool) -> bytes:
        before = self._decoder.getstate()
        try:
            text: str = self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            raise self._undecodable(error, len(block), before) from None
        except UnicodeError as error:
            raise TextError(f"{self._name} is not valid {self.encoding}: {error}") from None
        self._bytes += len(block)
        self._count(text)
        if self._kept:
            self._compare(block, text, final)
        return text.encode(errors="surrogatepass")

    def _count(self, text: str) -> None:
        self._lines += text.count("\n") + text.count("\r") - text.count("\r\n")
        self._lines -= self._after_cr and text.startswith("\n")
        if text:
            self._after_cr = text.endswith("\r")

    def _undecodable(self, error: UnicodeDecodeError, size: int, before: Any) -> TextError:
        kept = len(error.object) - size
        self._decoder.setstate(before)
        self._count(self._decoder.decode(error.object[kept : max(error.start, kept)]))
        return TextError(
            f"{self._name}, line {self._lines}: byte 0x{error.object[error.start]:02x} at offset"
            f" {self._bytes - kept + error.start} is not valid {self.encoding}",
            "another --encoding, or --errors replace",
        )

    def _compare(self, block: bytes, text: str, final: bool) -> None:
        """Encode ``text`` again, and see in the end whether the bytes are the same."""
        read, again = self._hashes
        read.update(block)
        try:
            again.update(self._encoder.encode(text, final))
            same = not final or read.digest() == again.digest()
        except UnicodeEncodeError:
            same = False
        if not same:
            raise TextError(
                f"{self._name} would not keep its bytes: {self.encoding} has other forms for them",
                "--output FILE instead of --in-place, which writes UTF-8",
            )


def _with_order(name: str, start: bytes) -> str:
    """``name``, for UTF-16 and UTF-32 with the order of the bytes, as the mark has it (which
    stays part of the text), or else what the first bytes are likely."""
    if name not in _NATIVE:
        return name
    little, big = _NATIVE[name]
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if name == "utf-32":
        marks = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
    if start.startswith(marks):
        return little if start.startswith(marks[0]) else big
    if (found := wide_encoding(start)) in (little, big):
        return str(found)
    ends = ["\n".encode(order) for order in (little, big)]
    at = range(0, len(start), len(ends[0]))
    counts = [sum(start.startswith(end, place) for place in at) for end in ends]
    return big if counts[1] > counts[0] else little


class EncodingWriter(io.RawIOBase):
    """Takes UTF-8 and writes it to ``below`` in the encoding that ``encoding`` gives when the
    first bytes come.

    Raises `TextError` for characters that the encoding does not have.
    """

    def __init__(self, below: BinaryIO, encoding: Callable[[], str]) -> None:
        self._below = below
        self._encoding = encoding
        self._encoder: Any = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._encoder is None:
            self._encoder = codecs.getincrementalencoder(self._encoding())()
        text = self._decoder.decode(bytes(data))
        try:
            self._below.write(self._encoder.encode(text))
        except UnicodeEncodeError as error:
            raise TextError(
                f"{self._encoding()} has no {text[error.start]!r}, which is to be written",
                "--output FILE instead of --in-place, which writes UTF-8",
            ) from None
        return len(data)

    def finish(self) -> None:
        """Write what the encoder still owes, such as the end of a shift."""
        if self._encoder is not None:
            self._below.write(self._encoder.encode("", True))
