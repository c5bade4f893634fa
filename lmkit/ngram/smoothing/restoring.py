"""A smoothing method as a model has it: its options and what it has learnt, from the model's facts.

They come from a file that may hold anything, so they are looked at here before a method takes
them up. Opening a model does not need them, and imports none of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lmkit.ngram.smoothing.base import Smoothing
from lmkit.registry import resolve
from lmkit.store.damage import damage
from lmkit.store.facts import anything, check, mapping, one_of, record

MODEL = "the model"
"""What messages call it: here nobody knows its file."""


def method_of(facts: Mapping[str, Any], order: int, kind: type[Smoothing] | None = None) -> Any:
    """The method that ``facts`` (``smoothing`` in a model's facts) tell of, of a model of
    ``order``: fitted, with its notes. ``kind`` is its class where that is not the registry's.

    Raises `ModelFileError` where they are not what the method writes.
    """
    found = kind or _kind(facts)
    options = _options(facts, found)
    with damage(MODEL):
        rules = {"form": one_of(*found.forms), **found.learns(order)}
        check(facts["parameters"], record(rules), "smoothing.parameters")
        method = found(**options)
        method.restore(facts["parameters"])
    method.notes = list(facts["notes"])
    return method


def options_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the method of ``facts`` was made with, its form too: to fit it anew.

    Raises `ModelFileError` as `method_of` does.
    """
    kind = _kind(facts)
    options = _options(facts, kind)
    with damage(MODEL):
        check(facts["parameters"]["form"], one_of(*kind.forms), "smoothing.parameters.form")
    return {"form": facts["parameters"]["form"], **options}


def _kind(facts: Mapping[str, Any]) -> type[Smoothing]:
    kind: type[Smoothing] = resolve("smoothing", facts["name"])
    return kind


def _options(facts: Mapping[str, Any], kind: type[Smoothing]) -> dict[str, Any]:
    options: Any = facts.get("options")
    with damage(MODEL):
        check(options, mapping(anything), "smoothing.options")
        _known(options, kind.options)
        check(options, record({}, also=kind.option_rules), "smoothing.options")
        kind(**options)
    return dict(options)


def _known(names: Iterable[str], known: Iterable[str]) -> None:
    for name in set(names) - set(known):
        raise ValueError(f"its smoothing has no option {name}")
