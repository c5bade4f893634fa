"""Text as words with their places, and back.

A line is cut as the source model's own tokenizer cuts it; what stands between the tokens is never
touched, so that white space comes back as it was. Tokens that no lexicon knows are cut further
where they join known ones: at hyphens, before 's. Each distinct token is looked at once: is it a
word that may be corrected, and how is it capitalised?
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache

from lmkit.channel.candidates.folding import LONGEST, fold, is_word, pattern_of
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.model import BOS, EOS, UNK, LanguageModel
from lmkit.text.tokenizers.word import WordTokenizer

_TICKS = r"(?<!`)(?:`|`{3,})(?!`)"
"""One backtick marks code, and so do three; two are quotation marks."""
_CODE = re.compile(rf"[@#\\_={{}}|~^$<>/]|{_TICKS}|\w[.(]\w|::|\d")
_SURE_CODE = re.compile(rf"[@#\\_={{}}|~^$<>\d]|{_TICKS}|::")
_STRETCHES = re.compile(r"(?:[^\s`]|`{2,}+)*+(?<![\w`])`(?![\s`])[^`]*`(?![\w`])\S*|\S+")
"""What stands between spaces; from one backtick to the next, spaces included."""
HYPHENS = frozenset("-‐‑")
_CUTS = re.compile(rf"([{''.join(sorted(HYPHENS))}]|['’][sS]$)")
_INITIAL = re.compile(r"(?<!\w)[^\W\d_](?=\.)")
"""A letter that stands for a name or a word: the J of J. Smith."""
_ENDING = re.compile("'[a-z]{1,2}|n't")
"""What a tokenizer cuts off words, and nobody types alone."""
MOST_PIECES = 1_000_000
LIKELIEST = 2000
FEW = 0.01
"""A script of a smaller part of the letters of the `LIKELIEST` words is not the lexicon's own."""
_SHOUTING = 0.7
"""A line of so many capitals, part of its letters, is text in capitals, not codes."""


@dataclass(frozen=True, slots=True)
class Token:
    """A distinct token of the text. ``row`` is its row in the lexicon, -1 if it is not there;
    ``spelling`` is the token as the source's text has it, ``source_id`` its number there.
    ``correctable``: a word in lower case or with a capital; ``shouted``: one all in capitals, to
    be corrected only in a line of these."""

    text: str
    folded: str
    spelling: str
    pattern: int
    row: int
    source_id: int
    correctable: bool
    shouted: bool


@dataclass(frozen=True, slots=True)
class Line:
    """``tokens`` [n], numbers of distinct ones, each at ``offsets`` [n] of ``text``;
    ``open`` [n]: whether it may be corrected here."""

    text: str
    tokens: list[int]
    offsets: list[int]
    open: list[bool]


