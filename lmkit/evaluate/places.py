"""Where the tokens of a block of lines stand in these lines, and in which of their words.

A word is what stands between white space (Unicode's, and NUL), whatever the model's tokens are, so
that the rows of two models can be joined by their words. White space counts with the word that it
comes before, as the space in a token such as `` the`` does; at the end of a line it counts with
``</s>``. A token that goes over several words counts with the first.

What a model reads may differ from the line: in case, normalization and white space. So places are
found by counting: the n-th code point that is read is the n-th of the line. Tokenizers that
keep spaces are counted with them, others without. ``T`` is the number of tokens, ``S`` of
lines, ``W`` of words; places in the text count from the first character of the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS, Batch, LanguageModel

_SPACES = np.array([chr(point).isspace() or not point for point in range(0x3002)])
"""White space by code point; no code point from 0x3001 on is any."""
_ASCII_SPACES = _SPACES & (np.arange(len(_SPACES)) < 0x80)
_MARKS = re.compile("</?s>")


@dataclass(frozen=True, slots=True)
class Places:
    """``first`` and ``last`` [T]: where a token begins and ends in its line. ``line`` [T]: the
    index of that. ``word`` [T]: the index of its word, -1 for what belongs to the end of a line.
    ``blank`` [T]: whether it is white space only. ``word_first``, ``word_last``, ``word_line`` [W]
    are the same of the words."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    line: NDArray[np.int64]
    word: NDArray[np.int64]
    blank: NDArray[np.bool_]
    word_first: NDArray[np.int64]
    word_last: NDArray[np.int64]
    word_line: NDArray[np.int64]


