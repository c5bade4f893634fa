"""Words as a lexicon has them, *folded*: in lower case, NFC, with straight apostrophes; and lists
of words in files."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np

from lmkit.errors import TextError
from lmkit.text.reading import TextReader

LONGEST = 40
"""Longer words are never candidates, and are left alone when typed."""
PATTERNS = ("lower", "title", "upper", "mixed")
"""How a word is capitalised; an index into `Lexicon.ids`."""
MOST_COUNTED = 1e18
"""No word was seen more often; sums of greater numbers may be none."""
_WITH_MARKS = re.compile(r"LATIN SMALL LETTER ([A-Z]) WITH ")
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


def read_word_list(path: str | Path) -> dict[str, float]:
    """The words of a list, folded, with their counts: one a line, a count behind a tab or
    spaces, else 1. Counts of words that fold to one are added. What is not spelt like a word is
    passed over.

    Raises `TextError` where the file cannot be read or a count is negative or beyond all bounds.
    """
    found: dict[str, float] = {}
    for chunk in TextReader(path, chunk_bytes=_CHUNK_BYTES):
        many = _read_columns(chunk.data)
        if many is None or not found.keys().isdisjoint(many):
            _read_lines(chunk.data.decode(), path, chunk.first_line, found)
        else:
            found = found | many if found else many
    return found


def _read_lines(text: str, path: str | Path, first: int, found: dict[str, float]) -> None:
    """Add the words of the lines of ``text``, the first being number ``first`` of ``path``."""
    for number, line in enumerate(text.split("\n"), first):
        word, *rest = line.split()[:2] or [""]
        count = 1.0
        if rest:
            try:
                count = float(rest[0])
            except ValueError:
                count = 1.0
            if not 0 <= count <= MOST_COUNTED:
                raise TextError(f"{path}, line {number}: the count {rest[0]} makes no sense")
        add_word(found, word, count)


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
