"""The table of replacements in a sentencepiece model (``precompiled_charsmap``).

It is a double-array trie (Darts-clone) over UTF-8, with the replacements behind it, each ended
by NUL. Two programs read it in two ways: sentencepiece takes the longest rule that begins at a
position; the normalizer ``Precompiled`` of the package ``tokenizers`` asks for each grapheme
cluster of fewer than six bytes, then for single characters, and takes the shortest rule.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import FormatError
from lmkit.text.subwords.parts import REWRITE

_SPACE = "▁".encode()
PRINTABLE = bytes(range(0x20, 0x7F))


class Charsmap:
    """The rules of one ``precompiled_charsmap``. Raises `FormatError` where it is damaged."""

    def __init__(self, blob: bytes) -> None:
        size = int.from_bytes(blob[:4], "little")
        if len(blob) <= 4 or size % 4 or size == 0 or 4 + size > len(blob):
            raise FormatError(
                "the table of replacements (precompiled_charsmap) is cut off", REWRITE
            )
        self._units = struct.unpack_from(f"<{size // 4}I", blob, 4)
        self._texts = blob[4 + size :]

    def has_inside(self, byte: int) -> bool:
        """Whether a rule replaces a text with ``byte`` in it, other than as its first byte."""
        every = np.arange(256)
        return any(depth and (found == byte).any() for depth, found, _ in self._walk(every))

    def has_any_of(self, symbols: bytes) -> bool:
        """Whether a rule replaces a text of no bytes but ``symbols``."""
        allowed = np.frombuffer(symbols, np.uint8).astype(np.int64)
        return any((unit >> 8 & 1).any() for _, _, unit in self._walk(allowed))

    def _walk(
        self, allowed: NDArray[np.int64]
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """All edges of the trie with ``allowed`` bytes: for each depth, the bytes and the units."""
        units = np.array(self._units, np.int64)
        seen = np.zeros(len(units), np.bool_)
        nodes, depth = np.array([_offset(self._units[0])]), 0
        while len(nodes):
            at = nodes[:, None] ^ allowed
            there = at < len(units)
            there &= units[np.where(there, at, 0)] & 0x800000FF == allowed
            at, symbols = at[there], np.broadcast_to(allowed, there.shape)[there]
            yield depth, symbols, units[at]
            at = np.unique(at[~seen[at]])  # a damaged table may lead back
            seen[at] = True
            nodes, depth = at ^ (units[at] >> 10 << ((units[at] & 0x200) >> 6)), depth + 1

    def prefixes(self, text: bytes, start: int) -> Iterator[tuple[int, bytes]]:
        """The rules that match from ``start`` on, the shortest first: where each ends, and its
        replacement."""
        units = self._units
        node = _offset(units[0])
        for place in range(start, len(text)):
            node ^= text[place]
            if node >= len(units):
                return
            unit = units[node]
            if unit & 0x800000FF != text[place]:
                return
            node ^= _offset(unit)
            if unit >> 8 & 1:
                if node >= len(units):
                    return
                yield place + 1, self._text(units[node] & 0x7FFFFFFF)

    def _text(self, start: int) -> bytes:
        end = self._texts.find(b"\0", start)
        if end < 0:
            if start > len(self._texts):
                raise FormatError(
                    "the table of replacements (precompiled_charsmap) points outside itself",
                    REWRITE,
                )
            end = len(self._texts)
        return self._texts[start:end]


def _offset(unit: int) -> int:
    return unit >> 10 << ((unit & 0x200) >> 6)


class Precompiled:
    """The normalizer of that name in the package ``tokenizers``."""

    def __init__(self, charsmap: Charsmap) -> None:
        self._charsmap = charsmap
        self._of = cache(self._shortest)

    def __call__(self, text: str) -> str:
        return "".join(map(self._cluster, _clusters().findall(text)))

    def _cluster(self, cluster: str) -> str:
        if len(cluster.encode()) < 6 and (new := self._of(cluster)) is not None:
            return new
        return "".join(one if (new := self._of(one)) is None else new for one in cluster)

    def _shortest(self, text: str) -> str | None:
        # What stands behind the rule's match is replaced with it: so does the package.
        for _, new in self._charsmap.prefixes(text.encode(), 0):
            return _decoded(new)
        return None


class SentencePieceNormalizer:
    """sentencepiece's own normalizer: rules, white space, the dummy prefix.

    ``symbols`` (user-defined ones) stay as they are wherever they stand.
    """

    def __init__(
        self,
        charsmap: Charsmap | None,
        symbols: tuple[str, ...] = (),
        *,
        add_dummy_prefix: bool = True,
        remove_extra_whitespaces: bool = True,
        escape_whitespaces: bool = True,
        treat_whitespace_as_suffix: bool = False,
    ) -> None:
        self._charsmap = charsmap
        self._symbols = _alternatives(symbols)
        self._dummy = add_dummy_prefix
        self._single = remove_extra_whitespaces
        self._space = _SPACE if escape_whitespaces else b" "
        self._behind = treat_whitespace_as_suffix
        self._ascii_stays = not any(" " in symbol for symbol in symbols) and not (
            charsmap is not None and charsmap.has_any_of(PRINTABLE)
        )

    def __call__(self, text: str) -> str:
        if self._ascii_stays and text.isascii() and text.isprintable():
            return self._of_ascii(text)
        parts = list(self._parts(text.encode()))
        if self._single:
            parts = parts[next((k for k, one in enumerate(parts) if one != b" "), len(parts)) :]
        if not parts:
            return ""
        result = [] if self._behind or not self._dummy else [self._space]
        spaced = self._single
        for part in parts:
            if spaced:
                part = part.lstrip(b" ")
            if part:
                result.append(part.replace(b" ", self._space))
                spaced = part.endswith(b" ") and self._single
        joined = b"".join(result)
        if self._single:
            while joined.endswith(self._space):
                joined = joined[: -len(self._space)]
        if self._behind and self._dummy:
            joined += self._space
        return _decoded(joined)

    def _of_ascii(self, text: str) -> str:
        """The same for printable ASCII that no rule is about."""
        if self._single:
            text = " ".join(filter(None, text.split(" ")))
        if self._dummy and text:
            text = text + " " if self._behind else " " + text
        return text.replace(" ", self._space.decode())

    def _parts(self, text: bytes) -> Iterator[bytes]:
        """What each symbol, rule or character of ``text`` becomes."""
        place = 0
        while place < len(text):
            if self._symbols is not None and (found := self._symbols.match(text, place)):
                yield found[0]
                place = found.end()
                continue
            rules = () if self._charsmap is None else tuple(self._charsmap.prefixes(text, place))
            if rules:
                place, new = rules[-1]
                yield new
            else:
                end = place + _width(text[place])
                yield text[place:end]
                place = end


def _alternatives(symbols: tuple[str, ...]) -> Any:
    """A pattern of bytes that matches the longest of ``symbols``."""
    if not symbols:
        return None
    import re

    longest = sorted((one.encode() for one in symbols), key=len, reverse=True)
    return re.compile(b"|".join(map(re.escape, longest)))


def _width(byte: int) -> int:
    """Bytes of the UTF-8 character that begins with ``byte``."""
    return 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise FormatError(
            "the table of replacements (precompiled_charsmap) cuts characters apart", REWRITE
        ) from error


@cache
def _clusters() -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]

    return regex.compile(r"\X")
