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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.model import EOS, Batch, LanguageModel

_WIDEST = 0x3001
_SPACES = np.array([chr(point).isspace() or not point for point in range(_WIDEST)])
"""White space by code point; no other code point above is any."""


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
        self._tokens = model.vocabulary.tokens

    def text(self, token: str) -> str:
        """The text of one token: its own, or what a learnt one stands for."""
        return self.tokenizer.join([token]) if self.keeps_spaces else token

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
        spaces = np.array([sum(map(_is_space, text)) for text in texts], np.int64)
        lengths = np.array([len(text) for text in texts], np.int64)
        blank = (spaces == lengths) & (lengths > 0)
        widths = lengths
        if self.keeps_spaces:
            widths = self.tokenizer.widths(tokens).astype(np.int64)
        inside = widths == 0
        return (widths if self.exact else np.maximum(widths - spaces, 0)), blank, inside


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
    points = np.frombuffer(block.encode("utf-32-le", "surrogatepass"), np.uint32)
    space = np.zeros(len(points), bool)
    low = points < _WIDEST
    space[low] = _SPACES[points[low]]
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    begins = np.cumsum(lengths + 1) - lengths - 1

    before = np.concatenate(([True], space[:-1]))
    word_first = np.flatnonzero(before & ~space)
    word_last = np.flatnonzero(~before & space)
    word_line = np.searchsorted(begins, word_first, side="right") - 1

    line = np.repeat(np.arange(len(lines)), tokens)
    widths, blank, inside = texts.facts(batch)
    starts = np.cumsum(tokens) - tokens
    behind = np.cumsum(widths)
    own = np.concatenate(([0], behind))[starts][line]
    behind, ahead = behind - own, behind - own - widths

    kept = np.ones(len(points), bool) if texts.exact else ~space
    kept[begins + lengths] = False
    read = np.zeros(len(lines), np.int64)
    np.add.at(read, line, widths)
    units = _units(lines, begins, lengths, kept, read, texts.settings)

    def place(count: NDArray[np.int64], edge: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ``edge`` of the ``count``-th unit [T] of each token's line, or the line's end."""
        inner = count < units.counts[line]
        found = (begins + lengths)[line]
        found[inner] = edge[(units.begins[line] + count)[inner]]
        return found

    first = place(ahead - (inside & (ahead > 0)), units.first)
    last = np.where(widths > 0, place(np.maximum(behind - 1, 0), units.last), first)
    last = np.minimum(np.maximum(last, first), (begins + lengths)[line])
    is_end = batch.ids == EOS
    word = np.searchsorted(word_last, first, side="right")
    inner = word < len(word_first)
    inner[inner] = word_line[word[inner]] == line[inner]
    word[~inner | is_end] = -1
    shift = begins[line]
    return Places(
        first - shift,
        last - shift,
        line,
        word,
        blank,
        word_first - begins[word_line],
        word_last - begins[word_line],
        word_line,
    )


@dataclass(frozen=True, slots=True)
class _Units:
    """``first`` and ``last``: where in the text each code point that is counted begins and ends.
    Those of a line are the ``counts`` [S] from ``begins`` [S] on."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    begins: NDArray[np.int64]
    counts: NDArray[np.int64]


def _units(
    lines: Sequence[str],
    begins: NDArray[np.int64],
    lengths: NDArray[np.int64],
    kept: NDArray[np.bool_],
    read: NDArray[np.int64],
    settings: Any,
) -> _Units:
    """What is counted in ``lines``. A line of which another number is ``read`` is counted as it is
    normalized."""
    units = np.flatnonzero(kept)
    own = np.searchsorted(units, begins)
    counts = np.searchsorted(units, begins + lengths) - own
    other = np.flatnonzero(counts != read)
    normalize = settings.make_normalizer()
    if not len(other) or normalize is None:
        return _Units(units, units + 1, own, counts)
    parts = np.split(np.stack((units, units + 1)), own[1:], axis=1)
    for index in other.tolist():
        start, length = int(begins[index]), int(lengths[index])
        found = _normalized(lines[index], kept[start : start + length], normalize)
        parts[index] = start + np.array(found, np.int64).reshape(-1, 2).T
    counts = np.array([part.shape[1] for part in parts], np.int64)
    first, last = np.concatenate(parts, axis=1)
    return _Units(first, last, np.cumsum(counts) - counts, counts)


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
