"""Word lists as people have them: a word a line, perhaps with its count.

    the                     the<TAB>23135851162     the 23135851162
    the,23135851162         "the";23135851162       word,count (a first line of names)

What separates a word from its count is one thing for a whole list, since a word may have commas
itself. A list that is nearly of one of these forms is an error, not a list of odd words.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmkit.errors import TextError

FORM = "word<TAB>count lines, or words alone"
_NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
_LETTER = re.compile(r"[^\W\d_]")
_HUNSPELL = re.compile(r"[^\s/]+/[A-Za-z0-9,]+(?:\s.*)?")
_AFFIXES = re.compile(r"[SP]FX \S+ [YN] \d+")
_BEFORE = re.compile(rf"\s*{_NUMBER}[\t ,;]+([^\s,;]+)\s*")
_JSON = re.compile(r"""[\[{]\s*["'][^"']*["']\s*[:,\]]""")


@dataclass(frozen=True, slots=True)
class ListForm:
    """What stands between a word and its count (None: there are only words, or a tab on some
    lines), and whether the first line names the columns."""

    separator: str | None
    names: bool = False


def form_of(lines: Sequence[str], source: str) -> ListForm:
    """The form of the list with these ``lines``, called ``source`` in messages.

    Raises `TextError` for a list that is of no form that can be read.
    """
    full = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not full:
        return ListForm(None)
    _refuse_others(full, source)
    for separator in ("\t", ",", ";", " "):
        if 2 * sum(separator in line for _, line in full) < len(full):
            continue
        fits = [_counted(line, separator) for _, line in full]
        # Of "1,000" it cannot be told whether it is a word.
        lettered = sum(
            fit and _LETTER.search(line.rpartition(separator)[0]) is not None
            for fit, (_, line) in zip(fits, full, strict=True)
        )
        if 2 * lettered < len(full):
            continue
        names = _names_columns(full[0][1], separator) and len(full) > 1 and not fits[0]
        if all(fits[names:]):
            return ListForm(separator, names)
        if separator in (",", ";"):
            number, line = full[names:][fits[names:].index(False)]
            raise TextError(
                f"{source}, line {number}: {line!r} is not a word and its count with {separator!r}"
                " between them, as most lines are",
                FORM,
            )
    return ListForm(None)


def entries(
    lines: Sequence[str], form: ListForm, source: str, first: int = 1
) -> Iterator[tuple[int, str, str]]:
    """The number, the word and the count of each line that is not empty, the count as it stands
    there, and empty where there is none; the first line is number ``first``.

    Raises `TextError` for a line of a table with another number of columns than two.
    """
    table = form.separator in (",", ";")
    for number, line in enumerate(lines, first):
        if not line.strip() or (form.names and number == 1):
            continue
        if table:
            word, count = _columns(line, form.separator or ",", f"{source}, line {number}")
            yield number, word, count
        elif form.separator == " ":
            word, _, count = line.strip().rpartition(" ")
            yield number, word.strip(), count
        else:
            word, _, count = line.partition("\t")
            yield number, word, count.partition("\t")[0].strip()


def _columns(line: str, separator: str, where: str) -> tuple[str, str]:
    word, _, count = line.rpartition(separator)
    if '"' not in line and separator not in word:
        return word.strip(), count.strip()
    try:
        row = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise TextError(f"{where}: {error}", FORM) from error
    if len(row) != 2:
        raise TextError(f"{where}: {len(row)} columns where a word and its count should be", FORM)
    return row[0].strip(), row[1].strip()


def _counted(line: str, separator: str) -> bool:
    """Whether ``line`` ends in a separator and a number."""
    word, found, count = line.rstrip().rpartition(separator)
    if not found or not word.strip() or "\t" in word:
        return False
    return re.fullmatch(rf'\s*"?{_NUMBER}"?', count, re.ASCII) is not None


def _names_columns(line: str, separator: str) -> bool:
    """Whether ``line`` may name two columns."""
    return line.count(separator) == 1 and not any(map(str.isdigit, line))


def _refuse_others(full: Sequence[tuple[int, str]], source: str) -> None:
    """Raises `TextError` for lists of other programs, of which no line is a word."""
    lines = [line for _, line in full]
    first = lines[0].lstrip()
    if all((found := _BEFORE.fullmatch(line)) and _LETTER.search(found[1]) for line in lines):
        raise TextError(
            f"{source}, line {full[0][0]}: the number stands before the word",
            f"""awk '{{print $2 "\\t" $1}}' {source} > LIST, if the numbers are counts""",
        )
    if first.strip().isdigit() and any(map(_HUNSPELL.fullmatch, lines[1:])):
        raise TextError(
            f"{source} is a hunspell dictionary, whose words have flags for their other forms",
            "unmunch FILE.dic FILE.aff > LIST, which writes them all",
        )
    if any(_AFFIXES.fullmatch(line) for line in lines if line.startswith(("SFX ", "PFX "))):
        raise TextError(
            f"{source} has hunspell's rules for affixes, not words",
            "unmunch FILE.dic FILE.aff > LIST, which writes the words",
        )
    if _JSON.match(first):
        raise TextError(f"{source}, line {full[0][0]}: this is JSON, not a list of words", FORM)
