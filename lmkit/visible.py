"""Text from files, servers and models in a form that a terminal only shows.

A terminal obeys control characters: they move its cursor, rename its window, write to its
clipboard. Bidirectional overrides show letters in another order than they stand in.
"""

from __future__ import annotations

import re

_OBEYED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 but tabs and line ends, DEL, C1
    "\u202a-\u202e\u2066-\u2069]"  # bidirectional embeddings, overrides and isolates
    "|\r(?!\n)"
)


def visible(text: str) -> str:
    r"""``text`` with each character that a terminal would obey as its escape, such as ``\x1b``.

    Tabs and line ends (LF, CRLF) stay. JSON stays JSON with the same meaning.
    """
    return _OBEYED.sub(_escaped, text)


def on_one_line(text: str) -> str:
    """The same with line ends escaped too, for what must not look like two lines."""
    return visible(text).replace("\r", "\\r").replace("\n", "\\n")


def encodable(text: str) -> str:
    r"""``text`` as UTF-8 can hold it: bytes of a file's name that are not UTF-8 are escapes."""
    return text.encode(errors="backslashreplace").decode()


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\r":
        return "\\r"
    # JSON has escaped what is below a space; of the rest it knows this form only.
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"
