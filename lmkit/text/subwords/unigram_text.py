"""How the unigram tokenizer spells text: symbols, which pieces are made of, and byte tokens.

A symbol is a code point, with two exceptions. A space is spelt ``▁`` (U+2581), as sentencepiece
made usual. A ``▁`` of the text itself is a symbol that is in no piece, `LITERAL`. Bytes that are
no UTF-8 are lone surrogates (PEP 383). White space, control characters and surrogates are in no
piece. What is in no piece is spelt by the tokens ``<0xNN>`` of its bytes. A special token is one
token, and spelt alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lmkit.text.subwords.lattice import Ints

SPACE = "\u2581"
LITERAL = 0x110000 + ord(SPACE)
"""The symbol of a ``▁`` that stands in the text."""
SPECIAL = 2 * 0x110000
"""The symbol of the first special token."""
_MARK = "\ud800"  # in no text: of bytes come only U+DC80 to U+DCFF
BYTE_TOKENS = tuple(f"<0x{byte:02X}>" for byte in range(256))
RESERVED = frozenset({"<unk>", "<s>", "</s>", *BYTE_TOKENS})
"""What no piece may be."""
_NEVER = frozenset({"Cc", "Cs", "Zs", "Zl", "Zp"})


def symbols_of(
    parts: Sequence[bytes], special: Mapping[bytes, int] | None = None
) -> tuple[Ints, Ints]:
    """The symbols of ``parts`` [n] of a text, concatenated, and how many each has [n]. A part that
    is ``special`` is one symbol, `SPECIAL` and its number there."""
    if special:
        marked = [number for part in parts if (number := special.get(part)) is not None]
        decoded = [
            _MARK if part in special else part.decode(errors="surrogateescape") for part in parts
        ]
    else:
        marked = []
        decoded = [part.decode(errors="surrogateescape") for part in parts]
    lengths = np.fromiter(map(len, decoded), np.int64, len(decoded))
    encoded = "".join(decoded).encode("utf-32-le", "surrogatepass")
    symbols = np.frombuffer(encoded, "<u4").astype(np.int64)
    if marked:
        symbols[symbols == ord(_MARK)] = SPECIAL + np.array(marked)
    symbols[symbols == ord(SPACE)] = LITERAL
    symbols[symbols == ord(" ")] = ord(SPACE)
    return symbols, lengths


def bytes_of(symbol: int) -> bytes:
    """The bytes of the text that ``symbol`` stands for."""
    if symbol == ord(SPACE):
        return b" "
    return chr(symbol % 0x110000).encode(errors="surrogateescape")


def spelt_special(token: str) -> str:
    """The special ``token`` without white space and control characters, which would part it in
    two where tokens are written with spaces between them."""
    return "".join(SPACE if c == " " else c if _has_shape(c) else _in_bytes(c) for c in token)


def _has_shape(character: str) -> bool:
    return unicodedata.category(character) not in _NEVER


def _in_bytes(character: str) -> str:
    return "".join(map(BYTE_TOKENS.__getitem__, character.encode()))


def may_be_in_pieces(
    symbols: NDArray[np.integer], forbidden: Collection[str] = ()
) -> NDArray[np.bool_]:
    """Whether each of ``symbols`` [n] may stand in a piece, and be one [n]."""
    return np.array(
        [
            symbol < LITERAL and _has_shape(chr(symbol)) and chr(symbol) not in forbidden
            for symbol in symbols.tolist()
        ],
        np.bool_,
    )
