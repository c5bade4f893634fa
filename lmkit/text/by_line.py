"""Lines as batches of their sentences, with the way back: which tokens are those of which line.

A line may have several sentences (``--segment sentence``, or marks between them that are dropped),
and a sentence several lines (``paragraph``). ``S`` is the number of lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import Batch
from lmkit.text.reading import LineBlock
from lmkit.text.segmentation import BLANKS, without_marks
from lmkit.text.sentences import sentence_gaps
from lmkit.text.settings import TextSettings

Parts = list[tuple[int, str]]
"""A sentence: the index of a line, and what stands of the sentence there, line by line."""


def needs_paragraphs(settings: TextSettings) -> bool:
    """Whether a line alone does not tell where its sentences begin and end."""
    return settings.segment != "line"


def encode_by_line(
    encoder: Any, lines: Sequence[str], skip_empty: bool = False
) -> tuple[Batch, NDArray[np.int64]]:
    """The sentences of ``lines``, cut as in a file, and how many of their tokens [S] each line
    has. ``</s>`` belongs to the line that a sentence ends in. With ``skip_empty`` an empty line
    has none; ``encoder`` itself skips no lines.

    Where paragraphs matter (`needs_paragraphs`), ``lines`` hold whole ones. Raises what
    `lmkit.text.encoder.TextEncoder.encode` raises.
    """
    settings: TextSettings = encoder.settings
    if settings.segment == "line" and settings.special_tokens != "drop" and not skip_empty:
        batch: Batch = encoder.encode(lines)
        return batch, np.diff(batch.offsets)
    sentences = sentences_of(lines, settings, skip_empty)
    batch = encoder.encode([" ".join([text for _, text in parts]) for parts in sentences])
    tokens = np.zeros(len(lines), np.int64)
    several = []
    for parts, length in zip(sentences, np.diff(batch.offsets).tolist(), strict=True):
        tokens[parts[-1][0]] += length
        if len(parts) > 1:
            several.append((parts, length))
    sizes = iter(
        np.diff(encoder.encode([text for parts, _ in several for _, text in parts]).offsets) - 1
    )
    for parts, length in several:
        own = [int(next(sizes)) for _ in parts]
        # What joins two lines is a token of its own, of the first of them, or it is none.
        joint, rest = divmod(length - 1 - sum(own), len(parts) - 1)
        if rest or joint not in (0, 1):
            continue  # tokens go over the line end: all are those of the last line
        for (line, _), size in zip(parts[:-1], own, strict=False):
            tokens[line] += size + joint
            tokens[parts[-1][0]] -= size + joint
    return batch, tokens


def sentences_of(
    lines: Sequence[str], settings: TextSettings, skip_empty: bool = False
) -> list[Parts]:
    """The sentences of ``lines`` as a file of them has them; an empty line is one only where
    each line is, and not with ``skip_empty``."""
    if settings.special_tokens == "drop":
        pieces = [(n, piece) for n, line in enumerate(lines) for piece in _unmarked(line)]
    else:
        pieces = list(enumerate(lines))
    if settings.segment == "line":
        return [[piece] for piece in pieces if not skip_empty or piece[1].strip(BLANKS)]
    found: list[Parts] = []
    paragraph: Parts = []
    for line, text in [*pieces, (len(lines), "")]:
        if stripped := text.strip(BLANKS):
            paragraph.append((line, stripped))
        elif paragraph:
            found += [paragraph] if settings.segment == "paragraph" else _cut(paragraph)
            paragraph = []
    return found


def _unmarked(line: str) -> list[str]:
    data = line.encode(errors="surrogatepass") + b"\n"
    return without_marks(data).decode(errors="surrogatepass").split("\n")[:-1]


def _cut(paragraph: Parts) -> list[Parts]:
    """The sentences of a paragraph."""
    text = " ".join([part for _, part in paragraph])
    starts, stops = [0], []
    for start, stop in sentence_gaps(text):
        stops.append(start)
        starts.append(stop)
    sentences: list[Parts] = [[] for _ in starts]
    place = current = 0
    stops.append(len(text))
    for line, part in paragraph:
        while current < len(starts) and starts[current] < place + len(part):
            here = text[max(starts[current], place) : min(stops[current], place + len(part))]
            if here:
                sentences[current].append((line, here))
            if stops[current] > place + len(part):
                break
            current += 1
        place += len(part) + 1
    return [parts for parts in sentences if parts]


def whole_paragraphs(blocks: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """The lines of ``blocks`` in blocks that end where a paragraph does."""
    pending: list[Sequence[str]] = []
    for block in blocks:
        if pending and _source(pending[-1]) != _source(block):
            yield _joined(pending)
            pending = []
        last = next((n for n in range(len(block), 0, -1) if not block[n - 1].strip(BLANKS)), 0)
        if last:
            yield _joined([*pending, _part(block, 0, last)])
            pending = []
        if last < len(block):
            pending.append(_part(block, last, len(block)))
    if pending:
        yield _joined(pending)


def _source(block: Sequence[str]) -> str | None:
    return block.source if isinstance(block, LineBlock) else None


def _part(block: Sequence[str], start: int, stop: int) -> Sequence[str]:
    if not isinstance(block, LineBlock):
        return block[start:stop]
    originals = None if block.originals is None else block.originals[start:stop]
    return LineBlock(block[start:stop], block.source, block.first_line + start, originals)


def _joined(blocks: Sequence[Sequence[str]]) -> Sequence[str]:
    if len(blocks) == 1:
        return blocks[0]
    lines = [line for block in blocks for line in block]
    first = blocks[0]
    if not isinstance(first, LineBlock):
        return lines
    originals = None
    if first.originals is not None:
        originals = [o for block in blocks for o in block.originals]  # type: ignore[attr-defined]
    return LineBlock(lines, first.source, first.first_line, originals)
