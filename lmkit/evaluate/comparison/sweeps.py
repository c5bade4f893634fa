"""Sweeps: the same models with an option at one value after the other.

``KEY=VALUES``, where VALUES are a list (``64,128,256``), a range (``500..32000``) or a range and
the number of its points (``0.1..0.9:5``). A range of whole numbers below `FEW` has each of them,
any other one is of doublings. The first sweep is drawn along an axis; each value of the others
makes lines of its own, so that several sweeps are their product.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lmkit.errors import UsageError
from lmkit.evaluate.comparison.specs import (
    ALIASES,
    KINDS,
    MIX,
    NESTED,
    VOCABULARY,
    Spec,
    Swept,
    distinct,
    parse_spec,
    raw_options,
    short_name,
)
from lmkit.evaluate.results import ModelResult, SweepLine, SweepPoint
from lmkit.registry import family

FEW = 20
MOST_VALUES = 100
NGRAMS_ONLY = (
    "order", "smoothing", "form", "discounts", "k", "weight", "max_count", "prune", "tune",
)  # fmt: skip
ANY = ("tokenizer", *VOCABULARY)
NOT_SWEPT = ("name", "of", "kind", "cache", "teacher", "checkpoint_every")
IN_NAMES = {"order": "n", "smoothing": "n-gram"}
"""What stands in the name of a line for an option that is always in the names of models."""
_RANGE = re.compile(r"(?P<name>[^:.,]+:)?(?P<low>[^:,]+?)\.\.(?P<high>[^:,]+?)(:(?P<points>\d+))?")


@dataclass(frozen=True, slots=True)
class Sweep:
    """An option of models, by the name that specifications have for it, and its ``values``."""

    key: str
    values: tuple[str, ...]


def parse_sweep(text: str) -> Sweep:
    """What ``KEY=VALUES`` says. Raises `UsageError` where it makes no sense."""
    key, equals, values = text.partition("=")
    key = key.strip().replace("-", "_")
    key = ALIASES.get(key, key)
    if not equals or not key or not values.strip():
        raise UsageError(
            f"{text!r} is no sweep", "--sweep tokenizer=bpe:500..32000 or --sweep order=1..6"
        )
    if key in NOT_SWEPT or key not in (*KINDS, *NESTED):
        shown = key.replace("_", "-")
        raise UsageError(
            f"there is no option {shown} of models to sweep", "lmkit train --help has their names"
        )
    found = _values(text, values)
    if len(found) < 2 or len(set(found)) < len(found):
        raise UsageError(
            f"{text}: a sweep is over two values or more, each once", f"--sweep {key}=VALUE,OTHER"
        )
    return Sweep(key, tuple(found))


def _values(text: str, values: str) -> list[str]:
    """The values of a list whose parts may be ranges. A number takes over the name before it:
    ``bpe:500,2000``."""
    result: list[str] = []
    name = ""
    for part in map(str.strip, values.split(",")):
        if found := _RANGE.fullmatch(part):
            name = found["name"] or name
            numbers = _range(text, found["low"], found["high"], found["points"])
            result += [f"{name}{number}" for number in numbers]
            continue
        before, colon, after = part.rpartition(":")
        if colon and _number(after) is not None:
            name = f"{before}:"
        elif name and _number(part) is not None:
            part = f"{name}{part}"
        result.append(part)
    if len(result) > MOST_VALUES:
        raise UsageError(f"{text}: {len(result)} values are too many", f"{MOST_VALUES} at most")
    return result


def _range(text: str, low: str, high: str, points: str | None) -> list[str]:
    """The numbers of a range, as they are written."""
    first, last, number = _number(low), _number(high), 0 if points is None else int(points)
    if first is None or last is None or not first < last:
        raise UsageError(f"{text}: {low}..{high} is no range", "a smaller number..a larger one")
    whole = first == int(first) and last == int(last) and "." not in low
    if points is None:
        if not whole or first < 0:
            raise UsageError(
                f"{text}: of how many points is {low}..{high}?", f"{low}..{high}:5, of five points"
            )
        if last <= FEW:
            return [str(value) for value in range(int(first), int(last) + 1)]
        doubled = [int(first)] if first else [0, 1]
        while doubled[-1] * 2 < last:
            doubled.append(doubled[-1] * 2)
        return [*map(str, doubled), str(int(last))]
    if not 2 <= number <= MOST_VALUES:
        raise UsageError(f"{text}: {points} points make no range", f"2 to {MOST_VALUES} points")
    steps = [step / (number - 1) for step in range(number)]
    if 0 < first * 10 <= last:
        found = [first * math.exp(math.log(last / first) * step) for step in steps]
    else:
        found = [first + (last - first) * step for step in steps]
    return list(dict.fromkeys(str(round(value)) if whole else f"{value:.4g}" for value in found))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def swept(specs: Sequence[Spec], sweeps: Sequence[Sweep]) -> list[Spec]:
    """``specs`` with each that a sweep is for in all its variants, value by value.

    A model file, a mixture, a model that says the option itself, and one that does not have it stay
    as they are. Raises `UsageError` where that leaves nothing to a sweep, and for two sweeps of
    one option.
    """
    for number, sweep in enumerate(sweeps):
        if sweep.key in [other.key for other in sweeps[:number]]:
            raise UsageError(
                f"there are two sweeps of {sweep.key.replace('_', '-')}", "one, with all values"
            )
    result = list(specs)
    for sweep in reversed(sweeps):
        result = _by(result, sweep, axis=sweep is sweeps[0])
    return distinct(result)


def _by(specs: Sequence[Spec], sweep: Sweep, axis: bool) -> list[Spec]:
    chosen = [spec for spec in specs if _is_for(sweep, spec)]
    if not chosen:
        shown = sweep.key.replace("_", "-")
        raise UsageError(
            f"no model is left to sweep {shown}: each has no such option, or says itself what its"
            f" {shown} is",
            f"--model {'ngram' if sweep.key in (*NGRAMS_ONLY, *ANY) else 'lstm'} without {shown}",
        )
    # Value by value, so that all models of one tokenizer come together.
    variants = [_variant(spec, sweep.key, value, axis) for value in sweep.values for spec in chosen]
    first = next(place for place, spec in enumerate(specs) if spec in chosen)
    before = [spec for spec in specs[:first] if spec not in chosen]
    return [*before, *variants, *(spec for spec in specs[first:] if spec not in chosen)]


def _is_for(sweep: Sweep, spec: Spec) -> bool:
    if spec.path is not None or spec.backend == MIX:
        return False
    if sweep.key in raw_options(spec.text):
        return False
    if sweep.key in ANY:
        return True
    if spec.backend == "ngram":
        return sweep.key in NGRAMS_ONLY
    return sweep.key not in NGRAMS_ONLY or family(spec.backend) != "neural"


def _variant(spec: Spec, key: str, value: str, axis: bool) -> Spec:
    """``spec`` with the option at ``value``."""
    raw = raw_options(spec.text)
    own = raw.pop("name", None)
    options = ",".join(f"{name.replace('_', '-')}={said}" for name, said in raw.items())
    more = f"{key.replace('_', '-')}={value}"
    text = f"{spec.backend}:{options}{',' if options else ''}{more}"
    variant = parse_spec(text)
    if own is not None:
        variant = replace(variant, text=f"{text},name={own} {value}", name=f"{own} {value}")
    elif variant.name == spec.name:  # which does not tell times
        variant = replace(variant, name=f"{spec.name} {more}")
    if not axis:
        return variant
    group, _, last = value.rpartition(":")
    number = _number(last)
    line = own or _line_name(spec, key)
    if group and number is not None:
        line += f" {group}"
    return replace(variant, swept=Swept(key, value, number, line))


def _line_name(spec: Spec, key: str) -> str:
    options = dict(spec.options)
    if key in IN_NAMES and spec.backend == "ngram":
        options[key] = IN_NAMES[key]
    return short_name(spec.backend, options, spec.tokenizer)


def sweep_lines(specs: Sequence[Spec], rows: Sequence[ModelResult]) -> list[SweepLine]:
    """The lines of a sweep from the ``rows`` of its ``specs``; without those that failed."""
    found: dict[str, SweepLine] = {}
    by_name = {row.name: row for row in rows}
    for spec in specs:
        place, row = spec.swept, by_name.get(spec.name)
        if place is None or row is None or row.bits_per_character is None:
            continue
        line = found.setdefault(place.line, SweepLine(place.line, place.key, []))
        point = SweepPoint(
            place.value,
            place.number,
            row.bits_per_character,
            row.name,
            row.training_seconds,
            row.size,
        )
        line.points.append(point)
    return list(found.values())
