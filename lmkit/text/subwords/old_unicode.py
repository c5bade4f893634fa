"""Where the package ``tokenizers`` does not know the newest Unicode.

Its tables of categories for BERT are those of Unicode 8, its tables of normalization those of
Unicode 9: characters that came later have no category there, and nothing is done to them. Its
lower case is that of Unicode 17, which Python may not know yet. The sets were found by asking the
package about every code point (0.23, against the tables of Unicode 18).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, partial
from typing import Any


def _set(ranges: str) -> str:
    """Ranges of hexadecimal code points, as the inside of a set of a regular expression."""
    return "".join(
        "-".join(f"\\U{int(end, 16):08x}" for end in one.split("-")) for one in ranges.split()
    )


LATER_MARKS = _set(
    """
    5C8-5C9 7FD 897-89F 8CA-8D3 9FE AFA-AFF B53-B55 C04 C3C CF3 D00 D3B-D3C D81 EBA ECE 1715
    180F 1ABF-1AF0 1CF7 1DF6-1DFA A82C A8FF 10D24-10D27 10D69-10D6D 10EAB-10EAC 10ECB-10ECF
    10EF0-10EFF 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 11145-11146 111C9 111CE-111CF
    11241 1133B 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2 113E1-113E2 1145E
    1182C-1183A 11930-11935 11937-11938 1193B-1193E 11940 11942-11943 119D1-119D7 119DA-119E0
    119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E 11A47 11A51-11A5B 11A8A-11A99 11B60-11B67
    11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D8A-11D8E 11D90-11D91 11D93-11D97 11DF0
    11EF3-11EF6 11F00-11F01 11F03 11F34-11F3A 11F3E-11F42 11F5A 13440 13447-13455 1611E-1612F
    16F4F 16F7F-16F87 16FE4 16FF0-16FF1 1CF00-1CF2D 1CF30-1CF46 1D127-1D128 1D250-1D252
    1D25B-1D25C 1D25F 1D280-1D281 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF
    1E6E3 1E6E6 1E6EE-1E6EF 1E6F5
    """
)
"""Marks (M) that came after Unicode 9."""

LATER_ACCENTS = _set(
    """
    5C8-5C9 7FD 897-89F 8CA-8E1 9FE AFA-AFF B53-B55 C04 C3C D00 D3B-D3C D81 EBA ECE 180F
    1885-1886 1ABF-1AF0 1DF6-1DFB A82C A8C5 A8FF A9BD 10D24-10D27 10D69-10D6D 10EAB-10EAC
    10ECB-10ECF 10EF0-10EFF 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 111C9 111CF 1123E
    11241 1133B 113BB-113C0 113CE 113D0 113D2 113E1-113E2 11438-1143F 11442-11444 11446 1145E
    1182F-11837 11839-1183A 1193B-1193C 1193E 11943 119D4-119D7 119DA-119DB 119E0 11A01-11A0A
    11A33-11A38 11A3B-11A3E 11A47 11A51-11A56 11A59-11A5B 11A8A-11A96 11A98-11A99 11B60
    11B62-11B64 11B66 11C30-11C36 11C38-11C3D 11C3F 11C92-11CA7 11CAA-11CB0 11CB2-11CB3
    11CB5-11CB6 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91 11D95 11D97 11DF0
    11EF3-11EF4 11F00-11F01 11F36-11F3A 11F40 11F42 11F5A 13440 13447-13455 1611E-16129
    1612D-1612F 16F4F 16FE4 1CF00-1CF2D 1CF30-1CF46 1D127-1D128 1D25B-1D25C 1E000-1E006
    1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF
    1E4EC-1E4EF 1E5EE-1E5EF 1E6E3 1E6E6 1E6EE-1E6EF 1E6F5 1E944-1E94A
    """
)
"""Nonspacing marks (Mn) that came after Unicode 8 or were not such then."""

LATER_PUNCTUATION = _set(
    """
    61D 9FD A76 C77 C84 1B4E-1B4F 1B7D-1B7F 2E43-2E4F 2E52-2E5D 2E60-2E63 10D6E 10EAD 10ED0
    10F55-10F59 10F86-10F89 113D4-113D5 113D7-113D8 1144B-1144F 1145A-1145B 1145D 11660-1166C
    116B9 1183B 11944-11946 119E2 11A3F-11A46 11A9A-11A9C 11A9E-11AA2 11B00-11B09 11BE1
    11C41-11C45 11C70-11C71 11EF7-11EF8 11F43-11F4F 11FFF 12FF1-12FF2 16D6D-16D6F 16E97-16E9A
    16FE2 1E5FF 1E95E-1E95F
    """
)
"""Punctuation (P) that came after Unicode 8."""

LATER_FORMS = _set(
    """
    558 58B-58C 209D-209F 32FF A7F1-A7F4 AB69 105C9 105E4 10781-10785 10787-107B0 107B2-107BF
    11383 11385 1138E 11391 113C5 113C7-113C8 11938 16121-16128 16D68-16D6A 1B123-1B126
    1CCD6-1CCF9 1D6A6 1DF95 1DFCD-1DFFF 1E030-1E06D 1F16C 1FBF0-1FBF9
    """
)
"""Characters with decompositions that came after Unicode 9."""

_FORMATS = _set("890-891 8E2 110CD 13430-1343F")
"""Format characters (Cf) that came after Unicode 8."""
_OLD_ACCENTS = "\u1734\U0001171e"
_OLD_MARKS = "\u1cf2\u1cf3"
_OLD_PUNCTUATION = "\u166d\U000111c9"
"""What was of the category then, and is not now."""
_NEW_LOWER = {
    0x1C89: "\u1c8a",
    0xA7CB: "\u0264",
    0xA7CC: "\ua7cd",
    0xA7CE: "\ua7cf",
    0xA7D2: "\ua7d3",
    0xA7D4: "\ua7d5",
    0xA7DA: "\ua7db",
    0xA7DC: "\u019b",
    **{code: chr(code + 0x20) for code in range(0x10D50, 0x10D66)},
    **{code: chr(code + 0x1B) for code in range(0x16EA0, 0x16EB9)},
}


@cache
def _found(what: str) -> Any:
    return re.compile(what)


def normalized(form: str, text: str) -> str:
    """``text`` in that form of Unicode 9."""
    if text.isascii():
        return text
    parts = _found(f"([{LATER_MARKS}{LATER_FORMS}]+)").split(text)
    parts[::2] = map(partial(unicodedata.normalize, form), parts[::2])  # type: ignore[arg-type]
    return "".join(parts)


def lowered(text: str) -> str:
    """Lower case, a character at a time: a final sigma is an ordinary one."""
    if text.isascii():
        return text.lower()
    return "".join(map(str.lower, text.translate(_NEW_LOWER)))


def without_marks(text: str) -> str:
    """``text`` without the marks (M) of Unicode 9."""
    if text.isascii():
        return text
    later = _found(f"[{LATER_MARKS}]").match
    return "".join(
        one
        for one in text
        if (unicodedata.category(one)[0] != "M" and one not in _OLD_MARKS) or later(one)
    )


def without_accents(text: str) -> str:
    """``text`` without the nonspacing marks (Mn) of Unicode 8."""
    later = _found(f"[{LATER_ACCENTS}]").match
    return "".join(
        one
        for one in text
        if (unicodedata.category(one) != "Mn" and one not in _OLD_ACCENTS) or later(one)
    )


def is_control(letter: str) -> bool:
    """Whether Unicode 8 has ``letter`` as a control, format or private character."""
    category = unicodedata.category(letter)
    return category in ("Cc", "Co") or (
        category == "Cf" and not _found(f"[{_FORMATS}]").match(letter)
    )


PUNCTUATION = rf"[[\p{{P}}$+<=>^`|~{_OLD_PUNCTUATION}]--[{LATER_PUNCTUATION}]]"
"""What BERT takes for punctuation, for the ``regex`` package (VERSION1)."""
