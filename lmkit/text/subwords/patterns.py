"""Patterns that cut text into pieces before subwords are learnt or looked for in each.

A subword never crosses the border between two pieces. A pattern is ``gpt2``, ``gpt4``, ``none``
(a whole line is one piece) or any regular expression of the ``regex`` package. Whatever the
pattern does not match stands between the pieces that it matches as pieces of its own, so that no
character is lost.

Text is bytes here. Bytes that are no UTF-8 count as characters that are neither letters, numbers
nor white space (lone surrogates, PEP 383).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.text.subwords import cutting

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2's (Radford et al. 2019): contractions; letters, numbers or other characters with the space
before them; white space but for the last before something visible."""
GPT4 = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s+\Z|\s*[\r\n]|\s+(?!\S)|\s"
)
"""That of GPT-3.5 and GPT-4 (``cl100k_base``): numbers go by threes, letters take any one character
before them, line ends close a piece."""
NAMED = {"gpt2": GPT2, "gpt4": GPT4, "none": r"(?s:.+)"}
"""Patterns that have a name, as regular expressions."""

Offsets = NDArray[np.int64]
LINE_END = b"\n"
_SLICE = 1 << 19
_PATIENCE = 10.0
"""Seconds that a regular expression may take for a line, and for each MB of it."""
_REPEATED_GROUP = re.compile(r"\)[*+{]")
"""What the time of a regular expression can grow exponentially with. Looking at the clock costs a
third of the speed, so patterns without it go without."""
_SAFE_CUT = re.compile(rb"\n|[a-z](?= [a-z])")
"""Behind this a text can be cut, and its parts cut into pieces apart."""
_NO_UTF8 = (0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF9, 0xF8, 0xF7, 0xF6, 0xF5, 0xC0, 0xC1)


