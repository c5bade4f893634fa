"""Tokens that would break a line of an ARPA or counts file, and how they are written there.

NUL, tab, LF, CR and space are written ``<0x00>``, ``<0x09>``, ``<0x0A>``, ``<0x0D>`` and
``<0x20>``. Only the tokens of the char tokenizer hold any (those of the byte tokenizer have
this form already), so only files that are read for it have them undone. ``<UNK>``, which such
files take for ``<unk>``, is written ``<0x3C>UNK>`` where it is a word of its own (and what
looks like that gets one more ``<0x3C>``, so that there is a way back).
"""

from __future__ import annotations

from lmkit.text.settings import TextSettings

_ESCAPES = {c: f"<0x{ord(c):02X}>" for c in "\x00\t\n\r "}
_TABLE = str.maketrans(_ESCAPES)
_CHARACTERS = {escape: c for c, escape in _ESCAPES.items()}
_LESS_THAN = "<0x3C>"


def escaped(token: str) -> str:
    """``token`` as files have it."""
    if token.endswith("UNK>"):
        if token == "<UNK>":
            return f"{_LESS_THAN}UNK>"
        if _is_escaped_unk(token):
            return _LESS_THAN + token
    return token.translate(_TABLE)


def unescaped(written: str, settings: TextSettings) -> str:
    """The token that files have as ``written``."""
    if _is_escaped_unk(written):
        return written.removeprefix(_LESS_THAN) if written.count("<") > 1 else "<UNK>"
    holds_spaces = settings.tokenizer.unit == "character"
    return _CHARACTERS.get(written, written) if holds_spaces else written


def _is_escaped_unk(token: str) -> bool:
    return token.endswith(f"{_LESS_THAN}UNK>") and token.replace(_LESS_THAN, "") == "UNK>"
