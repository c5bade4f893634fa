"""Class definitions as SRILM writes them (``classes-format``): lines ``CLASS p word``, the
probability p(word | CLASS) being optional.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lmkit.errors import FormatError
from lmkit.ngram.escapes import unescaped
from lmkit.text.reading import Source, read_lines, source_name
from lmkit.text.settings import TextSettings

ODD_SUM = 0.01
"""From how far off one the probabilities of a class are worth a note."""


@dataclass(slots=True)
class Definitions:
    """``words``: the words of each class with their probabilities, which sum to one; ``notes``:
    what was odd about the file."""

    words: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_definitions(source: Source, settings: TextSettings, errors: str = "strict") -> Definitions:
    """The definitions in the file ``source``; words are spelt as in an ARPA file for ``settings``.

    The probabilities of a class are divided by their sum. Where it has none, its words are
    equally likely. Raises `FormatError` for a line that is no definition, for a class with
    probabilities for some of its words only, and for an expansion of several words.
    """
    name = source_name(source)
    found: dict[str, dict[str, float | None]] = {}
    for number, line in enumerate(read_lines(source, errors), 1):
        fields = [part for part in line.replace("\t", " ").split(" ") if part]
        if not fields:
            continue
        label, prob, word = _parsed(fields, f"{name}, line {number}")
        members = found.setdefault(label, {})
        token = unescaped(word, settings)
        if token in ("<s>", "</s>"):
            raise FormatError(f"{name}, line {number}: {word} is in a class, but is no word")
        if token in members:
            raise FormatError(f"{name}, line {number}: {label} has the word {word!r} twice")
        members[token] = prob
        if len({value is None for value in members.values()}) > 1:
            raise FormatError(
                f"{name}, line {number}: some words of {label} have a probability, others none",
                "one for all of them, or for none",
            )
    if not found:
        raise FormatError(f"{name} defines no class", "lines of the form CLASS 0.5 word")
    result = Definitions()
    for label, members in found.items():
        result.words[label] = _normalised(name, label, members, result.notes)
    return result


def _parsed(fields: list[str], where: str) -> tuple[str, float | None, str]:
    """Class, probability and word of a line."""
    label, *rest = fields
    if not rest:
        raise FormatError(f"{where}: the class {label} without a word", "CLASS 0.5 word")
    prob = None
    if len(rest) > 1 and (prob := _number(rest[0])) is not None:
        rest = rest[1:]
        if not 0 <= prob <= 1:
            raise FormatError(f"{where}: {fields[1]} is no probability", "a number from 0 to 1")
    if len(rest) > 1:
        raise FormatError(
            f"{where}: {label} stands for {len(rest)} words, {' '.join(rest)!r}; only classes of "
            "single words are read",
            f"one token for them in text and definitions, such as {'_'.join(rest)}",
        )
    return label, prob, rest[0]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _normalised(
    name: str, label: str, members: Mapping[str, float | None], notes: list[str]
) -> dict[str, float]:
    probs = {word: 1.0 if prob is None else prob for word, prob in members.items()}
    total = sum(probs.values())
    if total <= 0:
        raise FormatError(f"{name}: all words of {label} have the probability 0")
    given = None not in members.values()
    if given and abs(total - 1) > ODD_SUM:
        notes.append(f"the probabilities of {label} summed to {total:.4g}: they sum to 1 now")
    return {word: prob / total for word, prob in probs.items()}
