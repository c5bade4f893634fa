"""Which encoding bytes are likely in that are no UTF-8: a short test that says nothing rather than
guess.

A byte-order mark, the zero bytes of UTF-16 and UTF-32, pairs that are in the commonest rows of the
East Asian sets, and for sets of single bytes the commonest letters of a few languages. Pairs and
letters must be nearly all of what is not ASCII.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter

from lmkit.remarks import remark

ENOUGH = 4
"""Fewer characters beyond ASCII say nothing."""
MOST = 0.9
"""The part of them that must be the commonest."""
_SAMPLE = 1 << 16
_BEFORE = 1 << 10

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_SHIFTS = (
    (b"\x1b$B", "iso2022_jp"),
    (b"\x1b$@", "iso2022_jp"),
    (b"\x1b$)C", "iso2022_kr"),
)
_HIGH = re.compile(rb"[\x80-\xff]+")
_KANA = re.compile("[぀-ヿ]")
_WIDE = re.compile("[^\x00-\x7f]")
_CYRILLIC_INSIDE = re.compile("(?<=[A-Za-z])[Ѐ-ӿ]")
_CAPITAL_INSIDE = re.compile("(?<=[a-z])[ÄÖÜÉÀÇŒŁŚŻČŘŠŽ]")

_WESTERN = set("äöüßéèêëàâçîïôûùñíóúáìòãõåæøœÄÖÜÉÀÇ’‘“”„–—…«»°§€£")
_CENTRAL = set("ąćęłńóśźżčďěňřšťůžýáíéúőűöüŁŚŻČŘŠŽ„”–")
_RUSSIAN = set("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфё")
_COMMON_RUSSIAN = set("оеаинтсрвл")
_SINGLE = (
    ("cp1252", _WESTERN),
    ("mac_roman", _WESTERN),
    ("cp850", _WESTERN),
    ("cp1250", _CENTRAL),
    ("iso8859-2", _CENTRAL),
)
_CYRILLIC = ("koi8-r", "cp1251", "cp866", "iso8859-5", "mac_cyrillic")


def likely_encoding(data: bytes, place: int = 0) -> str | None:
    """The encoding that ``data``, the beginning of a file, is likely in, a name of Python's codecs;
    None where nothing is likely. ``place`` is that of a byte which is no UTF-8."""
    if certain := marked_encoding(data) or wide_encoding(data):
        return certain
    start = max(place - _BEFORE, 0)
    start = data.find(b"\n", start, place) + 1 or start
    sample = data[start : start + _SAMPLE]
    if len(sample) == _SAMPLE:
        sample = sample[: sample.rfind(b"\n") + 1 or None]
    high = sum(map(len, _HIGH.findall(sample)))
    if high < ENOUGH or _mostly_utf8(sample):
        return None
    return _pairs(sample) or _singles(sample)


def marked_encoding(data: bytes) -> str | None:
    """What the byte-order mark at the beginning of ``data`` says, or a shift to other letters in
    it, which no text has besides; None for neither, and for UTF-8."""
    marks = (name for mark, name in _MARKS if data.startswith(mark))
    shifts = (name for shift, name in _SHIFTS if shift in data)
    return next(marks, None) or next(shifts, None)


def remark_on_bytes(data: bytes, name: str) -> None:
    """Say so where ``data``, the beginning of a text that is read as bytes, looks like UTF-16 or
    UTF-32."""
    marks = (encoding for mark, encoding in _MARKS if data.startswith(mark))
    likely = next(marks, None) or wide_encoding(data)
    if likely is not None:
        remark(
            f"{name} looks like {likely.upper()}: its bytes are read as they are, and"
            f" --encoding {likely} reads its text"
        )


def wide_encoding(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: every second byte (of four, three) is one of a few, among
    them zero, since a text keeps to a few rows of Unicode."""
    sample = data[:4096]
    if len(sample) < 3 * ENOUGH or sample.count(0) < ENOUGH:
        return None
    places = [sample[place::4] for place in range(4)]
    zeros = [place.count(0) / len(place) for place in places]
    if min(zeros[2:]) > MOST and zeros[0] < 1 - MOST:
        return "utf-32-le"
    if min(zeros[:2]) > MOST and zeros[3] < 1 - MOST:
        return "utf-32-be"
    even, odd = sample[::2], sample[1::2]
    for rows, cells, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if 0 in rows and 0 not in cells and _few(rows) > MOST and _few(cells) < MOST - 0.2:
            return name
    return None


