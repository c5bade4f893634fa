"""Where edited text has spaces around numbers, punctuation and quotation marks.

Rules of English typography, as counted in sentences of Wikipedia: a dash between words is closed
up between two names and set off between small letters, initials of persons stand apart, those of
states do not, numbers belong to a letter that is no word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from lmkit.channel.decoding.surface import HYPHENS

_CLOSING = frozenset(".,;:!?)]}%…”»›′″°²³、。，！？；：）」』】》")
_OPENING = frozenset("([{¿¡«‹“‘„‚$£€¥#@（「『【《")
_CLOSE = frozenset(("/", "—", "--", "_", "\\", "^", "~", "*"))
_STATES = frozenset(("U.S", "U.K", "U.N", "D.C", "E.U"))
_DOMAINS = frozenset(("com", "net", "org"))
_DEGREES = frozenset("CFNSEW")
_POWERS = frozenset("²³")
_UNITS = frozenset("aghilmpst")
"""Small letters that are words, or units, behind a number."""
_TITLES = frozenset(("Ph.D", "Ph.Ds", "B.Sc", "M.Sc", "D.Sc", "M.Phil", "D.Phil", "B.Ed", "M.Ed"))
_NO_CODES = frozenset(("AD", "BC", "US", "UK"))
_EVENTS = frozenset(("Men", "Men's", "Women", "Women's", "Boys", "Girls", "Singles", "Doubles"))
"""Behind a dash in the name of a contest: 2008 Serbia Open – Singles."""
_CONNECTED = frozenset(("and", "or", "to"))
_POSSESSIVES = frozenset(("'s", "’s"))
_WORDS = frozenset(("A", "I"))
"""Capitals that are words by themselves."""
MOST_QUOTES = 50
"""In a line with more of them all quotation marks are taken in turn."""

OPEN, CLOSE, INNER = "open", "close", "inner"


def spaces(line: str, parts: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether a space belongs before each of ``parts`` (begin, end) of ``line``."""
    texts = [line[begin:end] for begin, end in parts]
    roles = _quotes(line, parts, texts)
    return [place > 0 and _is_apart(texts, place, roles) for place in range(len(texts))]


