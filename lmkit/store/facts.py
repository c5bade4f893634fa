"""What a model file says of its model, looked at once when it is opened.

The values in ``meta`` are JSON, from a file that may be damaged or made by anybody. A backend
writes down what its facts look like as a rule, and `check` holds them against it: then they can be
used without another thought. A rule is a function that takes a value and where it stands, and
raises `ValueError` where it is wrong.

>>> check({"order": 0}, record({"order": integer(1)}), "meta")
Traceback (most recent call last):
ValueError: its meta.order is 0, not a whole number from 1 on
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Rule = Callable[[Any, str], None]
NO_MORE: Mapping[str, Rule] = {}

LARGEST = (1 << 63) - 1
"""What SQLite and NumPy can hold."""
SMALLEST = 1e-300
"""Of numbers above 0 that are multiplied with."""


def check(value: Any, rule: Rule, where: str) -> None:
    """Raises `ValueError` where ``value``, which stands ``where``, is not as ``rule`` says."""
    rule(value, where)


def _wrong(value: Any, where: str, wanted: str) -> ValueError:
    shown = repr(value)
    return ValueError(f"its {where} is {shown[:40]}{'...' * (len(shown) > 40)}, not {wanted}")


def integer(low: int = 0, high: int = LARGEST) -> Rule:
    """A whole number from ``low`` to ``high``."""

    def rule(value: Any, where: str) -> None:
        if type(value) is not int or not low <= value <= high:
            to = f"to {high}" if high < LARGEST else "on"
            raise _wrong(value, where, f"a whole number from {low} {to}")

    return rule


def number(low: float = -math.inf, high: float = math.inf) -> Rule:
    """A finite number from ``low`` to ``high``."""

    def rule(value: Any, where: str) -> None:
        good = type(value) is float or (type(value) is int and abs(value) <= LARGEST)
        if not (good and math.isfinite(value) and low <= value <= high):
            raise _wrong(value, where, f"a number from {low:g} to {high:g}")

    return rule


def real(value: Any, where: str) -> None:
    """Any number, an infinite one too."""
    if type(value) not in (int, float):
        raise _wrong(value, where, "a number")


def text(value: Any, where: str) -> None:
    """Any text."""
    if not isinstance(value, str):
        raise _wrong(value, where, "text")


def matching(pattern: re.Pattern[str]) -> Rule:
    """Text that is all as ``pattern`` says."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _wrong(value, where, f"text like {pattern.pattern}")

    return rule


def boolean(value: Any, where: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(value, where, "true or false")


def anything(value: Any, where: str) -> None:
    """Any JSON value: of facts that are shown and not used."""


def one_of(*values: Any) -> Rule:
    """One of a few values."""

    def rule(value: Any, where: str) -> None:
        if not any(type(value) is type(known) and value == known for known in values):
            raise _wrong(value, where, f"one of {', '.join(map(str, values))}")

    return rule


def optional(inner: Rule) -> Rule:
    """What ``inner`` says, or null."""
    return lambda value, where: None if value is None else inner(value, where)


def sequence(inner: Rule, least: int = 0, most: int = LARGEST) -> Rule:
    """A list of ``least`` to ``most`` values, each as ``inner`` says."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _wrong(value, where, f"a list of at least {least}")
        for number, entry in enumerate(value):
            inner(entry, f"{where}[{number}]")

    return rule


def mapping(inner: Rule) -> Rule:
    """An object whose values are as ``inner`` says."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, where, "an object")
        for key, entry in value.items():
            inner(entry, f"{where}.{key}")

    return rule


def record(has: Mapping[str, Rule], also: Mapping[str, Rule] = NO_MORE) -> Rule:
    """An object that ``has`` these values, and may have those of ``also``, and others."""

    def rule(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, where, "an object")
        for key, inner in has.items():
            if key not in value:
                raise ValueError(f"its {where} lacks {key!r}")
            inner(value[key], f"{where}.{key}")
        for key, inner in also.items():
            if key in value:
                inner(value[key], f"{where}.{key}")

    return rule


RUN = record(
    {
        "what": text,
        "started": text,
        "seconds": optional(number(0)),
        "sources": sequence(text),
        "sha256": optional(text),
        "tokens": optional(integer()),
        "sentences": optional(integer()),
        "options": mapping(anything),
        "seed": optional(integer(-LARGEST)),
        "versions": mapping(text),
    }
)
"""A row of ``runs``."""


def _tokenizer(value: Any, where: str) -> None:
    """The name of a tokenizer, or what makes one that was learnt."""
    (record({"name": text}) if isinstance(value, dict) else text)(value, where)


TEXT = record({"tokenizer": _tokenizer})
"""Settings of text: the rest is looked at by `lmkit.text.settings.TextSettings`."""

VOCABULARY: Mapping[str, Rule] = {
    "vocabulary_size": integer(3, (1 << 31) - 1),
    "vocabulary_limited": boolean,
}
"""What every model with tokens of its own says of them."""

UNIT = one_of("word", "character", "byte", "subword")
NOTES = sequence(text)
