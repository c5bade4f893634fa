"""What one sentence is: a line, a paragraph, or what ends like a sentence.

The reader's lines come in, and sentences go out in the same form: whole chunks of UTF-8,
one sentence a line. Paragraphs are separated by blank lines; no paragraph goes on from
one file to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from lmkit.text.reading import TextChunk
from lmkit.text.settings import TextSettings

BLANKS = " \t\x00"
"""A line of nothing else is empty (for every tokenizer, so that all skip the same lines)."""
_BLANKS = BLANKS.encode()
_MARKS = re.compile(rb"(?:</?s>[ \t]*+)++")


def segment(chunks: Iterable[TextChunk], settings: TextSettings) -> Iterator[bytes]:
    """The sentences of ``chunks``, one a line, as ``settings`` has them."""
    if settings.special_tokens == "drop":
        chunks = (replace(chunk, data=without_marks(chunk.data)) for chunk in chunks)
    if settings.segment == "line":
        for chunk in chunks:
            data = without_empty(chunk.data) if settings.skip_empty_lines else chunk.data
            if data:
                yield data
        return
    for paragraphs in _paragraphs(chunks):
        if settings.segment == "sentence":
            from lmkit.text.sentences import split_sentences

            # Bytes of any file come through this as they are.
            lines = paragraphs.decode(errors="surrogateescape").split("\n")
            text = "\n".join(map(split_sentences, lines))
            paragraphs = text.encode(errors="surrogateescape")
        yield paragraphs


def without_marks(lines: bytes, within: bytes = b"\n") -> bytes:
    """``lines`` without literal ``<s>`` and ``</s>``, and without the spaces around them:
    nothing at the ends of a line, ``within`` between two parts of one."""
    if b"s>" not in lines:
        return lines

    kept: list[bytes] = []
    parts = _MARKS.split(lines)
    for part, following in pairwise(parts):
        before = part.rstrip(b" \t")
        begins = not before or before.endswith(b"\n")
        ends = not following or following.startswith((b"\n", b"\r\n"))
        kept += [before, b"" if begins or ends else within]
    return b"".join([*kept, parts[-1]])


def without_empty(lines: bytes) -> bytes:
    """``lines`` without the empty ones."""
    return b"".join(line + b"\n" for line in lines.split(b"\n") if line.strip(_BLANKS))


def _paragraphs(chunks: Iterable[TextChunk]) -> Iterator[bytes]:
    """Each paragraph as one line, its own lines joined by spaces."""
    open_lines: list[bytes] = []
    for chunk in chunks:
        done: list[bytes] = []
        lines = [line.strip(_BLANKS) for line in chunk.data.split(b"\n")]
        lines.pop()
        if chunk.first_line == 1:
            lines.insert(0, b"")
        for line in lines:
            if line:
                open_lines.append(line)
            elif open_lines:
                done.append(b" ".join(open_lines))
                open_lines = []
        if done:
            yield b"\n".join(done) + b"\n"
    if open_lines:
        yield b" ".join(open_lines) + b"\n"
