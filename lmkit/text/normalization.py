"""Unicode normalization and lower case, as one function from text to text.

None of the forms joins anything across a space or a line end, so a function may be
applied to a whole text, to its lines, or to its pieces between spaces, with one result.

Lower case is the full mapping of Unicode (SpecialCasing.txt), with a final sigma where one
belongs, and the rules of three languages: Turkish and Azerbaijani have a dotless ı, Lithuanian
keeps the dot of i below another accent. Elsewhere İ becomes i, without the dot above that would
be a second code point. It is no case folding: ß and ﬁ stay.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

Normalizer = Callable[[str], str]

LANGUAGES = ("tr", "az", "lt")
"""Languages with rules of their own for lower case."""
_DOT = "\u0307"
_LITHUANIAN = str.maketrans({"Ì": f"i{_DOT}\u0300", "Í": f"i{_DOT}\u0301", "Ĩ": f"i{_DOT}\u0303"})


def normalizer(form: str | None, lowercase: bool | str, rules: int = 2) -> Normalizer | None:
    """The function for ``form`` (``nfc``, ``nfkc`` or ``none``) and ``lowercase`` (or the language
    it is for); None where text stays as it is. ``rules``: `lmkit.text.settings.RULES`."""
    lower = _lower_case(lowercase, rules)
    if form in (None, "none"):
        return lower
    name = form.upper()

    def normalize(text: str) -> str:
        if lower is not None:
            # Lower case can leave what the form would still compose (and the reverse).
            text = lower(_formed(name, text))
        return _formed(name, text)

    return normalize


def _lower_case(lowercase: bool | str, rules: int) -> Normalizer | None:
    if not lowercase:
        return None
    if rules == 1:
        return str.lower
    return {"tr": _turkish, "az": _turkish, "lt": _lithuanian}.get(str(lowercase), _any_language)


def _any_language(text: str) -> str:
    return text.lower() if text.isascii() else _without_dots(text).lower()


def _turkish(text: str) -> str:
    return _without_dots(text).replace("I", "ı").lower()


def _lithuanian(text: str) -> str:
    if text.isascii():
        return text.lower()
    accented = _accented().sub(lambda found: found[0].lower() + _DOT, text)
    return accented.translate(_LITHUANIAN).replace("İ", "i").lower()


def _without_dots(text: str) -> str:
    """``text`` with i for a capital I that has a dot above, as one code point or as more."""
    if _DOT in text:
        text = _dotted().sub(r"i\1", text)
    return text.replace("İ", "i")


# A mark of another class between the letter and an accent above does not part them.
_BETWEEN = r"[\p{M}--[\p{ccc=0}\p{ccc=230}]]*"


@cache
def _dotted() -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]

    return regex.compile(rf"I({_BETWEEN}){_DOT}", regex.VERSION1)


@cache
def _accented() -> Any:
    import regex

    return regex.compile(rf"[IJĮ](?={_BETWEEN}\p{{ccc=230}})", regex.VERSION1)


def _formed(name: str, text: str) -> str:
    if text.isascii() or unicodedata.is_normalized(name, text):  # type: ignore[arg-type]
        return text
    return unicodedata.normalize(name, text)  # type: ignore[arg-type]