def _quotes(line: str, parts: Sequence[tuple[int, int]], texts: Sequence[str]) -> dict[int, str]:
    """What the quotation marks and single apostrophes among ``texts`` do."""
    roles: dict[int, str] = {}
    for mark in ('"', "'"):
        marks = [place for place, text in enumerate(texts) if text == mark]
        kinds = [OPEN, CLOSE] * (len(marks) // 2 + 1)
        if len(marks) % 2 and len(marks) < MOST_QUOTES:
            kinds = _odd_quotes(line, [parts[place][0] for place in marks], mark)
        roles.update(zip(marks, kinds, strict=False))
    opened = False
    for place, text in enumerate(texts):
        if text == "’":
            inner = not opened and _is_inside(line, parts[place][0])
            roles[place] = INNER if inner else CLOSE
        opened = text == "‘" or (opened and text != "’")
    return roles


def _odd_quotes(line: str, places: Sequence[int], mark: str) -> list[str]:
    """Roles of the marks at ``places``, one of which has no partner: that one without which the
    others look best."""
    leaning = [_leaning(line, place) for place in places]
    pairs = [OPEN, CLOSE] * (len(places) // 2)
    if mark == "'":
        for number, place in enumerate(places):
            if _is_inside(line, place) and not leaning[number]:
                # Of one word: Bahá'í, the boys'house.
                own = CLOSE if line[place - 1] == "s" else INNER
                return [*pairs[:number], own, *pairs[number:]]
    ways = [
        [*pairs[:number], alone, *pairs[number:]]
        for number in range(0, len(places), 2)
        for alone in (OPEN, CLOSE)
    ]
    return max(
        ways,
        key=lambda way: sum(
            lean if kind == OPEN else -lean for kind, lean in zip(way, leaning, strict=True)
        ),
    )


def _leaning(line: str, place: int) -> int:
    """How much the mark at ``place`` looks like an opening one; below 0, like a closing one."""
    before, behind = line[place - 1 : place], line[place + 1 : place + 2]
    leaning = 0
    if not before or before.isspace() or before in "([—–:":
        leaning += 3
    if not behind or behind.isspace() or behind in ".,;:!?)]—–":
        leaning -= 3
    if before and before in ".!?":
        leaning -= 2
    if before == ",":
        leaning += 1 if behind.isupper() else -1
    if before.islower() and behind.isupper():
        leaning += 2
    return leaning


def _is_inside(line: str, place: int) -> bool:
    return line[place - 1 : place].isalpha() and line[place + 1 : place + 2].isalpha()


def _is_apart(texts: Sequence[str], place: int, roles: dict[int, str]) -> bool:
    """Whether there is a space before ``texts[place]``."""
    left, right = texts[place - 1], texts[place]
    of_left, of_right = roles.get(place - 1), roles.get(place)
    if of_right in (CLOSE, INNER) or of_left in (OPEN, INNER):
        return False
    before, behind = left[-1], right[0]
    if _is_unseen(before) or _is_unseen(behind) or _is_mark(behind):
        return False
    if of_left == CLOSE:
        closed = behind in _CLOSING or _is_joint(right) or right in _POSSESSIVES
        return right == "°" or not closed
    if of_right == OPEN:
        return not (before in _OPENING or _is_joint(left))
    if behind in _POWERS or (right in _POSSESSIVES and before.isdigit()):
        return False
    if before.isalnum() and behind.isalnum():
        return _words_are_apart(texts, place)
    if left in _CLOSE or right in _CLOSE:
        return False
    if "|" in (left, right):
        return left != right and _is_bar_apart(texts, place - 1 if left == "|" else place)
    joint = place - 1 if _is_joint(left) else place
    if texts[joint] in HYPHENS:
        return _hyphen_is_apart(texts, joint, place)
    if texts[joint] == "–":
        return _dash_is_apart(texts, joint)
    if behind in _CLOSING or right.startswith("..") or before in _OPENING:
        return False
    if _is_tag(left, right) or _is_number_bracket(texts, place):
        return False
    if right == "$":
        return not (left.isupper() and len(left) < 4)
    if left == "°":
        return right not in _DEGREES
    if left == ".":
        return _is_apart_from_point(texts, place)
    if left == ":" and behind.isdigit() and place > 1:
        return not texts[place - 2][-1].isdigit()
    if left == "&" or right == "&":
        return not _is_ampersand_inside(texts, place - 1 if left == "&" else place)
    return True


@lru_cache(4096)
def _is_unseen(letter: str) -> bool:
    """Whether it joins or parts what stands around it, or controls a terminal, and is no sign."""
    return unicodedata.category(letter) in ("Cc", "Cf")


@lru_cache(4096)
def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter)[0] == "M"


def _is_joint(text: str) -> bool:
    return text in HYPHENS or text in _CLOSE or text == "–"


def _hyphen_is_apart(texts: Sequence[str], joint: int, place: int) -> bool:
    """Whether there is a space before ``texts[place]``, which is the hyphen at ``joint`` or behind
    it."""
    if not 0 < joint < len(texts) - 1:
        return True
    left, right = texts[joint - 1], texts[joint + 1]
    if right in _EVENTS:
        return True
    before, behind = left[-1], right[0]
    if not (before.isalnum() or before in ')]"') or not (behind.isalnum() or behind in '(["'):
        return True
    # Third- and fourth-year students, but hit-and-run.
    return place > joint and right in _CONNECTED and texts[joint + 2 : joint + 3] != ["-"]


def _words_are_apart(texts: Sequence[str], place: int) -> bool:
    """The same of two words or numbers."""
    left, right = texts[place - 1], texts[place]
    if left[-1].isdigit() == right[0].isdigit():
        return True
    if right[0].isdigit():
        return not _is_code(left, right)
    behind = texts[place + 1] if place + 1 < len(texts) else ""
    if len(right) == 1 and right.islower():
        return right in _UNITS
    letter = len(right) == 1 and right.isupper() and right not in _WORDS
    return not letter or behind == "."


def _is_code(letters: str, number: str) -> bool:
    """Whether the ``number`` belongs to the letters before it: R80, MP3, but SR 56 and AD 98."""
    if not (letters.isalpha() and letters.isupper() and number.isdigit()):
        return False
    if len(letters) == 1:
        return letters not in _WORDS and len(number) < 4
    return letters not in _NO_CODES and len(number) == 1


def _is_tag(left: str, right: str) -> bool:
    """Whether two tokens stand together in the markup of a page: <br>, </ref>."""
    return right == ">" or (left == "<" and (right[0].isalpha() or right == "/"))


def _is_number_bracket(texts: Sequence[str], place: int) -> bool:
    """Whether the bracket at ``place`` belongs to the number before it: 501(c)(3)."""
    if texts[place] != "(" or place + 2 >= len(texts):
        return False
    left, inner, behind = texts[place - 1], texts[place + 1], texts[place + 2]
    return (left[-1].isdigit() or left == ")") and behind == ")" and len(inner) == 1


def _dash_is_apart(texts: Sequence[str], place: int) -> bool:
    """Whether the dash at ``place`` has spaces around it."""
    if not 0 < place < len(texts) - 1:
        return True
    left, right = texts[place - 1], texts[place + 1]
    if left.isdecimal() and right.isdecimal():
        # 21 August 1903 – 6 March 1978, but 1980–81, and the 2010–11 League.
        behind = texts[place + 2] if place + 2 < len(texts) else ""
        is_day = len(left) == 4 and right[0] != "0" and int(right[-4:]) < 32 and len(right) < 3
        is_season = int(left[-2:]) + 1 == int(right[-2:])
        return is_day and not is_season and behind[:1].isupper() and len(behind) > 2
    if left.isdecimal() and right[0].isupper():
        return len(left) == 4
    if not (left[-1].isalnum() and right[0].isalnum()) or right in _EVENTS:
        return True
    return not all(text[0].isupper() or text[0].isdigit() for text in (left, right))


def _is_apart_from_point(texts: Sequence[str], place: int) -> bool:
    """Whether there is a space between a point and ``texts[place]``."""
    before, right = texts[place - 2] if place > 1 else "", texts[place]
    if right in _DOMAINS or (right[0].isdigit() and not before):
        return False
    if f"{before}.{right}" in _TITLES:
        return False
    initials = len(before) == len(right) == 1 and before.isalpha() and right.isalpha()
    if not initials or texts[place + 1 : place + 2] != ["."]:
        return True
    # Of a state, an abbreviation in small letters, or a person's, who has a name as well.
    if before.islower() or f"{before}.{right}" in _STATES:
        return False
    behind = _behind_initials(texts, place)
    return behind < len(texts) and texts[behind][0].isupper()


def _behind_initials(texts: Sequence[str], place: int) -> int:
    """Where the capitals with points behind them end that begin at ``place``."""
    while texts[place + 1 : place + 2] == ["."] and len(texts[place]) == 1:
        if not texts[place].isupper():
            break
        place += 2
    return place


def _is_bar_apart(texts: Sequence[str], place: int) -> bool:
    """Whether the bar at ``place`` has spaces around it: between words, but not in P(a|b)."""
    beside = [texts[i] for i in (place - 1, place + 1) if 0 <= i < len(texts)]
    return any(len(text) > 1 for text in beside)


def _is_ampersand_inside(texts: Sequence[str], place: int) -> bool:
    """Whether the sign at ``place`` stands between initials, as in R&B and AT&T."""
    if not 0 < place < len(texts) - 1:
        return False
    left, right = texts[place - 1], texts[place + 1]
    few = len(left) == 1 or (len(left) == 2 and len(right) == 1)
    return few and left.isupper() and right.isupper()
