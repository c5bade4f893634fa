"""Reading text files: whole lines of checked UTF-8, in chunks of bounded size.

Plain files, gzip, bzip2, xz and (with the optional package ``zstandard``) zstd files,
open binary streams, ``-`` for standard input, and any of these in another encoding
(`lmkit.text.encodings.Encoded`). Only LF, CRLF and a lone CR end a line; the other
characters that Unicode counts as line ends are ordinary text.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from lmkit.errors import TextError, UsageError
from lmkit.signatures import ARPA, LOOKED_AT, kind_of_start
from lmkit.text.compression import decompress, kind_of, kind_of_name, reading_of
from lmkit.text.encodings import EXAMPLES, Decoding, Encoded
from lmkit.text.guessing import likely_encoding, marked_encoding, remark_on_bytes, wide_encoding

Source = str | Path | BinaryIO | Encoded
Progress = Callable[[int, int | None], None]

CHUNK_BYTES = 4 << 20
_DECODED_AT_ONCE = 1 << 17
_BOM = b"\xef\xbb\xbf"
_LF_LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


@dataclass(frozen=True, slots=True)
class TextChunk:
    """Whole lines of one source, each ended by one LF: valid UTF-8, unless the reader was told
    not to check that.

    ``first_line`` is the number of its first line, counted from 1. ``original`` are the bytes
    that the source has in this place, as UTF-8: the same object where nothing had to be changed.
    """

    data: bytes
    source: str
    first_line: int
    original: bytes = b""


class LineBlock(list[str]):
    """Lines of one source, without their line ends. ``source`` is what messages call it, and
    ``first_line`` the number of the first line there. ``originals``, where asked for, are the
    lines byte for byte as the source has them, with their own line ends, if any."""

    __slots__ = ("first_line", "originals", "source")

    def __init__(
        self, lines: list[str], source: str, first_line: int, originals: list[bytes] | None
    ) -> None:
        super().__init__(lines)
        self.source = source
        self.first_line = first_line
        self.originals = originals


def source_name(source: Source) -> str:
    """What messages call ``source``."""
    if isinstance(source, Encoded):
        source = source.source
    if isinstance(source, str | Path):
        return "standard input" if str(source) == "-" else str(source)
    name = getattr(source, "name", None)
    if name == "<stdin>":
        return "standard input"
    return name if isinstance(name, str) else "a stream"


class TextReader:
    """The text of ``sources``, one after the other, as an iterator of `TextChunk`.

    ``errors`` is ``"strict"`` (invalid UTF-8 raises) or ``"replace"`` (each invalid
    sequence becomes U+FFFD, counted in ``replaced``). A chunk has about ``chunk_bytes``;
    only a longer line makes a longer one. ``eager`` hands lines on as soon as they
    arrive, for streams that somebody waits at. ``progress`` is called with the bytes
    read so far and the bytes there are (None where that is unknown). ``arpa``: an ARPA
    file is what is wanted, and else no text. Without ``checked`` the bytes of a source that
    is not `Encoded` may be any at all, and with ``only_lf`` nothing but LF ends a line and a
    byte order mark is text too. Without ``hashed`` there is no ``sha256``.

    While and after it is read: ``replaced``, ``bytes_read`` (decompressed) and ``sha256``
    of those bytes, all sources together; ``encoding`` of the last source.

    Raises `TextError` for what cannot be read, is not in its encoding, or is no text but a
    file of another kind (`lmkit.signatures`).
    """

    def __init__(
        self,
        sources: Source | Sequence[Source],
        errors: str = "strict",
        *,
        chunk_bytes: int = CHUNK_BYTES,
        eager: bool = False,
        progress: Progress | None = None,
        arpa: bool = False,
        checked: bool = True,
        only_lf: bool = False,
        hashed: bool = True,
    ) -> None:
        if errors not in ("strict", "replace"):
            raise UsageError(f"errors cannot be {errors!r}", "one of strict, replace")
        single = isinstance(sources, str | Path | Encoded) or not isinstance(sources, Sequence)
        self.sources: tuple[Source, ...] = (sources,) if single else tuple(sources)  # type: ignore[assignment, arg-type]
        self.names = tuple(map(source_name, self.sources))
        self.errors = errors
        self.replaced = 0
        self.bytes_read = 0
        self._decoding: Decoding | None = None
        self._arpa = arpa
        self.checked, self.only_lf = checked, only_lf
        self._chunk_bytes = chunk_bytes
        self._eager = eager
        self._progress = progress
        self._hash = hashlib.sha256() if hashed else None

    @property
    def sha256(self) -> str:
        """Of the decompressed bytes read so far."""
        assert self._hash is not None
        return self._hash.hexdigest()

    @property
    def encoding(self) -> str:
        """That of the source which is being read, or was the last one."""
        return "utf-8" if self._decoding is None else self._decoding.encoding

    def notes(self) -> list[str]:
        """What was replaced, in words, if anything."""
        if not self.replaced:
            return []
        return [f"{self.replaced} invalid sequences of bytes were read as U+FFFD"]

    def __iter__(self) -> Iterator[TextChunk]:
        total = self._total_bytes()
        done = 0
        for source, name in zip(self.sources, self.names, strict=True):
            before = self.bytes_read
            self._decoding = None
            if isinstance(source, Encoded):
                self._decoding = Decoding(source, name, self.errors)
                source = source.source
            with _opened(source, name) as (stream, raw):
                for chunk in self._chunks(stream, name):
                    yield chunk
                    if self._progress is not None:
                        self._progress(done + self._position(raw, before), total)
                done += self._position(raw, before)

    def _total_bytes(self) -> int | None:
        total = 0
        for source in self.sources:
            if isinstance(source, Encoded):
                source = source.source
            if not isinstance(source, str | Path) or str(source) == "-":
                return None
            try:
                status = os.stat(source)
            except OSError:
                return None
            if not stat.S_ISREG(status.st_mode):
                return None
            total += status.st_size
        return total

    def _position(self, raw: IO[bytes], before: int) -> int:
        """Bytes read of the file ``raw`` (of a pipe, which has no position, decompressed)."""
        try:
            return raw.tell()
        except (OSError, ValueError):
            return self.bytes_read - before

    def _chunks(self, stream: IO[bytes], name: str) -> Iterator[TextChunk]:
        offset, line = 0, 1
        for data in self._pieces(stream, name):
            text = self._checked(data, name, offset, line)
            if not self.only_lf:
                text = _with_lf(text.removeprefix(_BOM) if offset == 0 else text)
            offset += len(data)
            if text:
                if not text.endswith(b"\n"):
                    text += b"\n"
                yield TextChunk(text, name, line, data)
                line += text.count(b"\n")

    def _pieces(self, stream: IO[bytes], name: str) -> Iterator[bytes]:
        """The text of ``stream`` as UTF-8, cut behind line ends."""
        pending: list[bytes] = []
        for block in self._blocks(stream, name):
            # A CR at the very end may be half of a CRLF.
            last_cr = -1 if self.only_lf else block.rfind(b"\r", 0, len(block) - 1)
            cut = max(block.rfind(b"\n"), last_cr) + 1
            pending.append(block[:cut] if cut else block)
            if cut:
                yield b"".join(pending)
                pending = [block[cut:]]
        if last := b"".join(pending):
            yield last

    def _blocks(self, stream: IO[bytes], name: str) -> Iterator[bytes]:
        """What is read at a time, as UTF-8."""
        first = True
        while True:
            with reading_of(name):
                block = _read(stream, self._chunk_bytes, self._eager)
            if self._hash is not None:
                self._hash.update(block)
            self.bytes_read += len(block)
            if first and (self.checked or self._decoding is not None):
                self._require_text(block, name)
            elif first:
                remark_on_bytes(block, name)
            first = False
            text = block if self._decoding is None else self._decoding(block)
            if self._decoding is not None and self.errors == "replace":
                self.replaced += text.count(_REPLACEMENT)
            if text:
                yield text
            if not block:
                return

    def _require_text(self, start: bytes, name: str) -> None:
        """Raises `TextError` for a file that begins as no text does."""
        kind = kind_of_start(start[:LOOKED_AT])
        if kind is not None and not (self._arpa and kind is ARPA):
            raise TextError(f"{name} is not text but {kind.what}", kind.hint(name))
        likely = (self.errors == "strict" and marked_encoding(start)) or wide_encoding(start)
        if likely is not None and self._decoding is None:
            raise TextError(
                f"{name} looks like {likely.upper()}, not UTF-8", f"--encoding {likely}"
            )

    def _checked(self, data: bytes, name: str, offset: int, line: int) -> bytes:
        """``data`` if it is UTF-8, else what ``errors`` says."""
        if not self.checked or data.isascii():
            return data
        try:
            _require_utf8(data)
        except UnicodeDecodeError:
            pass
        else:
            return data
        try:
            data.decode()
        except UnicodeDecodeError as error:
            if self.errors == "strict":
                raise _not_utf8(data, name, offset, line, error.start) from None
            mended = data.decode(errors="replace").encode()
            self.replaced += mended.count(_REPLACEMENT) - data.count(_REPLACEMENT)
            return mended
        return data


def read_lines(source: Source | TextReader, errors: str = "strict") -> Iterator[str]:
    """The lines of a source, without their line ends, as soon as they arrive."""
    for block in iter_line_blocks(source, errors):
        yield from block


def iter_line_blocks(
    source: Source | TextReader,
    errors: str = "strict",
    *,
    max_lines: int = 10_000,
    max_bytes: int = 1 << 20,
    originals: bool = False,
) -> Iterator[LineBlock]:
    """Blocks of lines, at most ``max_lines`` and about ``max_bytes`` each; lines that have
    arrived are not kept waiting for more. Give a `TextReader` to have its counts later.
    ``originals`` adds the bytes of each line. Bytes that are no UTF-8, where the reader lets
    them pass, are lone surrogates (PEP 383, ``surrogateescape``)."""
    if not isinstance(source, TextReader):
        source = TextReader(source, errors, chunk_bytes=max_bytes, eager=True)
    for chunk in source:
        yield from line_blocks_of(
            chunk, max_lines=max_lines, originals=originals, only_lf=source.only_lf
        )


def line_blocks_of(
    chunk: TextChunk, *, max_lines: int = 10_000, originals: bool = False, only_lf: bool = False
) -> Iterator[LineBlock]:
    """The lines of ``chunk`` as `iter_line_blocks` has them; ``only_lf`` as its reader."""
    lines = chunk.data.decode(errors="surrogateescape").split("\n")
    lines.pop()
    raw = None
    if originals:
        # Of bytes, splitlines splits at LF, CRLF and CR only.
        original = chunk.original
        raw = _LF_LINES.findall(original) if only_lf else original.splitlines(True)
    for start in range(0, len(lines), max_lines):
        stop = start + max_lines
        yield LineBlock(
            lines[start:stop],
            chunk.source,
            chunk.first_line + start,
            None if raw is None else raw[start:stop],
        )


def beginning_of(path: str | Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file, decompressed: as many as can be read, at most ``size``."""
    try:
        with _opened(path, str(path)) as (stream, _), reading_of(str(path)):
            return stream.read(size)
    except TextError:
        return b""


