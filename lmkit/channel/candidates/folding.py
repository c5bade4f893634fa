"""Words as a lexicon has them, *folded*: in lower case, NFC, with straight apostrophes; and lists
of words in files."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np

from lmkit.errors import TextError
from lmkit.text.reading import Source, TextReader, source_name
from lmkit.text.wordlists import ListForm, entries, form_of

LONGEST = 40
"""Longer words are never candidates, and are left alone when typed."""
PATTERNS = ("lower", "title", "upper", "mixed")
"""How a word is capitalised; an index into `Lexicon.ids`."""
MOST_COUNTED = 1e18
"""No word was seen more often; sums of greater numbers may be none."""
_WITH_MARKS = re.compile(r"LATIN SMALL LETTER ([A-Z]) WITH ")
_WITH_COMMAS = re.compile(r"\d[\d.,'’\u00a0\u202f]*")
_CHUNK_BYTES = 1 << 24
_TAB, _NEWLINE = 9, 10


def fold(word: str) -> str:
    """``word`` as the lexicon has it."""
    word = word.lower().replace("’", "'")
    return word if word.isascii() else unicodedata.normalize("NFC", word)


def without_marks(word: str) -> str:
    """``word`` without its accents."""
    return word if word.isascii() else "".join(map(plain_letter, word)) or word


@lru_cache(4096)
def plain_letter(letter: str) -> str:
    """``letter`` without its marks; nothing for a mark alone."""
    plain = "".join(c for c in unicodedata.normalize("NFD", letter) if not unicodedata.combining(c))
    # Strokes are no marks to Unicode.
    found = _WITH_MARKS.match(unicodedata.name(plain, "")) if len(plain) == 1 else None
    return found[1].lower() if found else plain


def pattern_of(word: str) -> int:
    """Index into `PATTERNS` of how ``word`` is written; a single capital is ``title``."""
    if word.islower() or not any(map(str.isupper, word)):
        return 0
    if word.isupper() and len(word) > 1:
        return 2
    return 1 if word[0].isupper() and word[1:].lower() == word[1:] else 3


def is_word(folded: str) -> bool:
    """Whether a folded string is spelt like a word: letters with their marks, inner apostrophes."""
    if folded.isalpha():
        return True
    letters = folded.strip("'").replace("'", "")
    return bool(letters) and (
        letters.isalpha() or all(unicodedata.category(c)[0] in "LM" for c in letters)
    )


def add_word(counts: dict[str, float], word: str, count: float) -> None:
    """Add ``count`` to that of ``word``, folded, in a word list, if it is spelt like a word."""
    folded = fold(word)
    if len(folded) <= LONGEST and is_word(folded):
        counts[folded] = counts.get(folded, 0.0) + count


def read_word_list(source: Source, errors: str = "strict") -> dict[str, float]:
    """The words of a list (`lmkit.text.wordlists` says of which forms), folded, with their counts,
    1 where there are none. Counts of words that fold to one are added. What is not spelt like a
    word is passed over. ``errors`` is what bytes do that are not of the list's encoding.

    Raises `TextError` where the file cannot be read, is no such list, or a count is negative, no
    number or beyond all bounds.
    """
    found: dict[str, float] = {}
    form = None
    name = source_name(source)
    for chunk in TextReader(source, errors, chunk_bytes=_CHUNK_BYTES):
        many = _read_columns(chunk.data) if form is None or form.separator == "\t" else None
        if many is not None and found.keys().isdisjoint(many):
            found = found | many if found else many
            continue
        lines = chunk.data.decode().split("\n")
        form = form or form_of(lines, name)
        _read_lines(lines, form, name, chunk.first_line, found)
    return found


def _read_lines(
    lines: list[str], form: ListForm, name: str, first: int, found: dict[str, float]
) -> None:
    """Add the words of ``lines``, the first being number ``first`` of the list."""
    for number, word, counted in entries(lines, form, name, first):
        if not counted:
            # Behind spaces there may be a count on some lines, or anything.
            word, *rest = word.split()[:2] or [""]
            counted = rest[0] if rest else ""
        add_word(found, word, _count(counted, name, number) if counted else 1.0)


def _count(counted: str, name: str, number: int) -> float:
    """The count that ``counted`` is; 1 where it is none."""
    try:
        count = float(counted)
    except ValueError:
        if not _WITH_COMMAS.fullmatch(counted):
            return 1.0
        count = -1.0
    if not 0 <= count <= MOST_COUNTED:
        raise TextError(
            f"{name}, line {number}: the count {counted} makes no sense",
            "a plain number, such as 12345",
        )
    return count


def _read_columns(data: bytes) -> dict[str, float] | None:
    """The same for ASCII that is in each line a word, a tab and a count, all words different:
    most lists are, and take a fifth of the time. None for other text."""
    letters = np.frombuffer(data, np.uint8)
    tabs, ends = np.flatnonzero(letters == _TAB), np.flatnonzero(letters == _NEWLINE)
    spaces = np.count_nonzero(letters <= ord(" "))
    if not data.isascii() or len(tabs) != len(ends) or spaces != len(tabs) + len(ends):
        return None
    if (tabs >= ends).any() or (tabs[1:] <= ends[:-1]).any():
        return None
    fields = data.decode("ascii").lower().replace("\t", "\n").split("\n")
    words = fields[:-1:2]
    try:
        counts = np.array(list(map(float, fields[1::2])))
    except ValueError:
        return None
    if not ((counts >= 0) & (counts <= MOST_COUNTED)).all():
        return None
    found = dict(zip(words, counts.tolist(), strict=True))
    if len(found) != len(words):
        return None
    sizes = list(map(len, words))
    if not 0 < min(sizes) <= max(sizes) <= LONGEST or not "".join(words).isalpha():
        for word in words:
            if len(word) > LONGEST or not is_word(word):
                del found[word]
    return found
