"""JSON from a file that may be damaged, or made to do harm."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from lmkit.errors import FormatError, one_line
from lmkit.text.subwords.parts import REWRITE


def parsed(text: str, name: str) -> Any:
    """The value that ``text`` is. Raises `FormatError` with the file's ``name`` where it is not
    JSON, nests too deeply, has a number that is none, or names a key of an object twice."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name} is not whole JSON: {one_line(error)}", REWRITE) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} stands twice")
    return result


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")