@contextmanager
def _opened(source: str | Path | BinaryIO, name: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The stream of decompressed bytes, and the file below it; what is opened here is closed."""
    with ExitStack() as closing:
        raw: Any
        if not isinstance(source, str | Path):
            raw = source
        elif str(source) == "-":
            if sys.stdin is None:
                raise TextError("standard input is closed", "giving a file")
            raw = sys.stdin.buffer
        else:
            with reading_of(name):
                raw = closing.enter_context(open(source, "rb"))
        with reading_of(name):
            start = _first_bytes(raw)
            kind = kind_of(name, start)
            if kind is not None and start == b"":
                raise EOFError(f"it is empty, which no {kind} file is")
        stream = raw
        if kind is not None:
            stream = closing.enter_context(decompress(raw, kind, name))
        yield stream, raw


def _read(stream: Any, size: int, eager: bool) -> bytes:
    """Up to ``size`` bytes; fewer at the end, or if ``eager`` as soon as there are some."""
    if eager:
        return bytes(stream.read1(size))
    # `read` would not let a signal through while it waits for the rest of a block.
    read = getattr(stream, "read1", stream.read)
    pieces = []
    while size > 0 and (piece := read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _first_bytes(raw: Any) -> bytes | None:
    """What ``raw`` begins with, left unread; None where that cannot be seen."""
    if hasattr(raw, "peek"):
        return bytes(raw.peek(8)[:8])
    if not raw.seekable():
        return None
    position = raw.tell()
    start = bytes(raw.read(8))
    raw.seek(position)
    return start


def _require_utf8(data: bytes) -> None:
    """Raises `UnicodeDecodeError`, of whatever place, where ``data`` is not UTF-8: in stretches,
    as the whole of a large text as one string costs more in memory than in work."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _DECODED_AT_ONCE):
        decoder.decode(data[start : start + _DECODED_AT_ONCE])
    decoder.decode(b"", final=True)


def _with_lf(data: bytes) -> bytes:
    if b"\r" not in data:
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _not_utf8(data: bytes, name: str, offset: int, line: int, start: int) -> TextError:
    line += _with_lf(data[:start]).count(b"\n")
    likely = likely_encoding(data, start)
    if likely:
        hint = f"--encoding {likely}, which is likely, or --errors replace"
    else:
        hint = f"--encoding NAME, if it is in another one, such as {EXAMPLES}; or --errors replace"
    promised = kind_of_name(name)
    return TextError(
        f"{name}, line {line}: byte 0x{data[start]:02x} at offset {offset + start}"
        f" is not valid UTF-8{f' (nor is the file {promised})' if promised else ''}",
        hint,
    )
