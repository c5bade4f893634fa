"""Words and punctuation put together again the way people write them."""

from __future__ import annotations

from collections.abc import Sequence

_CLOSING = frozenset(".,;:!?)]}%…’”»›、。，！？；：）」』】》")
_OPENING = frozenset("([{¿¡«‹“‘„‚$£€¥#@（「『【《")
_INFIX = frozenset(("/", "—", "--", "‐", "‑"))
_UNSPACED = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x323AF))


def join_words(tokens: Sequence[str]) -> str:
    """One line: no space before closing punctuation or behind opening punctuation, none
    around dashes and slashes, straight quotation marks taken in turn as opening and
    closing, no spaces between characters of Han and Kana."""
    text: list[str] = []
    open_quotes: set[str] = set()
    glue = True
    previous = ""
    for token in tokens:
        before, behind = _sticks(token, previous, open_quotes)
        if not (glue or before):
            text.append(" ")
        text.append(token)
        glue, previous = behind, token
    return "".join(text)


def _sticks(token: str, previous: str, open_quotes: set[str]) -> tuple[bool, bool]:
    """Whether ``token`` stands without a space before it, and without one behind it."""
    if token in ('"', "'"):
        if token in open_quotes:
            open_quotes.discard(token)
            return True, False
        if token == "'" and previous.endswith(("s", "S", "in", "o")):
            return True, False
        open_quotes.add(token)
        return False, True
    if token in _INFIX:
        return True, True
    if token in _CLOSING or token.startswith("..") or token in _CONTRACTIONS:
        return True, False
    if token in _OPENING:
        return False, True
    return bool(previous) and _unspaced(token[0]) and _unspaced(previous[-1]), False


_CONTRACTIONS = frozenset(
    f"{mark}{ending}" for mark in "'’" for ending in ("s", "t", "re", "ve", "ll", "d", "m")
) | {"n't", "n’t"}


def _unspaced(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _UNSPACED)