class Surface:
    """Cuts text for ``source`` with the words of ``lexicon``, and numbers distinct tokens."""

    def __init__(
        self, source: LanguageModel, lexicon: Lexicon, own: frozenset[str] = frozenset()
    ) -> None:
        """``own``: folded words that are right wherever they stand."""
        settings = source.encoder.settings
        self._own = own
        self._scripts = _scripts_of(lexicon)
        self.tokens: list[Token] = []
        self._lexicon = lexicon
        self._vocabulary = source.vocabulary
        self._tokenizer = source.encoder.tokenizer  # type: ignore[attr-defined]
        self._finer = WordTokenizer()
        self._normalize = settings.make_normalizer()
        self._numbers: dict[str, int] = {}
        self._pieces: dict[str, tuple[tuple[str, int], ...]] = {}
        self._numbered: dict[str, tuple[tuple[int, int], ...]] = {}

    def fresh(self) -> Surface:
        """The same with no tokens."""
        other = copy(self)
        other.tokens, other._numbers, other._numbered = [], {}, {}
        return other

    def read(self, text: str, shouted: bool = False) -> Line:
        """``text``, one line without its end, as tokens. ``shouted``: words in capitals may be
        corrected, as in a line of these."""
        numbers: list[int] = []
        offsets: list[int] = []
        place = 0
        known = self._numbered
        for piece in self._tokenizer.tokenize(text):
            place = text.find(piece, place)
            cut = known.get(piece) or self._number_parts(piece)
            for number, offset in cut:
                numbers.append(number)
                offsets.append(place + offset)
            place += len(piece)
        tokens = self.tokens
        opened = [tokens[number].correctable for number in numbers]
        if shouted or (any(tokens[number].shouted for number in numbers) and _shouts(text)):
            opened = [tokens[n].correctable or tokens[n].shouted for n in numbers]
        if _CODE.search(text):
            self._close(text, numbers, offsets, opened)
        for found in _INITIAL.finditer(text):
            place = bisect_left(offsets, found.start())
            if offsets[place : place + 1] == [found.start()]:
                opened[place] = False
        return Line(text, numbers, offsets, opened)

    def _number_parts(self, piece: str) -> tuple[tuple[int, int], ...]:
        """The numbers of the tokens of what the tokenizer took as one, and where in it they are."""
        cut = self._pieces.get(piece) or self._cut(piece)
        if len(self._numbered) > MOST_PIECES:
            self._numbered.clear()
        numbered = tuple((self.number(token), offset) for token, offset in cut)
        self._numbered[piece] = numbered
        return numbered

    def number(self, text: str) -> int:
        """The number of a distinct token."""
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.tokens)
            self.tokens.append(self._token(text))
        return number

    def _token(self, text: str) -> Token:
        folded, spelling = fold(text), self._normalize(text) if self._normalize else text
        pattern = pattern_of(text)
        word = len(folded) <= LONGEST and is_word(folded) and folded not in self._own
        word = word and set(map(_script, folded)) <= self._scripts
        row = self._lexicon.rows.get(folded, -1) if word or folded in self._own else -1
        source_id = self._id_of(spelling)
        if source_id == UNK and row >= 0:
            source_id = int(self._lexicon.ids[pattern, row])
        word = word and not _ENDING.fullmatch(folded)
        open_as_typed, open_in_capitals = word and pattern < 2, word and pattern == 2
        return Token(
            text, folded, spelling, pattern, row, source_id, open_as_typed, open_in_capitals
        )

    def _id_of(self, spelling: str) -> int:
        number = int(self._vocabulary.id_of(spelling))
        return UNK if number in (BOS, EOS) else number

    def _cut(self, piece: str) -> tuple[tuple[str, int], ...]:
        """The tokens of what the tokenizer took as one, and where in it they are. What the
        white space of Unicode parts, and the tokenizer does not, are tokens of their own."""
        cut: list[str] = [piece]
        if not self._is_known(piece) and len(piece) <= 1000:
            cut = []
            for part in self._finer.tokenize(piece):
                if part != piece and self._is_known(part):
                    cut.append(part)
                else:
                    cut += [bit for bit in _CUTS.split(part) if bit]
            if "".join(cut) != "".join(piece.split()):
                cut = [piece]
        if len(self._pieces) > MOST_PIECES:
            self._pieces.clear()
        placed, place = [], 0
        for token in cut:
            place = piece.index(token, place)
            placed.append((token, place))
            place += len(token)
        self._pieces[piece] = tuple(placed)
        return self._pieces[piece]

    def _is_known(self, text: str) -> bool:
        spelling = self._normalize(text) if self._normalize else text
        return fold(text) in self._lexicon.rows or self._id_of(spelling) != UNK

    def _close(
        self, text: str, numbers: Sequence[int], offsets: Sequence[int], opened: list[bool]
    ) -> None:
        """Leave alone what stands in addresses, code, names with @ or #, or beside digits."""
        stretches = [(m.start(), m.end()) for m in _STRETCHES.finditer(text) if is_code(m.group())]
        each = iter(stretches)
        start, end = next(each, (len(text) + 1, 0))
        for i, offset in enumerate(offsets):
            while offset >= end and start <= len(text):
                start, end = next(each, (len(text) + 1, len(text) + 1))
            if start <= offset < end:
                opened[i] = False


@lru_cache(4096)
def _script(letter: str) -> str:
    """The script of a letter, as its name begins: LATIN, GREEK, CJK; empty for what is none."""
    return unicodedata.name(letter, "").partition(" ")[0] if letter.isalpha() else ""


def _scripts_of(lexicon: Lexicon) -> frozenset[str]:
    """The scripts that the likeliest words of ``lexicon`` are written in. A word with
    letters of another one is of another language, and is no typing error. Marks have no script."""
    counts: Counter[str] = Counter()
    for letter, count in Counter("".join(lexicon.words[:LIKELIEST])).items():
        counts[_script(letter)] += count
    del counts[""]
    return frozenset(["", *(name for name, n in counts.items() if n > FEW * counts.total())])


def is_code(chunk: str) -> bool:
    """Whether a stretch of text is no prose."""
    if not _CODE.search(chunk):
        return False
    if _SURE_CODE.search(chunk):
        return True
    if "/" in chunk and (chunk.startswith("/") or chunk.count("/") > 1 or "." in chunk.strip(".")):
        return True
    return re.search(r"\w[.(]\w", chunk) is not None


def _shouts(text: str) -> bool:
    upper = sum(map(str.isupper, text))
    lower = sum(map(str.islower, text))
    return upper > 20 and upper > _SHOUTING * (upper + lower)


def dressed(word: str, pattern: int, like: str, only_capitalised: bool) -> str:
    """``word`` of the lexicon written like the typed ``like`` with its ``pattern``."""
    if "’" in like:
        word = word.replace("'", "’")
    if pattern == 2:
        return word.upper()
    if pattern == 1 or only_capitalised:
        return word[:1].upper() + word[1:]
    return word
