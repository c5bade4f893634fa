"""Words and punctuation put together again the way people write them."""

from __future__ import annotations

from collections.abc import Sequence

_CLOSING = frozenset(".,;:!?)]}%…’”»›、。，！？；：）」』】》")
_OPENING = frozenset("([{¿¡«‹“‘„‚$£€¥#@（「『【《")
_INFIX = frozenset(("/", "—", "--", "‐", "‑"))
_UNSPACED = (
    (0x3000, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xFF00, 0xFFEF),
    (0x20000, 0x323AF),
)


def join_words(tokens: Sequence[str]) -> str:
    """One line: no space before closing punctuation or behind opening punctuation, none
    around dashes and slashes, straight quotation marks taken in turn as opening and
    closing (an odd ``'`` behind an s is an apostrophe), no spaces between characters of
    Han and Kana."""
    text: list[str] = []
    quotes = _Quotes(tokens)
    glue, previous = True, ""
    for token in tokens:
        before, behind = _sticks(token, previous, quotes)
        if not (glue or before):
            text.append(" ")
        text.append(token)
        glue, previous = behind, token
    return "".join(text)


class _Quotes:
    """Which straight quotation marks are open, and how many are still to come."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._open: set[str] = set()
        self._left = {mark: tokens.count(mark) for mark in ('"', "'")}

    def sticks(self, mark: str, previous: str) -> tuple[bool, bool]:
        odd = self._left[mark] % 2 == 1
        self._left[mark] -= 1
        if mark in self._open:
            self._open.discard(mark)
            return True, False
        if mark == "'" and odd and previous.endswith("s"):
            return True, False
        self._open.add(mark)
        return False, True


def _sticks(token: str, previous: str, quotes: _Quotes) -> tuple[bool, bool]:
    """Whether ``token`` stands without a space before it, and without one behind it."""
    if token in ('"', "'"):
        return quotes.sticks(token, previous)
    if token in _INFIX:
        return True, True
    if token in _CLOSING or token.startswith(".."):
        return True, False
    if token in _OPENING:
        return False, True
    return bool(previous) and _unspaced(token[0]) and _unspaced(previous[-1]), False


def _unspaced(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _UNSPACED)
