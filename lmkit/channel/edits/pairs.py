"""Pairs of what was typed and what was meant, a line each: ``typed<TAB>intended[<TAB>count]``."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lmkit.channel.edits.counts import Floats
from lmkit.channel.edits.strings import edit_distances
from lmkit.errors import TextError
from lmkit.text.reading import Source, iter_line_blocks, source_name

MOST_COUNTED = 1e15
"""No pair was seen more often; greater numbers do not add up."""
FORM = "typed<TAB>intended[<TAB>count], a pair a line"


@dataclass(slots=True)
class Pairs:
    """``typed[n]`` was typed ``counts[n]`` times where ``intended[n]`` was meant. Equal pairs
    are one."""

    typed: list[str]
    intended: list[str]
    counts: Floats

    def __len__(self) -> int:
        return len(self.typed)

    def __iter__(self) -> Iterator[tuple[str, str, float]]:
        return iter(zip(self.typed, self.intended, self.counts.tolist(), strict=True))

    def damped(self, power: float, far: float = 1.0) -> Pairs:
        """These pairs, those of a word that was mistyped in n ways counted n ** -``power`` times:
        many errors of one word say more of that word than of how people type; and each ``far``
        times for every edit but the first: lists have all errors once, people make the small ones
        most."""
        ways = Counter(y for x, y in zip(self.typed, self.intended, strict=True) if x != y)
        many = np.array([max(ways[y], 1) for y in self.intended], dtype=np.float64)
        counts = self.counts * many**-power
        if far != 1.0:
            counts *= far ** np.maximum(edit_distances(self.typed, self.intended) - 1, 0)
        return Pairs(self.typed, self.intended, counts)


def read_pairs(source: Source, *, lowercase: bool = True, errors: str = "strict") -> Pairs:
    """The pairs of a file (`iter_line_blocks` says which kinds), in NFC and without case.

    Empty lines are passed over; a third column that is no number counts as one, and further
    columns do not matter. Raises `TextError` at a line with one column, an empty side, control
    characters, or a count below zero or beyond all bounds; and where there are no pairs at all.
    """
    found: dict[tuple[str, str], float] = {}
    for block in iter_line_blocks(source, errors=errors):
        for number, line in enumerate(block, block.first_line):
            if line.strip():
                typed, intended, count = _parsed(line, f"{block.source}, line {number}")
                if lowercase:
                    typed, intended = typed.lower(), intended.lower()
                key = unicodedata.normalize("NFC", typed), unicodedata.normalize("NFC", intended)
                found[key] = found.get(key, 0.0) + count
    pairs = collected(found.items())
    if not len(pairs):
        raise TextError(f"{source_name(source)} has no pairs", FORM)
    return pairs


def collected(items: Iterable[tuple[tuple[str, str], float]]) -> Pairs:
    """`Pairs` of ((typed, intended), count)."""
    kept = [(x, y, count) for (x, y), count in items if count > 0]
    return Pairs(
        [x for x, _, _ in kept], [y for _, y, _ in kept], np.array([c for _, _, c in kept])
    )


def _parsed(line: str, where: str) -> tuple[str, str, float]:
    columns = line.split("\t")
    if len(columns) < 2:
        raise TextError(f"{where}: one column where there should be two", FORM)
    typed, intended = (re.sub(" +", " ", column.strip(" ")) for column in columns[:2])
    for name, side in (("typed", typed), ("intended", intended)):
        if not side:
            raise TextError(f"{where}: the {name} side is empty", FORM)
        if any(unicodedata.category(letter) == "Cc" for letter in side):
            raise TextError(f"{where}: a control character on the {name} side", FORM)
    return typed, intended, _count(columns[2], where) if len(columns) > 2 else 1.0


def _count(column: str, where: str) -> float:
    try:
        count = float(column)
    except ValueError:
        if re.fullmatch(r"\s*\d[\d.,']*\s*", column):
            raise TextError(
                f"{where}: the count {column.strip()} is not a plain number", FORM
            ) from None
        return 1.0
    if math.isnan(count) or math.isinf(count):
        return 1.0
    if not 0 <= count <= MOST_COUNTED:
        raise TextError(f"{where}: a pair that was counted {column.strip()} times", FORM)
    return count
