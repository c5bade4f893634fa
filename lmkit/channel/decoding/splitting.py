"""Words put apart: spaces for text that has lost them, and no other change.

A noisy channel of its own, which drops spaces and nothing else: what may have been meant is every
way to cut the text into words, and the source model says which is likeliest. The lattice has a
node between any two letters that a space may stand between; its arcs are words of the lexicon, and
stretches of letters that may be unknown words. Ways that are hopeless by the priors of single
words alone are left out before the search (a forward and a backward pass over each stretch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import regex  # type: ignore[import-untyped, unused-ignore]

from lmkit.channel.candidates.folding import fold, pattern_of
from lmkit.channel.corrections import Change, Correction
from lmkit.channel.decoding.changes import corrected
from lmkit.channel.decoding.lattice import CHANGED, Arcs, Lattice
from lmkit.model import EOS, UNK
from lmkit.text.tokenizers.word import WordTokenizer

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector

LONGEST_WORD = 24
UNKNOWN_WORD, UNKNOWN_LETTER = -8.0, -2.4
"""Crude price (log) of an unknown word, and of each of its letters, before the search."""
NEW_WORD = 2.5
"""Added to the price of an unknown word: runs of letters that have lost their spaces are often
names, and short junk of a list would fit any of them."""
LISTED = (0.0, 0.0, 0.0, -12.5, -14.5, -16.0, -100.0)
"""What a word of 0, 1, ... letters must be worth that only the word list has: any name can be cut
into the junk of a long list."""
LETTER = -6.5
"""What a single small letter must be worth that is a word."""
MIXED = -6.0
"""Price (log) of a capital inside a word that is not all in capitals."""
HOPELESS = 12.0
LONGEST_STRETCH = 400
"""Longer stretches without a space are cut there, so that work is bounded."""
_WHOLE = regex.compile(r"[@#\\_/]|^www\.|^(?:\p{L}\.){2,}$")
"""Tokens with these are addresses, code or abbreviations: not cut."""
_RUNS = regex.compile(
    r"\d+(?:[.,]\d+)*(?:st|nd|rd|th|s(?!\p{L}))?|[-‐‑]+|[\p{L}\p{M}'’]+|.", regex.S
)


@dataclass(slots=True)
class _Words:
    """Arcs under construction, all of one length, and the tokens' places in their line."""

    source: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    token: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    begin: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    spelling: list[str] = field(default_factory=list)

    def add(
        self, nodes: tuple[int, int], token: int, row: int, cost: float, begin: int, text: str
    ) -> None:
        self.source.append(nodes[0])
        self.target.append(nodes[1])
        self.token.append(token)
        self.row.append(row)
        self.cost.append(cost)
        self.begin.append(begin)
        self.end.append(begin + len(text))
        self.spelling.append(text)


