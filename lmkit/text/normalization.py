"""Unicode normalization and lower case, as one function from text to text.

None of the forms joins anything across a space or a line end, so a function may be
applied to a whole text, to its lines, or to its pieces between spaces, with one result.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

Normalizer = Callable[[str], str]


def normalizer(form: str | None, lowercase: bool) -> Normalizer | None:
    """The function for ``form`` (``nfc``, ``nfkc`` or ``none``) and ``lowercase``; None
    where text stays as it is."""
    if form in (None, "none"):
        return str.lower if lowercase else None
    name = form.upper()

    def normalize(text: str) -> str:
        if lowercase:
            # Lower case can leave what the form would still compose (and the reverse).
            text = _formed(name, text).lower()
        return _formed(name, text)

    return normalize


def _formed(name: str, text: str) -> str:
    if text.isascii() or unicodedata.is_normalized(name, text):  # type: ignore[arg-type]
        return text
    return unicodedata.normalize(name, text)  # type: ignore[arg-type]
