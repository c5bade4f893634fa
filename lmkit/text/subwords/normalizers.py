"""What a tokenizer file says of normalization, as functions from text to text.

The names are those of the package ``tokenizers`` (its ``normalizers``), beside ``SentencePiece``
for the normalizer inside a sentencepiece model.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

from lmkit.errors import FormatError
from lmkit.text.subwords import old_unicode
from lmkit.text.subwords.alphabet import spell
from lmkit.text.subwords.charsmap import Charsmap, Precompiled, SentencePieceNormalizer
from lmkit.text.subwords.parts import (
    REQUIRED,
    REWRITE,
    Part,
    kind_of,
    options_of,
    pattern_of,
    sequence_of,
)

Normalize = Callable[[str], str]


def make_normalizer(part: Part | None) -> Normalize | None:
    """The function that ``part`` describes; None leaves text as it is.

    Raises `UnsupportedError` for a kind or an option that is not known here, `FormatError` for
    one that is damaged.
    """
    if part is None:
        return None
    kind = kind_of(part, "normalizer", _KINDS)
    return _KINDS[kind](part)


def _sequence(part: Part) -> Normalize:
    steps = sequence_of(part, "normalizer", "normalizers", make_normalizer)
    return lambda text: reduce(lambda result, step: step(result), steps, text)


def drops_first(part: Part | None, text: str) -> bool:
    """Whether the normalizer ``part`` takes the first character of ``text`` away: what is left
    then does not begin where the text does. (A ``Metaspace`` may ask for that.)"""
    if part is None or not text:
        return False
    kind = part["type"]
    if kind == "Sequence":
        for step in part["normalizers"]:
            if drops_first(step, text):
                return True
            text = (make_normalizer(step) or str)(text)
        return False
    if kind == "Strip":
        return bool(part["strip_left"]) and text[0] in SPACES
    if kind == "Replace":
        found = pattern_of(part["pattern"], "normalizer Replace").match(text)
        return not part["content"] and found is not None and found.end() > 0
    if kind in ("BertNormalizer", "StripAccents"):
        return not (make_normalizer(part) or str)(text[0])
    return False


def _form(name: str, part: Part) -> Normalize:
    options_of(part, "normalizer")
    return partial(old_unicode.normalized, name)


def _lowercase(part: Part) -> Normalize:
    options_of(part, "normalizer")
    return old_unicode.lowered


def _strip(part: Part) -> Normalize:
    options = options_of(
        part, "normalizer", strip_left=(bool, REQUIRED), strip_right=(bool, REQUIRED)
    )

    def strip(text: str) -> str:
        if options["strip_left"]:
            text = text.lstrip(SPACES)
        return text.rstrip(SPACES) if options["strip_right"] else text

    return strip


SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space. (`str.isspace` takes U+001C to U+001F for white space too.)"""


def _strip_accents(part: Part) -> Normalize:
    options_of(part, "normalizer")
    return old_unicode.without_marks


def _replace(part: Part) -> Normalize:
    options = options_of(part, "normalizer", pattern=(dict, REQUIRED), content=(str, REQUIRED))
    content = options["content"]
    pattern = pattern_of(options["pattern"], "normalizer Replace")
    return lambda text: pattern.sub(lambda _: content, text)


def _prepend(part: Part) -> Normalize:
    prepend = options_of(part, "normalizer", prepend=(str, REQUIRED))["prepend"]
    return lambda text: prepend + text if text else text


def _bert(part: Part) -> Normalize:
    options = options_of(
        part,
        "normalizer",
        clean_text=(bool, REQUIRED),
        handle_chinese_chars=(bool, REQUIRED),
        strip_accents=((bool, None), None),
        lowercase=(bool, REQUIRED),
    )
    return BertNormalizer(**options)


class BertNormalizer:
    """BERT's: control characters out and every white space a space, spaces around Chinese
    characters, no accents (None: if lower case), lower case."""

    def __init__(
        self,
        clean_text: bool = True,
        handle_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        lowercase: bool = True,
    ) -> None:
        self._clean = clean_text
        self._apart = handle_chinese_chars
        self._bare = lowercase if strip_accents is None else strip_accents
        self._lower = lowercase

    def __call__(self, text: str) -> str:
        if text.isascii() and text.isprintable():
            return text.lower() if self._lower else text
        if self._clean:
            text = "".join(map(_cleaned, text))
        if self._apart:
            text = "".join(f" {one} " if is_chinese(one) else one for one in text)
        if self._bare:
            text = old_unicode.without_accents(old_unicode.normalized("NFD", text))
        return old_unicode.lowered(text) if self._lower else text


def _cleaned(letter: str) -> str:
    if letter in "\t\n\r":
        return " "
    if letter == "\ufffd" or old_unicode.is_control(letter):
        return ""
    return " " if letter in SPACES else letter


def is_chinese(letter: str) -> bool:
    """Whether BERT takes it for a Chinese character: those of the CJK blocks for ideographs."""
    code = ord(letter)
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2B81F
        or 0x2B920 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


def _byte_level(part: Part) -> Normalize:
    options_of(part, "normalizer")
    return lambda text: spell(text.encode())


def charsmap_of(encoded: str | None) -> Charsmap | None:
    """The rules in a ``precompiled_charsmap`` that is written in base64."""
    if not encoded:
        return None
    try:
        return Charsmap(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        raise FormatError("the precompiled_charsmap is not base64", REWRITE) from error


def _precompiled(part: Part) -> Normalize:
    encoded = options_of(part, "normalizer", precompiled_charsmap=((str, None), REQUIRED))
    charsmap = charsmap_of(encoded["precompiled_charsmap"])
    return (lambda text: text) if charsmap is None else Precompiled(charsmap)


def _sentencepiece(part: Part) -> Normalize:
    options = options_of(
        part,
        "normalizer",
        precompiled_charsmap=((str, None), None),
        symbols=(list, []),
        add_dummy_prefix=(bool, True),
        remove_extra_whitespaces=(bool, True),
        escape_whitespaces=(bool, True),
        treat_whitespace_as_suffix=(bool, False),
    )
    charsmap = charsmap_of(options.pop("precompiled_charsmap"))
    return SentencePieceNormalizer(charsmap, tuple(options.pop("symbols")), **options)


_KINDS: dict[str, Callable[[Part], Any]] = {
    "Sequence": _sequence,
    "NFC": partial(_form, "NFC"),
    "NFD": partial(_form, "NFD"),
    "NFKC": partial(_form, "NFKC"),
    "NFKD": partial(_form, "NFKD"),
    "Lowercase": _lowercase,
    "Strip": _strip,
    "StripAccents": _strip_accents,
    "Replace": _replace,
    "Prepend": _prepend,
    "BertNormalizer": _bert,
    "ByteLevel": _byte_level,
    "Precompiled": _precompiled,
    "SentencePiece": _sentencepiece,
}
