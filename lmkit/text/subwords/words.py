"""Where words begin in text whose spaces are ``▁``, or are still spaces."""

from __future__ import annotations

import re

from lmkit.text.subwords.normalizers import SPACES

MARK = "▁"
BLANK = SPACES + MARK
"""What no word ends in, unless the line ends there."""
_ACROSS = re.compile(f"[^{BLANK}][{BLANK}]")


def crosses(text: str) -> bool:
    """Whether ``text`` reaches from one word into the next."""
    return _ACROSS.search(text) is not None


def stands_alone(text: str) -> bool:
    """Whether ``text`` is Unicode text that does not end in a character which stays together with
    any next one, even with a space (Unicode's Grapheme_Cluster_Break=Prepend)."""
    if text.isascii():
        return True
    import regex  # type: ignore[import-untyped, unused-ignore]

    return regex.search(r"[\ud800-\udfff]|\p{GCB=Prepend}\Z", text) is None
