"""Lines of text cut into tokens, with the ids of a vocabulary, and where in a line each token is.

`LineTokenizer` cuts blocks of lines in bulk, as a model reads them: normalized, and cut into words
first where the settings say so. `Spans` finds the place of each token in the line as it was given.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS
from lmkit.text.growing import GrowingArray
from lmkit.text.lexicon import SpecialTokenError
from lmkit.text.reading import LineBlock, TextChunk
from lmkit.text.segmentation import without_marks
from lmkit.text.settings import TextSettings
from lmkit.text.stream import TokenStream
from lmkit.text.tokenizers.base import Tokenizer

MOST_TOKENS_KEPT = 2_000_000
NO_ID = -1
_LINE_END = re.compile(" ?\n ?")


class Numbered(Protocol):
    """A vocabulary, as far as ids go."""

    def ids_of(self, tokens: Sequence[str]) -> NDArray[np.int32]: ...


class OwnIds:
    """The ids that a tokenizer gives its tokens itself (`Tokenizer.own_ids`), `NO_ID` to those that
    have none."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokens, ids = tokenizer.vocabulary or (), tokenizer.own_ids
        self._unknown = NO_ID if tokenizer.unknown_id is None else tokenizer.unknown_id
        self._ids = dict(zip(tokens, ids, strict=True))

    def ids_of(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """The id of each of ``tokens`` [n]."""
        ids, unknown = self._ids, self._unknown
        return np.array([ids.get(token, unknown) for token in tokens], np.int32)


@dataclass(frozen=True, slots=True)
class TokenizedLines:
    """A block of lines [S] with their tokens.

    ``numbers`` [n] are places in ``tokens`` (spellings) and ``ids``, which are those of all lines
    so far; 2 ends a line. ``ids`` is None where there is no vocabulary.
    """

    lines: Sequence[str]
    numbers: NDArray[np.int32]
    tokens: list[str]
    ids: NDArray[np.int32] | None

    def counts(self) -> NDArray[np.int64]:
        """How many tokens each line has: [S]."""
        return np.diff(np.flatnonzero(self.numbers == EOS), prepend=-1) - 1

    def __iter__(self) -> Iterator[tuple[str, list[int]]]:
        """Each line with the numbers of its tokens."""
        stops = [-1, *np.flatnonzero(self.numbers == EOS).tolist()]
        numbers = self.numbers.tolist()
        for line, (before, stop) in zip(self.lines, pairwise(stops), strict=True):
            yield line, numbers[before + 1 : stop]

    def joined(self, spellings: list[str]) -> str:
        """The lines, with ``spellings`` (of each number) and single spaces between them."""
        text = " ".join(map(spellings.__getitem__, self.numbers.tolist()))
        return _LINE_END.sub("\n", text)


class LineTokenizer:
    """Cuts lines into tokens as ``settings`` say; each line is a sentence. ``vocabulary`` gives
    the ids, if there are any."""

    def __init__(self, settings: TextSettings, vocabulary: Numbered | None = None) -> None:
        self.settings = replace(settings, segment="line")
        self._vocabulary = vocabulary
        self._begin()

    def _begin(self) -> None:
        self._stream = TokenStream(self.settings)
        self._ids = GrowingArray(np.int32)

    def __call__(self, lines: Sequence[str]) -> TokenizedLines:
        """Raises `SpecialTokenError` for a literal ``<s>`` where the settings want that."""
        data = "".join([f"{line}\n" for line in lines]).encode(errors="surrogateescape")
        if self.settings.special_tokens == "drop":
            data = without_marks(data, b" ")
        lexicon = self._stream.lexicon
        if len(lexicon) > MOST_TOKENS_KEPT:
            self._begin()
            lexicon = self._stream.lexicon
        try:
            numbers = self._stream.numbers(data)
        except SpecialTokenError as error:
            source, first = "", 1
            if isinstance(lines, LineBlock):
                source, first = lines.source, lines.first_line
            raise self._stream.located(error, TextChunk(data, source, first)) from None
        ids = None
        if self._vocabulary is not None:
            self._ids.extend(self._vocabulary.ids_of(lexicon.tokens[len(self._ids) :]))
            ids = self._ids.values
        return TokenizedLines(lines, numbers, lexicon.tokens, ids)


Span = tuple[int, int, int, int]
"""Where a token is in its line: the code points from the first to behind the last, and so the
bytes (of UTF-8, or those that stood in the file)."""


class Spans:
    """Finds where the tokens of lines are. A token that is a part of a character has the whole one
    as its code points."""

    def __init__(self, settings: TextSettings) -> None:
        self._tokenizer = settings.tokenizer
        self._normalize = settings.make_normalizer()
        self._changed = settings.pre_tokenizer is not None
        self._sizes: dict[str, int] = {}

    def of(self, line: str, tokens: Sequence[str]) -> list[Span | None]:
        """The span of each of ``tokens``, which are those of ``line``; None where that cannot be
        told, as the text was changed before it was cut, or a token is spelt otherwise there."""
        if self._changed:
            return [None] * len(tokens)
        text = line if self._normalize is None else self._normalize(line)
        found = self._by_bytes(text, tokens) if self._tokenizer.keeps_spaces else None
        if found is None:
            found = _by_search(text, [self._searched(token) for token in tokens])
        if text == line:
            return list(found)
        origin = self._origins(line, text)
        if origin is None:
            return [None] * len(tokens)
        return _placed(line, found, *origin)

    def _searched(self, token: str) -> str:
        """The letters of a token without the marks that subwords of other programs have."""
        if self._tokenizer.unit != "subword":
            return token
        return token.removeprefix("##").replace("▁", "").removesuffix("</w>") or token

    def _by_bytes(self, text: str, tokens: Sequence[str]) -> list[Span | None] | None:
        """Tokens that are all of the text, one behind the other; None where they are not."""
        sizes = self._sizes
        for token in {token for token in tokens if token not in sizes}:
            sizes[token] = len(self._tokenizer.bytes_of(token))
        ends = list(accumulate(map(sizes.__getitem__, tokens), initial=0))
        starts = _byte_starts(text)
        if ends[-1] != starts[-1]:
            return None
        return [
            (bisect_right(starts, low) - 1, bisect_left(starts, high), low, high)
            for low, high in pairwise(ends)
        ]

    def _origins(self, line: str, text: str) -> tuple[list[int], list[int]] | None:
        """For each code point of ``text``, to which ``line`` was normalized, the first code point
        of ``line`` that it is made of, and the one behind the last."""
        import regex  # type: ignore[import-untyped, unused-ignore]

        assert self._normalize is not None
        firsts: list[int] = []
        behind: list[int] = []
        made: list[str] = []
        place = 0
        # What normalization joins or turns round is within a grapheme.
        for grapheme in regex.findall(r"\X", line):
            new = self._normalize(grapheme)
            made.append(new)
            same = len(new) == len(grapheme)
            stop = place + len(grapheme)
            firsts += range(place, stop) if same else [place] * len(new)
            behind += range(place + 1, stop + 1) if same else [stop] * len(new)
            place = stop
        # Lower case looks at neighbours (a final sigma), but no letter gets longer by them.
        return (firsts, behind) if len(firsts) == len(text) else None


def _by_search(text: str, tokens: Sequence[str]) -> list[Span | None]:
    """Tokens that stand in the text, in this order, with white space between them; some may be in
    lower case."""
    starts = _byte_starts(text)
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join([one if len(one.lower()) > 1 else one.lower() for one in text])
    spans: list[Span | None] = []
    place, lost = 0, False
    for token in tokens:
        first = text.find(token, place)
        if first < 0 or (between := text[place:first].replace("\0", " ").strip()):
            first = lower.find(token, place)
            between = "" if first < 0 else text[place:first].replace("\0", " ").strip()
        if first < 0 or (between and not lost):
            spans.append(None)
            lost = True
            continue
        place, lost = first + len(token), False
        spans.append((first, place, starts[first], starts[place]))
    return spans


def _placed(
    line: str, spans: Sequence[Span | None], firsts: list[int], behind: list[int]
) -> list[Span | None]:
    starts = _byte_starts(line)
    placed: list[Span | None] = []
    for span in spans:
        if span is None or span[0] >= span[1]:
            placed.append(None)
            continue
        low, high = firsts[span[0]], behind[span[1] - 1]
        placed.append((low, high, starts[low], starts[high]))
    return placed


def _byte_starts(text: str) -> Sequence[int]:
    """At which byte each code point of ``text`` [n] begins, and where they end: [n + 1]."""
    if text.isascii():
        return range(len(text) + 1)
    sizes = (len(letter.encode(errors="surrogateescape")) for letter in text)
    return list(accumulate(sizes, initial=0))