class Splitter:
    """Puts spaces into lines with the source and lexicon of ``corrector``."""

    def __init__(self, corrector: Corrector) -> None:
        self._corrector = corrector
        self._lexicon = corrector.lexicon
        self._surface = corrector.surface
        self._tokenizer = WordTokenizer()
        self._prior = corrector.lexicon.log_prior.tolist()

    def split(self, lines: Sequence[str]) -> list[Correction]:
        """``lines``, with the spaces that they lack."""
        words = _Words()
        times: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        for line in lines:
            starts.append(len(times))
            times.append(0)
            self._read(line, words, times)
            words.add((len(times) - 1, len(times)), EOS, -1, 0.0, len(line), "")
            times.append(times[-1] + 1)
            ends.append(len(times) - 1)
        lattice = self._lattice(words, times, starts, ends)
        search = self._corrector.search(lattice)
        posterior = search.posteriors(len(lattice.arcs))
        begun = np.bincount(lattice.arcs.source, posterior, len(times))
        typed = lattice.arcs.typed
        return [
            self._line(
                line,
                [
                    (
                        words.begin[typed[a]],
                        words.end[typed[a]],
                        float(begun[lattice.arcs.source[a]]),
                    )
                    for a in search.path(number)[:-1]
                ],
            )
            for number, line in enumerate(lines)
        ]

    def _read(self, line: str, words: _Words, times: list[int]) -> None:
        """The arcs of ``line``, from its first node on."""
        place = 0
        for piece in self._tokenizer.tokenize(line):
            place = line.find(piece, place)
            whole = _WHOLE.search(piece) is not None or (len(piece) < 9 and piece.isupper())
            runs = [piece] if whole else _RUNS.findall(piece)
            begin = place
            for run in runs:
                if not whole and run[0].isalpha() and len(fold(run)) == len(run):
                    for cut in range(0, len(run), LONGEST_STRETCH):
                        self._stretch(run[cut : cut + LONGEST_STRETCH], begin + cut, words, times)
                else:
                    self._single(run, begin, words, times)
                begin += len(run)
            place += len(piece)

    def _single(self, text: str, begin: int, words: _Words, times: list[int]) -> None:
        """What is not cut further."""
        token = self._surface.tokens[self._surface.number(text)]
        node = len(times) - 1
        words.add((node, node + 1), token.source_id, token.row, 0.0, begin, text)
        times.append(times[-1] + len(text))

    def _stretch(self, text: str, begin: int, words: _Words, times: list[int]) -> None:
        """All promising ways to cut a stretch of letters."""
        found = self._promising(text)
        first, time = len(times) - 1, times[-1]
        times.extend(range(time + 1, time + len(text) + 1))
        for start, stop, row, cost in found:
            part = text[start:stop]
            number = self._lexicon.ids[pattern_of(part), row] if row >= 0 else UNK
            words.add((first + start, first + stop), int(number), row, cost, begin + start, part)

    def _promising(self, text: str) -> list[tuple[int, int, int, float]]:
        """(start, stop, row of the lexicon or -1, cost) of words that may be part of a likely
        way to cut ``text``, by the priors."""
        arcs = self._parts(text)
        size = len(text)
        ahead, behind = [-np.inf] * (size + 1), [-np.inf] * (size + 1)
        ahead[0] = behind[size] = 0.0
        for start, stop, _, price, _ in arcs:
            ahead[stop] = max(ahead[stop], ahead[start] + price)
        for start, stop, _, price, _ in reversed(arcs):
            behind[start] = max(behind[start], behind[stop] + price)
        least = ahead[size] - HOPELESS
        return [
            (start, stop, row, cost)
            for start, stop, row, price, cost in arcs
            if ahead[start] + price + behind[stop] >= least
        ]

    def _parts(self, text: str) -> list[tuple[int, int, int, float, float]]:
        """(start, stop, row, crude price, cost) of all parts that may be words, those that
        begin first in front."""
        rows, prior, ids = self._lexicon.rows, self._prior, self._lexicon.ids[0]
        folded = fold(text)
        capital = [c.isupper() for c in text]
        lower = [c.islower() for c in text]
        size = len(text)
        arcs = []
        for start in range(size):
            mixed = False
            for stop in range(start + 1, min(size, start + LONGEST_WORD) + 1):
                mixed = mixed or (stop - start > 1 and capital[stop - 1] and lower[stop - 2])
                row = rows.get(folded[start:stop], -1)
                if row < 0 and folded[start:stop].endswith("'s"):
                    row = rows.get(folded[start : stop - 2], -1)
                if row >= 0 and not ids[row] and prior[row] < LISTED[min(stop - start, 6)]:
                    row = -1
                if stop - start == 1 and row >= 0 and prior[row] < LETTER and not capital[start]:
                    row = -1
                cost = 0.0
                if mixed or (lower[stop - 1] and stop - start > 2 and capital[start + 1]):
                    cost = MIXED
                if row >= 0:
                    arcs.append((start, stop, row, prior[row] + cost, cost))
                elif not mixed and (stop - start > 1 or size == 1):
                    price = UNKNOWN_WORD + UNKNOWN_LETTER * (stop - start) + cost
                    arcs.append((start, stop, -1, price, cost))
                elif stop - start == 1:
                    arcs.append((start, stop, -1, 2 * UNKNOWN_WORD, UNKNOWN_WORD))
        return arcs

    def _lattice(
        self, words: _Words, times: list[int], starts: list[int], ends: list[int]
    ) -> Lattice:
        lexicon = self._lexicon
        row, token = np.array(words.row, np.int64), np.array(words.token, np.int64)
        unknown = np.where((row >= 0) & (token == UNK), lexicon.log_given_unknown[row], 0.0)
        spelt = np.flatnonzero((token == UNK) & ((row < 0) | ~np.isfinite(unknown)))
        spellings = [fold(words.spelling[i]) for i in spelt.tolist()]
        of_spelling = self._corrector.source.encoder.spelling_log_probs(spellings)
        if of_spelling is None:
            of_spelling = UNKNOWN_LETTER * np.array([len(s) for s in spellings], float)
        unknown[spelt] = of_spelling + np.log(max(lexicon.spelling_share, 1e-9)) + NEW_WORD
        log_list = np.where(row >= 0, lexicon.log_list[row], -np.inf)
        arcs = Arcs(
            np.array(words.source, np.int64),
            np.array(words.target, np.int64),
            token,
            np.zeros(len(row), np.int64),
            unknown,
            log_list,
            np.array(words.cost, float),
            np.full(len(row), CHANGED, np.int8),
            row,
            np.arange(len(row)),
        )
        return Lattice.of(
            np.array(times, np.int64), np.array(starts, np.int64), np.array(ends, np.int64), arcs
        )

    def _line(self, line: str, parts: list[tuple[int, int, float]]) -> Correction:
        """``line`` with spaces between ``parts`` (begin, end, posterior of the beginning) where
        people write them."""
        tokens: list[str] = []
        origin: list[tuple[int, float]] = []
        glued = False
        previous = -1
        for begin, end, posterior in parts:
            text = line[begin:end]
            hyphen = bool(tokens) and previous == begin and _is_inner(line, begin, end)
            if previous == begin and tokens and (glued or hyphen):
                tokens[-1] += text
            else:
                tokens.append(text)
                origin.append((begin, posterior))
            glued = hyphen and line[end : end + 1].isalnum()
            previous = end
        spaced = self._tokenizer.join(tokens)
        changes = []
        place = 0
        for text, (begin, posterior) in zip(tokens, origin, strict=True):
            here = spaced.find(text, place)
            if here > place and place and begin and not line[begin - 1].isspace():
                changes.append(Change(begin, 0, "", " ", posterior))
            place = here + len(text)
        return corrected(line, changes)


def _is_inner(line: str, begin: int, end: int) -> bool:
    """Whether what stands in ``line`` from ``begin`` to ``end`` is part of the word around it: a
    hyphen, a dash between digits, a quotation mark that ends the line."""
    text, before, behind = line[begin:end], line[:begin][-1:], line[end : end + 1]
    if text in ("-", "‐", "‑"):
        return before.isalnum() and behind.isalnum()
    if text == "–":
        return before.isdigit() and behind.isdigit()
    return text in ('"', "”") and not behind
