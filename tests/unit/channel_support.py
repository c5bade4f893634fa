"""All ways to type a string, one by one: what the channel's sums have to agree with.

Written against the process that `lmkit.channel.edits.counts` describes, letter by letter, with
dictionaries and recursion; it shares no code with the arrays that it checks, but for the
probabilities of single decisions.
"""

from __future__ import annotations

from collections.abc import Iterator

from lmkit.channel.edits.counts import CODE_POINTS
from lmkit.channel.edits.table import EditTable


class AllWays:
    """The ways of a table of edits, with `keep` for whole words."""

    def __init__(self, table: EditTable, keep: float = 0.0) -> None:
        self.table, self.keep = table, keep
        self.longer: dict[str, list[tuple[str, int]]] = {}
        for row, (y, x) in enumerate(zip(table.counts.intended, table.counts.typed, strict=True)):
            self.longer.setdefault(y, []).append((x, row))

    def total(self, typed: str, intended: str) -> float:
        return sum(self.ways(typed, intended))

    def best(self, typed: str, intended: str) -> float:
        return max(self.ways(typed, intended), default=0.0)

    def ways(self, typed: str, intended: str) -> Iterator[float]:
        """The probability of each way."""
        yield from self._words(typed, intended.split(" "))

    def _words(self, typed: str, words: list[str]) -> Iterator[float]:
        for cut in range(len(typed) + 1):
            for prob in self._word(typed[:cut], words[0]):
                if len(words) == 1:
                    if cut == len(typed):
                        yield prob
                    continue
                rest = typed[cut:]
                for after in self._words(rest, words[1:]):
                    yield prob * self.table.spaces[1] * after
                if rest:
                    space = self.table.at_space[self._number(rest[0])]
                    for after in self._words(rest[1:], words[1:]):
                        yield prob * space * after

    def _word(self, typed: str, word: str) -> Iterator[float]:
        if self.keep and typed == word:
            yield self.keep
        for prob in self._letters(typed, word, 0):
            yield (1 - self.keep) * prob

    def _number(self, letter: str) -> int:
        return self.table.letters.find(letter) + 1

    def _where(self, word: str, i: int, k: int) -> int:
        return 0 if i == 0 else 2 if i + k == len(word) else 1

    def _letters(self, typed: str, word: str, i: int) -> Iterator[float]:
        table = self.table
        place = 2 if i == len(word) else 0 if i == 0 else 1
        if typed:
            inserted = table.insert[place, self._number(typed[0])]
            for after in self._letters(typed[1:], word, i):
                yield inserted * after
        if i == len(word):
            if not typed:
                yield table.stop
            return
        left = table.on[place]
        for k in (4, 3, 2, 1):
            y = word[i : i + k]
            if len(y) < k:
                continue
            where = self._where(word, i, k)
            for x, row in self.longer.get(y, ()):
                if typed.startswith(x):
                    for after in self._letters(typed[len(x) :], word, i + k):
                        yield left * table.longer[row, where] * after
            if k > 1 and y in table.substrings:
                left *= table.passes[table.substrings.index(y), where]
            if k == 2 and y[0] != y[1]:
                if typed.startswith(y[::-1]):
                    for after in self._letters(typed[2:], word, i + 2):
                        yield left * table.swap[where] * after
                left *= 1 - table.swap[where]
        where, a = self._where(word, i, 1), self._number(word[i])
        for after in self._letters(typed, word, i + 1):
            yield left * table.delete[where, a] * after
        if typed:
            strange = a == 0 and typed[0] == word[i]
            one = table.same[where] if strange else table.single[where, a, self._number(typed[0])]
            for after in self._letters(typed[1:], word, i + 1):
                yield left * one * after


def strange_letters(table: EditTable) -> int:
    """How many letters share the number 0, all alike."""
    return CODE_POINTS - table.A