class Splitter(ABC):
    """Cuts bytes into pieces: concatenated they are the bytes again, and none is empty."""

    specials: tuple[bytes, ...] = ()
    """Special tokens, which are pieces by themselves wherever they stand."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def split(self, text: bytes) -> list[bytes]:
        """The pieces of a text in which an LF is a character as any other."""
        return cut_at(text, self._starts(text, False)) if text else []

    def split_lines(self, text: bytes) -> list[bytes]:
        """The pieces of each line by itself; the LF that ends a line is a piece, `LINE_END`, and
        stands in no other. The last line need not have one."""
        return cut_at(text, self._starts(text, True)) if text else []

    def line_starts(self, text: bytes) -> Offsets:
        """The offsets at which the pieces of `split_lines` begin, if there is text."""
        return self._starts(text, True)

    def slices(self, text: bytes) -> Iterator[bytes]:
        """``text`` in slices of some 512 KB; `split_lines` of each gives the same pieces."""
        start = 0
        while len(text) - start > 2 * _SLICE:
            found = self._cut.search(text, start + _SLICE)
            if found is None:
                break
            yield text[start : found.end()]
            start = found.end()
        yield text[start:]

    _cut = re.compile(rb"\n")

    @abstractmethod
    def _starts(self, text: bytes, lines: bool) -> Offsets:
        """The offsets at which the pieces of ``text`` begin, if it is not empty."""


class ClassSplitter(Splitter):
    """A pattern that the classes of neighbours decide."""

    _cut = _SAFE_CUT

    def __init__(self, pattern: str, cut: cutting.Cut) -> None:
        super().__init__(pattern)
        self._cut_by = cut

    def _starts(self, text: bytes, lines: bool) -> Offsets:
        table = cutting.classes(lines)
        if text.isascii():
            ascii_characters = np.frombuffer(text, np.uint8)
            return np.flatnonzero(self._cut_by(ascii_characters, table[ascii_characters]))
        encoded = text.decode(errors="surrogateescape").encode("utf-32-le", "surrogatepass")
        characters = np.frombuffer(encoded, "<u4")
        starts = np.flatnonzero(self._cut_by(characters, table[characters]))
        return byte_offsets(characters)[starts]


def byte_offsets(characters: NDArray[np.uint32]) -> Offsets:
    """Where each character [n] begins in its UTF-8; a lone surrogate stands for one byte."""
    widths = 1 + (characters >= 0x80).view(np.int8) + (characters >= 0x800) + (characters > 0xFFFF)
    widths[(characters >= 0xDC80) & (characters <= 0xDCFF)] = 1
    offsets = np.zeros(len(characters), np.int64)
    np.cumsum(widths[:-1], out=offsets[1:])
    return offsets


def cut_at(text: bytes, starts: Offsets) -> list[bytes]:
    """``text`` cut before each of the offsets ``starts`` [n], the first of which is 0."""
    separator = next((byte for byte in _NO_UTF8 if byte not in text), None)
    if separator is None:
        bounds = [*starts.tolist(), len(text)]
        return [text[a:b] for a, b in pairwise(bounds)]
    array = np.frombuffer(text, np.uint8)
    keep = np.ones(len(array) + len(starts), np.bool_)
    keep[starts + np.arange(len(starts))] = False
    room = np.full(len(keep), separator, np.uint8)
    room[keep] = array
    return room[1:].tobytes().split(bytes([separator]))


class LineSplitter(Splitter):
    """``none``: a line is a piece."""

    def _starts(self, text: bytes, lines: bool) -> Offsets:
        if not lines:
            return np.zeros(1, np.int64)
        starts = np.frombuffer(text, np.uint8) == ord(LINE_END)
        starts[1:] |= starts[:-1].copy()
        starts[0] = True
        return np.flatnonzero(starts)


class RegexSplitter(Splitter):
    """Any regular expression, a line at a time. One that tries endlessly is a `UsageError`."""

    def __init__(self, pattern: str, compiled: Any) -> None:
        super().__init__(pattern)
        self._compiled = compiled
        self._endless = _REPEATED_GROUP.search(pattern) is not None

    def _starts(self, text: bytes, lines: bool) -> Offsets:
        decoded = text.decode(errors="surrogateescape")
        pieces: list[str] = []
        for part in re.split(r"(\n)", decoded) if lines else [decoded]:
            pieces += [part] if lines and part == "\n" else self._pieces(part)
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        starts = np.cumsum(lengths) - lengths
        if text.isascii():
            return starts
        encoded = decoded.encode("utf-32-le", "surrogatepass")
        return byte_offsets(np.frombuffer(encoded, "<u4"))[starts]

    def _pieces(self, text: str) -> list[str]:
        patience = _PATIENCE * (1 + len(text) / 1e6)
        try:
            return self._found(text, patience if self._endless else None)
        except TimeoutError:
            raise UsageError(
                f"the pattern {self.pattern!r} takes more than {patience:.0f} s for one line of"
                f" {len(text):,} characters: {text[:20]!r}...",
                "a pattern without nested repetitions, or gpt2",
            ) from None

    def _found(self, text: str, patience: float | None) -> list[str]:
        if not self._compiled.groups:
            found = [piece for piece in self._compiled.findall(text, timeout=patience) if piece]
            if sum(map(len, found)) == len(text):  # nothing is left between them
                return found
        pieces, end = [], 0
        for match in self._compiled.finditer(text, timeout=patience):
            start, stop = match.span()
            if start < stop:
                if end < start:
                    pieces.append(text[end:start])
                pieces.append(text[start:stop])
                end = stop
        if end < len(text):
            pieces.append(text[end:])
        return pieces


class SpecialSplitter(Splitter):
    """Special tokens are pieces; what stands between two of them is a text by itself.

    Where several could begin at one place, the longest one does.
    """

    def __init__(self, inner: Splitter, specials: Sequence[bytes]) -> None:
        super().__init__(inner.pattern)
        self._inner = inner
        self.specials = tuple(specials)
        longest_first = sorted(set(specials), key=len, reverse=True)
        self._special = re.compile(b"(" + b"|".join(map(re.escape, longest_first)) + b")")

    def _starts(self, text: bytes, lines: bool) -> Offsets:
        if not any(special in text for special in self.specials):
            return self._inner._starts(text, lines)
        found, offset = [np.zeros(0, np.int64)], 0
        parts = self._special.split(text)
        for between, special in zip(parts[::2], [*parts[1::2], b""], strict=True):
            if between:
                found.append(offset + self._inner._starts(between, lines))
                offset += len(between)
            if special:
                found.append(np.array([offset]))
                offset += len(special)
        return np.concatenate(found)


def splitter(pattern: str, special_tokens: Sequence[str] = ()) -> Splitter:
    """What cuts by ``pattern``: ``gpt2``, ``gpt4``, ``none`` or a regular expression, and keeps
    ``special_tokens`` whole.

    Raises `UsageError` for what is none of these, and for a special token that is empty, has a
    line end or is no Unicode text.
    """
    plain = _plain(pattern)
    if not special_tokens:
        return plain
    for token in special_tokens:
        if not token or "\n" in token or not _is_text(token):
            raise UsageError(
                f"{token!r} cannot be a special token", "text without line ends, such as '<|sep|>'"
            )
    return SpecialSplitter(plain, [token.encode() for token in special_tokens])


def distinct(special_tokens: Sequence[str]) -> tuple[str, ...]:
    """``special_tokens``, each once. Raises `UsageError` for one text, which is no list of them."""
    if isinstance(special_tokens, str):
        raise UsageError(
            f"special_tokens is the text {special_tokens!r}, not a list of texts",
            f"special_tokens=[{special_tokens!r}]",
        )
    return tuple(dict.fromkeys(special_tokens))


def _is_text(token: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in token)


@lru_cache(maxsize=32)
def _plain(pattern: str) -> Splitter:
    if pattern == "none":
        return LineSplitter(pattern)
    if pattern in ("gpt2", GPT2):
        return ClassSplitter("gpt2", cutting.gpt2)
    if pattern in ("gpt4", GPT4):
        return ClassSplitter("gpt4", cutting.gpt4)
    import regex  # type: ignore[import-untyped, unused-ignore]

    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise UsageError(
            f"the pattern {pattern!r} is no regular expression: {error}",
            r"gpt2, gpt4, none or a regular expression such as '\w+|\W'",
        ) from None
    return RegexSplitter(pattern, compiled)
