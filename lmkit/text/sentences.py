"""Where sentences end in running text, by rule.

A sentence ends behind ``.``, ``!``, ``?`` or ``…`` (and the quotation marks and brackets
that close there) where white space and then a capital letter, a digit, an opening
quotation mark or bracket follow; and behind the full stops of Chinese and Japanese. A point
behind an abbreviation or an initial is none of these, unless the abbreviation can end a
sentence (``etc.``, ``U.S.``) and the next word is one that mostly begins them.
"""

from __future__ import annotations

import re

# Quantifiers are possessive, and nothing begins inside a run of marks: linear time.
_END = re.compile(
    r"(?<![.!?…])(?P<mark>[.!?…]++)[ ]?(?P<closing>[\"'”’»)\]]*+)(?P<gap>\s++)"
    r"(?P<next>[\"'“‘«(\[¿¡]*+[ ]?\w)"
    r"|(?<![。！？])(?P<wide>[。！？]++[」』”’）]*+)(?P<wide_gap>\s*+)(?=\S)"
)
_WORD_BEFORE = re.compile(r"([^\W\d_](?:[\w.'’-]*\w)?)\s?$")
_NEXT_WORD = re.compile(r"\W*([\w'’-]+)")

# Always followed by what they belong to.
_NEVER_LAST_WORDS = (
    "mr mrs ms mme mlle dr prof rev hon st gen col maj capt cmdr lt sgt cpl pvt adm sen rep gov"
    " pres messrs mt ft vs viz cf e.g i.e eg ie ca fig figs eq eqs sec ch chap art vol nos pp"
    " ed eds trans approx dept univ v"
)
# May end a sentence.
_MAYBE_LAST_WORDS = (
    "etc inc ltd co corp bros jr sr esq a.m p.m u.s u.k u.n e.u ph.d m.d b.a m.a d.c al"
    " jan feb mar apr jun jul aug sep sept oct nov dec ave blvd rd"
)
_STARTERS_WORDS = (
    "a after all although an and as at but by during each every for from he her here his how"
    " however i if in it its many most my no not now of on one or other our she since so some"
    " such that the their then there these they this those though to we what when where which"
    " while who why with yet you your"
)
_NEVER_LAST = frozenset(_NEVER_LAST_WORDS.split())
_MAYBE_LAST = frozenset(_MAYBE_LAST_WORDS.split())
_STARTERS = frozenset(_STARTERS_WORDS.split())


def split_sentences(text: str) -> str:
    """``text`` (one paragraph without line ends) with a LF between its sentences."""
    parts, start = [], 0
    for gap_start, gap_stop in sentence_gaps(text):
        parts.append(text[start:gap_start])
        start = gap_stop
    return "\n".join([*parts, text[start:]])


def sentence_gaps(text: str) -> list[tuple[int, int]]:
    """Where the sentences of ``text`` are parted: begin and end of what stands between two."""
    ends: list[tuple[int, int]] = []
    for found in _END.finditer(text):
        if found["wide"] is not None:
            ends.append(found.span("wide_gap"))
        elif _is_end(text, found):
            ends.append(found.span("gap"))
    return ends


def _is_end(text: str, found: re.Match[str]) -> bool:
    first = found["next"][-1]
    if not (first.isupper() or first.istitle() or first.isdigit() or _is_caseless(first)):
        return False
    if found["mark"] != ".":
        return found.start() > 0
    before = _WORD_BEFORE.search(text, max(0, found.start() - 40), found.start())
    word = before[1] if before else ""
    if word.lower() in _NEVER_LAST:
        return False
    if word.lower() in ("no", "p") and first.isdigit():
        return False
    following = _NEXT_WORD.match(text, found.start("next"))
    starts = following is not None and following[1].lower() in _STARTERS
    if word.lower() in _MAYBE_LAST:
        return starts and not first.isdigit()
    if len(word) == 1 and word.isupper() and word != "I":
        return starts
    if re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", word):
        return starts
    return True


def _is_caseless(letter: str) -> bool:
    return letter.isalpha() and letter.lower() == letter.upper()
