"""The little of Protocol Buffers that a sentencepiece model needs: the fields of a message."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from lmkit.errors import FormatError
from lmkit.text.subwords.parts import REWRITE

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Field = tuple[int, int | float | bytes]


def fields(message: bytes) -> Iterator[Field]:
    """The fields of ``message`` in order: the number of each, and its value: an int for a varint,
    a float for 32 bits, bytes for all else.

    Raises `FormatError` where the message is cut off or is none.
    """
    place, size = 0, len(message)
    while place < size:
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if not number:
            raise _damaged()
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == BYTES:
            length, place = _varint(message, place)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise _damaged()
        if length > size - place:
            raise _damaged()
        data = message[place : place + length]
        place += length
        yield number, struct.unpack("<f", data)[0] if kind == FIXED32 else data


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise _damaged()
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, place
    raise _damaged()


def _damaged() -> FormatError:
    return FormatError("the sentencepiece model is cut off or damaged", REWRITE)
