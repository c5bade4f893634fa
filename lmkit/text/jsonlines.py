"""JSON lines: one field of each object is read, and the line goes on as it was, with more fields.

An object is never written anew: what is added is put before its last brace. So the order of its
keys, its numbers to the last digit, escapes and spaces stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

_SPACES = re.compile(r"[ \t\r\n]*")
_KINDS = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadLineError(Exception):
    """A line that holds no object with a text; its words say why."""


def _no_constant(name: str) -> NoReturn:
    raise BadLineError(f"{name}, which is not JSON")


# Numbers are not looked at. (Of a whole one, Python converts only so many digits.)
_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_no_constant)


def field_of(line: str, field: str) -> str:
    """The text in ``field`` of the object in ``line``. Raises `BadLineError`."""
    return text_in(object_of(line), field)


def text_in(found: Mapping[str, Any], field: str) -> str:
    """The text in ``field`` of an object. Raises `BadLineError`."""
    if field not in found:
        raise BadLineError(f"there is no field {field!r}")
    text = found[field]
    if not isinstance(text, str):
        raise BadLineError(f"the field {field!r} is not a text but {_kind(text)}")
    if not text.isascii() and (lone := _SURROGATE.search(text)):
        raise BadLineError(f"the field {field!r} has the lone surrogate U+{ord(lone[0]):04X}")
    return text


def with_fields(line: str, fields: Mapping[str, str]) -> str:
    """``line``, an object, with ``fields`` (names to JSON) in the end. What it had of the same
    names is gone."""
    line = line.strip(" \t\r\n")
    names = {name: json.dumps(name, ensure_ascii=False) for name in fields}
    # Most often that is enough to know that it has none of them; a name may hide in escapes.
    if "\\u" in line or any(name in line for name in names.values()):
        line = _without(line, fields)
    added = ", ".join([f"{names[name]}: {value}" for name, value in fields.items()])
    body = line[:-1].rstrip(" \t\r")
    return f"{body}{'' if body == '{' else ', '}{added}}}"


def object_of(line: str) -> dict[str, Any]:
    """The JSON object in ``line``; its whole numbers are floats. Raises `BadLineError`."""
    try:
        found = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise BadLineError(f"no JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise BadLineError("no JSON that can be read: it is nested too deeply") from None
    if not isinstance(found, dict):
        raise BadLineError(f"not an object but {_kind(found)}")
    return found


def _kind(value: Any) -> str:
    return _KINDS.get(type(value)) or ("a text" if isinstance(value, str) else "a number")


def _without(line: str, names: Mapping[str, str]) -> str:
    """``line``, an object, without its members of these ``names``."""
    kept, members = [], 0
    place = _SPACES.match(line, 1).end()  # type: ignore[union-attr]
    while line[place] != "}":
        start = place
        name, place = json.decoder.scanstring(line, place + 1, True)  # type: ignore[attr-defined]
        place = _SPACES.match(line, place).end() + 1  # type: ignore[union-attr]
        place = _SPACES.match(line, place).end()  # type: ignore[union-attr]
        _, place = _DECODER.raw_decode(line, place)
        members += 1
        if name not in names:
            kept.append(line[start:place])
        place = _SPACES.match(line, place).end()  # type: ignore[union-attr]
        if line[place] == ",":
            place = _SPACES.match(line, place + 1).end()  # type: ignore[union-attr]
    return line if len(kept) == members else f"{{{', '.join(kept)}}}"
