"""What a request may hold: JSON Schema, used to check it and to describe it.

Only the words of JSON Schema that stand in `_CHECKS` and in `checked` are known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any

from lmkit.serving.refusals import Refused, invalid

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
STRINGS: Schema = {"type": "array", "items": STRING}
BOOLEAN: Schema = {"type": "boolean"}


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)  # 1e400 is JSON, and infinity for Python.
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_CHECKS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("at least {}", lambda value, bound: value >= bound),
    "maximum": ("at most {}", lambda value, bound: value <= bound),
    "exclusiveMinimum": ("above {}", lambda value, bound: value > bound),
    "minLength": ("of {} characters or more", lambda value, bound: len(value) >= bound),
    "minItems": ("of {} items or more", lambda value, bound: len(value) >= bound),
    "maxItems": ("of {} items or fewer", lambda value, bound: len(value) <= bound),
    "maxProperties": ("of {} entries or fewer", lambda value, bound: len(value) <= bound),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request; one that has a ``default`` may be left out or null."""

    schema: Schema
    description: str
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """The fields that a request may have, and an example of them."""

    name: str
    fields: Mapping[str, Field]
    example: Mapping[str, Any]

    def read(self, body: bytes) -> dict[str, Any]:
        """The values of all fields. Raises `Refused` for what is no JSON, lacks a field, or has
        one too many or of another kind."""
        given = _parsed(body)
        for name in given:
            if name not in self.fields:
                close = get_close_matches(name, self.fields, n=1)
                meant = f"; did you mean {close[0]}?" if close else ""
                raise invalid(f"there is no field {_shown(name)}{meant}", _shown(name), "unknown")
        return {name: self._value(name, field, given) for name, field in self.fields.items()}

    def _value(self, name: str, field: Field, given: Mapping[str, Any]) -> Any:
        value = given.get(name)
        if value is None and not field.required:
            return field.default
        if name not in given:
            raise invalid(f"the field {name} is missing", name, "missing")
        return checked(value, field.schema, name)

    def schema(self) -> Schema:
        """The whole form in JSON Schema."""
        return {
            "type": "object",
            "properties": {name: _described(field) for name, field in self.fields.items()},
            "required": [name for name, field in self.fields.items() if field.required],
            "additionalProperties": False,
            "examples": [dict(self.example)],
        }


def checked(value: Any, schema: Schema, where: str) -> Any:
    """``value`` as ``schema`` has it: whole numbers as int. Raises `Refused` if it is not so."""
    if "anyOf" in schema:
        return _any_of(value, schema["anyOf"], where)
    # For Python False is 0, for JSON it is not.
    if "enum" in schema and not any(
        value == each and isinstance(value, bool) == isinstance(each, bool)
        for each in schema["enum"]
    ):
        allowed = " or ".join(json.dumps(each) for each in schema["enum"])
        raise invalid(f"{where} must be {allowed}: nothing else is supported", where)
    kind = schema.get("type")
    if kind is not None and not _TYPES[kind](value):
        raise invalid(f"{where} must be {_article(kind)}", where)
    for word, (what, holds) in _CHECKS.items():
        if word in schema and not holds(value, schema[word]):
            raise invalid(f"{where} must be {what.format(schema[word])}", where)
    if kind == "array" and "items" in schema:
        return [checked(each, schema["items"], where) for each in value]
    if kind == "object" and "properties" in schema:
        return {
            name: checked(each, schema["properties"].get(name, {}), f"{where}.{_shown(name)}")
            for name, each in value.items()
        }
    return int(value) if kind == "integer" else value


def _any_of(value: Any, schemas: list[Schema], where: str) -> Any:
    refused: Refused | None = None
    for schema in schemas:
        try:
            return checked(value, schema, where)
        except Refused as error:
            # That of the kind that was meant says most.
            if refused is None or _TYPES[schema["type"]](value):
                refused = error
    kinds = ", or ".join(_named(schema) for schema in schemas)
    if refused is not None and any(_TYPES[schema["type"]](value) for schema in schemas[:1]):
        raise refused
    raise invalid(f"{where} must be {kinds}", where)


def _named(schema: Schema) -> str:
    if schema["type"] == "array":
        return f"an array of {_article(schema['items']['type']).split(' ', 1)[1]}s"
    return _article(schema["type"])


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def _described(field: Field) -> Schema:
    if field.required:
        return {**field.schema, "description": field.description}
    choices = field.schema.get("anyOf", [field.schema])
    described = {"anyOf": [*choices, {"type": "null"}], "description": field.description}
    return described if field.default is None else {**described, "default": field.default}


def _shown(name: str) -> str:
    """A name out of a request, short enough to be told."""
    return name if len(name) <= 40 else f"{name[:40]}..."


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise invalid(f"the body is not JSON: {reason[:100]}", code="invalid_json") from None
    if not isinstance(given, dict):
        raise invalid("the body must be a JSON object", code="invalid_json")
    return given


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")
