"""A printable character for each byte, as GPT-2 made usual: " the" is written ``Ġthe``.

The printable characters of ASCII and Latin-1 stand for their own byte; the other 68 bytes (white
space, controls, the soft hyphen) are U+0100 and what follows, in order. So a token, which may be
half of a character, is text without white space.
"""

from __future__ import annotations

ORDER = bytes(
    (
        *(*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)),
        *(*range(0x21), *range(0x7F, 0xA1), 0xAD),
    )
)
"""All bytes in the order in which GPT-2's vocabulary begins: the printable ones first."""
_PRINTABLE = 188

CHARACTERS = "".join(
    chr(byte if place < _PRINTABLE else 0x100 + place - _PRINTABLE)
    for byte, place in sorted((byte, place) for place, byte in enumerate(ORDER))
)
"""The character of each byte [256]."""
_SPELLING = dict(enumerate(CHARACTERS))
_BYTE = {ord(character): byte for byte, character in enumerate(CHARACTERS)}


def spell(token: bytes) -> str:
    """``token`` in printable characters, one for each byte."""
    return token.decode("latin-1").translate(_SPELLING)


def unspell(spelling: str) -> bytes:
    """The bytes that `spell` wrote so.

    Raises `ValueError` for a character that stands for no byte.
    """
    try:
        return bytes(map(_BYTE.__getitem__, map(ord, spelling)))
    except KeyError as error:
        raise ValueError(f"{chr(error.args[0])!r} stands for no byte") from None
