"""Lists of misspellings: from the forms they are published in to pairs.

A pair is a line ``typed<TAB>intended``, as `lmkit train --pairs` reads them; what stands more
than once in a list stands as often in the pairs. The forms:

``dollar``: ``$intended``, then what was typed, a line each; ``_`` is a space, ``?`` no attempt
    (the Birkbeck corpus, Mitton 1985).
``arrow``: ``typed->intended[, intended ...]`` (Wikipedia's list for machines, codespell). Of
    several intended words each makes a pair; what follows the last comma may be a remark.
``colon``: ``intended: typed typed ...`` (Norvig's test sets).
``annotations``: tab-separated with a header line that names ``Misspelling``, ``Type`` and
    ``Correction``; lines of type ``M`` (TOEFL-Spell, Flor, Fried & Rozovskaya 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Pair = tuple[str, str]


def dollar(lines: Iterable[str]) -> Iterator[Pair]:
    """Pairs of the form ``dollar``."""
    intended = ""
    for line in lines:
        word = line.strip().replace("_", " ")
        if word.startswith("$"):
            intended = word[1:]
        elif word and word != "?":
            # The count of some of these lists stands behind a space: "wich 4".
            typed, _, count = word.rpartition(" ")
            yield (typed if count.isdecimal() else word), intended


def arrow(lines: Iterable[str]) -> Iterator[Pair]:
    """Pairs of the form ``arrow``."""
    for line in lines:
        typed, found, intended = line.strip().partition("->")
        words = [word.strip() for word in intended.split(",")]
        # A remark is words behind the last comma; of one alternative it is all there is.
        if len(words) > 1 and " " in words[-1]:
            words.pop()
        if found:
            yield from ((typed, word) for word in words if word)


def colon(lines: Iterable[str]) -> Iterator[Pair]:
    """Pairs of the form ``colon``."""
    for line in lines:
        intended, found, typed = line.partition(":")
        if found:
            yield from ((word, intended.strip()) for word in typed.split())


def annotated(lines: Iterable[str]) -> Iterator[Pair]:
    """Pairs of the form ``annotations``. Raises ValueError without the header line."""
    rows = iter(lines)
    header = next(rows, "").rstrip("\n").split("\t")
    typed, kind, intended = (header.index(name) for name in ("Misspelling", "Type", "Correction"))
    for line in rows:
        row = line.rstrip("\n").split("\t")
        if len(row) == len(header) and row[kind] == "M":
            yield row[typed].strip(), row[intended].strip()


FORMS: dict[str, Callable[[Iterable[str]], Iterator[Pair]]] = {
    "dollar": dollar,
    "arrow": arrow,
    "colon": colon,
    "annotations": annotated,
}


def write_pairs(source: Path, target: Path, form: str) -> int:
    """Write the list ``source`` as pairs to ``target``; their number.

    Raises ValueError where it is not of that form: no UTF-8, or no pairs in it.
    """
    count = 0
    with (
        source.open(encoding="utf-8", newline="") as lines,
        target.open("w", encoding="utf-8", newline="\n") as out,
    ):
        for typed, intended in FORMS[form](line.rstrip("\r\n") for line in lines):
            if typed and intended and typed != intended:
                out.write(f"{typed}\t{intended}\n")
                count += 1
    if not count:
        raise ValueError("it holds no pairs")
    return count