class TokenTexts:
    """What each token of ``model`` is as text, and how many code points of a line it takes."""

    def __init__(self, model: LanguageModel, settings: Any) -> None:
        self.settings = settings
        self.tokenizer = settings.tokenizer
        self.keeps_spaces = bool(self.tokenizer.keeps_spaces)
        self.exact = (
            self.keeps_spaces
            and settings.pre_tokenizer is None
            and settings.segment == "line"
            and settings.special_tokens != "drop"
        )
        """Whether a line can be counted with its spaces."""
        words = settings.pre_tokenizer or self.tokenizer
        self.uncounted = _SPACES if words.name == "word" else _ASCII_SPACES
        """Else, what is not counted, by code point: white space of Unicode is bytes to a tokenizer
        of bytes, and a letter to `whitespace`."""
        self._tokens = model.vocabulary.tokens

    def text(self, token: str) -> str:
        """The text of one token: its own, or what a learnt one stands for."""
        return self.tokenizer.join([token]) if self.keeps_spaces else token

    def spaces(self, text: str) -> NDArray[np.bool_]:
        """Which code points of ``text`` are white space that is not counted."""
        return _found(self.uncounted, _points(text))

    def begins_with_space(self) -> NDArray[np.bool_]:
        """[V]: whether a token begins with white space, so that it ends the word before it."""
        found = [self.text(token)[:1] for token in self._tokens]
        return np.array([first.isspace() or first == "\0" for first in found])

    def facts(self, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Of each token [T]: the code points that begin in it (without white space unless
        `exact`), whether it is white space only, and whether no code point begins in it."""
        distinct, inverse = np.unique(batch.ids, return_inverse=True)
        by_id = self._of([self._tokens[number] for number in distinct.tolist()])
        by_id[0][distinct == EOS] = 0
        by_id[1][distinct == EOS] = False
        by_id[2][distinct == EOS] = False
        facts = [values[inverse] for values in by_id]
        unknown = batch.unknown
        if unknown is not None:
            spelt = self._of(unknown.spellings)
            for values, own in zip(facts, spelt, strict=True):
                values[unknown.positions] = own[unknown.types]
        return facts[0], facts[1], facts[2]

    def _of(self, tokens: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        texts = [self.text(token) for token in tokens]
        lengths = np.array([len(text) for text in texts], np.int64)
        spaces = np.array([self.spaces(text).sum() for text in texts], np.int64)
        blank = np.array([text != "" and all(map(_is_space, text)) for text in texts], bool)
        widths = lengths
        if self.keeps_spaces:
            widths = self.tokenizer.widths(tokens).astype(np.int64)
        inside = widths == 0
        return (widths if self.exact else np.maximum(widths - spaces, 0)), blank, inside


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _found(table: NDArray[np.bool_], points: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return table[np.minimum(points, len(table) - 1)]


def _is_space(letter: str) -> bool:
    return letter.isspace() or letter == "\0"


def places(
    texts: TokenTexts,
    lines: Sequence[str],
    batch: Batch,
    tokens: NDArray[np.int64],
) -> Places:
    """Where the tokens of ``batch`` stand in ``lines``, which have ``tokens`` [S] of them."""
    block = "\n".join([line.replace("\n", " ") for line in lines]) + "\n"
    if texts.settings.special_tokens == "drop":
        block = _MARKS.sub(lambda mark: " " * len(mark[0]), block)
    points = _points(block)
    space = _found(_SPACES, points)
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    begins = np.cumsum(lengths + 1) - lengths - 1

    before = np.concatenate(([True], space[:-1]))
    word_first = np.flatnonzero(before & ~space)
    word_last = np.flatnonzero(~before & space)
    word_line = np.searchsorted(begins, word_first, side="right") - 1

    kept = ~_found(texts.uncounted, points) | texts.exact
    kept[begins + lengths] = False
    widths, blank, inside = texts.facts(batch)
    is_end = batch.ids == EOS
    if texts.settings.segment == "line":
        line = np.repeat(np.arange(len(lines)), tokens)
        units = _units(lines, begins, kept, _sums(widths, tokens), texts.settings)
        early = is_end & np.append(np.diff(line) == 0, False)
        first, last = _counted(units, tokens, widths, inside, early)
    else:
        # A sentence may go over lines, and a token over the end of one: all is one line here.
        everything = np.array([len(widths)])
        read = _sums(widths, everything)
        units = _units([block[:-1]], np.zeros(1, np.int64), kept, read, texts.settings)
        first, last = _counted(units, everything, widths, inside, is_end)
        line = np.searchsorted(begins, first, side="right") - 1
    word = np.searchsorted(word_last, first, side="right")
    inner = word < len(word_first)
    inner[inner] = word_line[word[inner]] == line[inner]
    word[~inner | is_end] = -1
    shift = begins[line]
    return Places(
        first - shift,
        np.minimum(last, (begins + lengths)[line]) - shift,
        line,
        word,
        blank,
        word_first - begins[word_line],
        word_last - begins[word_line],
        word_line,
    )


def _sums(widths: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the ``tokens`` [S] of each line have together."""
    found = np.zeros(len(tokens), np.int64)
    np.add.at(found, np.repeat(np.arange(len(tokens)), tokens), widths)
    return found


@dataclass(frozen=True, slots=True)
class _Units:
    """What is counted: ``first`` and ``last`` are where each code point begins and ends in the
    text. Those of a line are ``counts`` [S] from ``begins`` [S] on; ``start`` and ``stop`` [S] are
    where the line begins and ends itself."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    begins: NDArray[np.int64]
    counts: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]


def _counted(
    units: _Units,
    tokens: NDArray[np.int64],
    widths: NDArray[np.int64],
    inside: NDArray[np.bool_],
    early: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the tokens [T] begin and end, counted in each line by itself. Those ``early`` are the
    ends of sentences that may end before their line does."""
    line = np.repeat(np.arange(len(tokens)), tokens)
    behind = np.cumsum(widths)
    own = np.concatenate(([0], behind))[np.cumsum(tokens) - tokens][line]
    behind, ahead = behind - own, behind - own - widths

    def place(count: NDArray[np.int64], edge: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ``edge`` of the ``count``-th unit [T] of each token's line, or the line's end."""
        inner = count < units.counts[line]
        found = units.stop[line]
        found[inner] = edge[(units.begins[line] + count)[inner]]
        return found

    first = place(ahead - (inside & (ahead > 0)), units.first)
    last = place(np.maximum(behind - 1, 0), units.last)
    first[early] = np.where(behind[early] > 0, last[early], units.start[line[early]])
    last = np.where(widths > 0, last, first)
    return first, np.maximum(last, first)


def _units(
    lines: Sequence[str],
    begins: NDArray[np.int64],
    kept: NDArray[np.bool_],
    read: NDArray[np.int64],
    settings: Any,
) -> _Units:
    """What is counted in ``lines``. A line of which another number is ``read`` is counted as it is
    normalized."""
    stop = begins + np.fromiter(map(len, lines), np.int64, len(lines))
    units = np.flatnonzero(kept)
    own = np.searchsorted(units, begins)
    counts = np.searchsorted(units, stop) - own
    other = np.flatnonzero(counts != read)
    normalize = settings.make_normalizer()
    if not len(other) or normalize is None:
        return _Units(units, units + 1, own, counts, begins, stop)
    parts = np.split(np.stack((units, units + 1)), own[1:], axis=1)
    for index in other.tolist():
        start = int(begins[index])
        found = _normalized(lines[index], kept[start : int(stop[index])], normalize)
        parts[index] = start + np.array(found, np.int64).reshape(-1, 2).T
    counts = np.array([part.shape[1] for part in parts], np.int64)
    first, last = np.concatenate(parts, axis=1)
    return _Units(first, last, np.cumsum(counts) - counts, counts, begins, stop)


def _normalized(
    line: str, kept: NDArray[np.bool_], normalize: Callable[[str], str]
) -> list[tuple[int, int]]:
    """Where in ``line`` each code point begins and ends that ``normalize`` makes of those that are
    ``kept``. What combines is normalized as one, so a grapheme cluster is one place."""
    found = []
    for start, cluster in _clusters(line):
        if kept[start]:
            found += [(start, start + len(cluster))] * len(normalize(cluster))
    return found


def _clusters(line: str) -> Iterator[tuple[int, str]]:
    import regex  # type: ignore[import-untyped, unused-ignore]

    return ((match.start(), match[0]) for match in regex.finditer(r"\X", line))
