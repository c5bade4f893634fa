"""How CCNet writes a line before a model scores it (Wenzek et al., "CCNet: Extracting High Quality
Monolingual Datasets from Web Crawl Data", LREC 2020).

In this order: no white space at the ends, lower case, no accents, 0 for each digit, ASCII for
some punctuation, no control characters. Its models were trained on such text, so they know no
other. Accents go by canonical decomposition, which is not undone: a Hangul syllable stays in its
letters, and й becomes и.
"""

from __future__ import annotations

import re
import unicodedata

_SINGLE = str.maketrans(
    "，、。：∶？！；（）【】％～〈〉–━►„“”«»「」《》´’",
    ",,.::?!;()[]%~<>---" + 9 * '"' + 2 * "'",
)
_PUNCTUATION: dict[int, str | int] = {**_SINGLE, ord("…"): "...", ord("．"): ". ", ord("—"): " - "}
_CONTROLS: dict[int, None] = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)])
_TABLE: dict[int, str | int | None] = {**_PUNCTUATION, **_CONTROLS}
_DIGIT = re.compile(r"\d")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def normalized(line: str) -> str:
    """``line`` as CCNet has it scored.

    >>> normalized("  «Très bien», dit-il en 1984… ")
    '"tres bien", dit-il en 0000...'
    """
    line = _DIGIT.sub("0", _without_accents(line.strip().lower()))
    if line.isascii():
        return _CONTROL.sub("", line) if not line.isprintable() else line
    return line.translate(_TABLE)


def _without_accents(line: str) -> str:
    if line.isascii():
        return line
    # Only what is not ASCII has, or is, an accent; a base letter need not be looked at.
    return _NOT_ASCII.sub(_bare, line)


def _bare(found: re.Match[str]) -> str:
    decomposed = unicodedata.normalize("NFD", found[0])
    return "".join([letter for letter in decomposed if unicodedata.category(letter) != "Mn"])
