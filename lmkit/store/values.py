"""JSON as it stands in model files, which may come from anybody."""

from __future__ import annotations

import json
from typing import Any

DEEPEST = 100
"""Lists and objects within each other; what lmkit writes has about five."""


def to_json(value: Any) -> str:
    """``value`` as JSON that is UTF-8. Names of files need not be: their odd bytes, which Python
    keeps as lone surrogates, are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def from_json(text: str | bytes) -> Any:
    """The value of ``text``. Raises `ValueError` for what is no JSON, or deeper than `DEEPEST`:
    whatever goes through it would end at Python's own bound."""
    value = json.loads(text)
    level = [value]
    for _ in range(DEEPEST):
        level = [
            entry
            for one in level
            if isinstance(one, list | dict)
            for entry in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return value
    raise ValueError(f"it has values more than {DEEPEST} deep in each other")
