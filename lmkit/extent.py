"""How long a text is as it stands in its file, and what in it a model may fail to read.

One length serves all models of a call, whatever each makes of the text: only then can their bits
per character or byte be compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

NORMAL_FORMS = ("NFC", "NFKC")
_ASCII = bytes(range(128))
_TAB, _LF, _SPACE = 9, 10, 32
_MARKS = (b"<s>", b"</s>")


Utf8 = bytes
"""Whole lines, each ended by one LF."""


class Lines(Protocol):
    """A chunk of a text, as a reader gives it."""

    @property
    def data(self) -> Utf8: ...


Chunk = TypeVar("Chunk", bound=Lines)


@dataclass(slots=True)
class TextExtent:
    """The length of a text, counted while it is read by whole lines (`add`).

    ``characters`` are its code points and ``bytes`` those of its UTF-8. The end of a line counts
    as one, whether it is LF, CRLF or CR, and whether or not the last line has one; a byte order
    mark does not count. ``lines`` are all of them, ``blank_lines`` those of nothing but spaces,
    tabs and NULs. ``gaps`` are the spaces in it.
    """

    lines: int = 0
    blank_lines: int = 0
    gaps: int = 0
    characters: int = 0
    bytes: int = 0
    irregular_spaces: bool = False
    """Whether there are two spaces next to each other, one at an end of a line, a tab or a NUL."""
    capitals: bool = False
    """Whether lower case is another text."""
    sentence_marks: bool = False
    """Whether ``<s>`` or ``</s>`` stands in it."""
    not_in_form: set[str] = field(default_factory=set)
    """Those of `NORMAL_FORMS` that are another text."""

    def counting(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """``chunks`` as they are, each counted on its way."""
        for chunk in chunks:
            self.add(chunk.data)
            yield chunk

    def add(self, lines: Utf8) -> None:
        """Count ``lines``."""
        if not lines:
            return
        units = np.frombuffer(lines, np.uint8)
        ends = np.flatnonzero(units == _LF)
        starts = np.concatenate(([0], ends[:-1] + 1))
        is_space = units == _SPACE
        # Before the first line, and of an empty one, `ends - 1` is a line feed.
        irregular = (is_space[1:] & is_space[:-1]).any() or is_space[starts].any()
        irregular = irregular or is_space[ends - 1].any() or b"\t" in lines or b"\x00" in lines
        self.lines += len(ends)
        self.blank_lines += int((starts == ends).sum())
        if irregular:
            is_text = ~(is_space | (units == _LF) | (units == _TAB) | (units == 0))
            self.blank_lines += int((~np.logical_or.reduceat(is_text, starts)[ends > starts]).sum())
        self.gaps += int(is_space.sum())
        self.bytes += len(lines)
        # The bytes of UTF-8 but those that continue a code point.
        self.characters += int(np.count_nonzero(units.view(np.int8) >= -64))
        self.irregular_spaces |= bool(irregular)
        self.sentence_marks |= any(mark in lines for mark in _MARKS)
        self._compare(lines, units, starts)

    def _compare(self, lines: Utf8, units: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        """Note which forms of the text are another text; each is looked for until it is found."""
        if not self.capitals:
            text = lines.decode(errors="replace")
            self.capitals = text.lower() != text
        wanted = [form for form in NORMAL_FORMS if form not in self.not_in_form]
        if lines.isascii() or not wanted:
            return
        parts = set(lines.translate(None, _ASCII).decode(errors="replace"))
        if any(map(_joins, parts)):
            # No form reaches over a line end: the lines of ASCII alone say nothing.
            chosen = np.logical_or.reduceat(units > 127, starts)
            lengths = np.diff(starts, append=len(units))
            parts = {units[np.repeat(chosen, lengths)].tobytes().decode(errors="replace")}
        for form in wanted:
            if not all(unicodedata.is_normalized(form, part) for part in parts):  # type: ignore[arg-type]
                self.not_in_form.add(form)


def _joins(letter: str) -> bool:
    """Whether ``letter`` may become one with what stands before it: a mark, or a vowel or final
    consonant of Hangul. Texts without any are in a form if each of their letters is."""
    return unicodedata.category(letter)[0] == "M" or "\u1160" <= letter <= "\u11ff"