def _few(values: bytes) -> float:
    """The part of ``values`` that are one of the three commonest."""
    return sum(number for _, number in Counter(values).most_common(3)) / len(values)


def is_utf8_already(data: bytes) -> bool:
    """Whether ``data``, perhaps cut short, has so much UTF-8 beyond ASCII that it is in no other
    encoding."""
    if sum(map(len, _HIGH.findall(data[:_SAMPLE]))) < 3 * ENOUGH:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data[:_SAMPLE])
    except UnicodeDecodeError:
        return False
    return True


def _mostly_utf8(sample: bytes) -> bool:
    """Whether more of ``sample`` is UTF-8 than not: a text that is damaged in some places."""
    text = sample.decode(errors="replace")
    return len(_WIDE.findall(text)) > 2 * text.count("�")


def _decoded(sample: bytes, name: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(name)().decode(sample)
    except UnicodeDecodeError:
        return None


def _pairs(sample: bytes) -> str | None:
    """The East Asian encoding of ``sample``."""
    pairs = [
        (run[i], run[i + 1])
        for run in _HIGH.findall(sample)
        if len(run) % 2 == 0
        for i in range(0, len(run), 2)
    ]

    def share(first: int, last: int, lowest: int = 0xA1) -> float:
        rows = (first <= lead <= last for lead, trail in pairs if trail >= lowest)
        return sum(rows) / max(len(pairs), 1)

    for name in ("cp932", "euc_jp"):
        text = _decoded(sample, name)
        if text and len(_KANA.findall(text)) > len(_WIDE.findall(text)) / 4:
            return "shift_jis" if name == "cp932" else name
    # Punctuation and digits, rows A1 to A3, are in the same place in all of these.
    signs = share(0xA1, 0xA3)
    whole = sum(len(run) for run in _HIGH.findall(sample))
    if 2 * len(pairs) > MOST * whole and signs < MOST:
        if share(0xB0, 0xC8) + signs > MOST and _decoded(sample, "cp949"):
            return "euc_kr"
        if share(0xB0, 0xD7) + signs > MOST and _decoded(sample, "gb18030"):
            return "gbk"
    big5 = _decoded(sample, "big5")
    if big5:
        leads = [bytes_[0] for bytes_ in (c.encode("big5") for c in _WIDE.findall(big5))]
        common = sum(0xA1 <= lead <= 0xC6 for lead in leads)
        if common > MOST * len(leads):
            return "big5"
    return None


def _singles(sample: bytes) -> str | None:
    """The encoding of single bytes of ``sample``."""
    for name in _CYRILLIC:
        beyond = _beyond_ascii(sample, name)
        # Half of the letters of a text are the ten commonest.
        common = sum(map(_COMMON_RUSSIAN.__contains__, beyond))
        known = sum(c.lower() in _RUSSIAN for c in beyond)
        # No word has letters of both alphabets: "niдo" is another encoding.
        known -= len(_CYRILLIC_INSIDE.findall(_decoded(sample, name) or ""))
        if known > MOST * len(beyond) and common > len(beyond) / 2:
            return name
    for name, letters in _SINGLE:
        beyond = _beyond_ascii(sample, name)
        # A capital after a small letter is a letter of another encoding: "garáon allÇ".
        odd = len(_CAPITAL_INSIDE.findall(_decoded(sample, name) or ""))
        if sum(map(letters.__contains__, beyond)) - odd > MOST * len(beyond):
            # In these languages most letters are ASCII.
            return name if len(beyond) < len(sample) / 4 else None
    return None


def _beyond_ascii(sample: bytes, name: str) -> list[str]:
    text = _decoded(sample, name)
    return _WIDE.findall(text) if text else ["\0"]
