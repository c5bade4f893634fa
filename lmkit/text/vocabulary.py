"""The tokens that a model knows, their ids and counts.

Ids: ``<unk>`` 0, ``<s>`` 1, ``</s>`` 2, then the words in the order in which they were
first seen. ``V`` is the number of all of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError
from lmkit.model import BOS, EOS, UNK
from lmkit.text.reading import Source, read_lines, source_name
from lmkit.text.wordlists import entries, form_of

SPECIAL = ("<unk>", "<s>", "</s>")


class Vocabulary:
    """Tokens and their ids.

    ``tokens`` [V] begins with the three special ones; ``counts`` [V] is how often each
    stood in the text (``<s>`` and ``</s>``: once a sentence; ``<unk>``: a literal one, or
    a word that a limit left out). ``limited`` says that words of the text were left out
    on purpose, so that more text does not add any.
    """

    def __init__(
        self, tokens: list[str], counts: NDArray[np.int64] | None = None, limited: bool = False
    ) -> None:
        self.tokens = tokens
        self.counts = np.zeros(len(tokens), np.int64) if counts is None else counts
        self.limited = limited
        self._ids: dict[str, int] | None = None
        self._sorted: list[str] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._index()

    def id_of(self, token: str) -> int:
        """The id of ``token``; 0 where it is unknown."""
        return self._index().get(token, UNK)

    def ids_of(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """The ids of ``tokens`` [n]: [n]; 0 for unknown ones."""
        return np.fromiter(map(self._index().get, tokens, repeat(UNK)), np.int32, len(tokens))

    def beginning_with(self, prefix: str) -> dict[str, int]:
        """The tokens that begin with ``prefix`` and their ids, in alphabetical order."""
        if self._sorted is None:
            self._sorted = sorted(self.tokens)
        start = stop = bisect_left(self._sorted, prefix)
        while stop < len(self._sorted) and self._sorted[stop].startswith(prefix):
            stop += 1
        return {token: self._index()[token] for token in self._sorted[start:stop]}

    def _index(self) -> dict[str, int]:
        if self._ids is None:
            self._ids = {token: number for number, token in enumerate(self.tokens)}
        return self._ids


def read_vocabulary(source: Source, errors: str = "strict") -> list[str]:
    """The words of a word list (`lmkit.text.wordlists` says of which forms); counts say nothing
    here. ``errors`` is what bytes do that are not of its encoding.

    Empty lines, words given before, and ``<unk>``, ``<s>``, ``</s>`` are passed over.
    Raises `TextError` where the file cannot be read, or is no such list.
    """
    lines, name = list(read_lines(source, errors)), source_name(source)
    words = (word for _, word, _ in entries(lines, form_of(lines, name), name))
    return [word for word in dict.fromkeys(words) if word and word not in SPECIAL]


def build_vocabulary(
    tokens: Sequence[str],
    counts: NDArray[np.int64],
    *,
    min_count: int = 1,
    vocabulary_size: int | None = None,
    words: Iterable[str] | None = None,
    base: Vocabulary | None = None,
) -> tuple[Vocabulary, NDArray[np.int32] | None]:
    """The vocabulary of a text whose distinct ``tokens`` [n] (the three special ones first,
    the others in the order first seen, a token possibly twice) stand in it ``counts`` [n]
    times.

    At most one of these limits it: ``min_count`` and ``vocabulary_size`` (the most
    frequent words beside the special ones; of equal ones the first seen), the list
    ``words``, or ``base``, which is extended if it is whole and kept if it is limited.

    Returns the vocabulary, its counts those of this text, and the id of each of
    ``tokens`` [n], or None where they are 0, 1, 2, ... already.
    """
    _check(min_count, vocabulary_size, words, base)
    limited = True
    if base is not None:
        known = list(base.tokens)
        if not base.limited:
            is_new = base.ids_of(tokens) == UNK
            is_new[:3] = False
            known += dict.fromkeys(
                tokens[i] for i in np.flatnonzero(is_new).tolist() if tokens[i] != "<unk>"
            )
            limited = False
    elif words is not None:
        known = [*SPECIAL, *(w for w in dict.fromkeys(words) if w and w not in SPECIAL)]
    elif min_count > 1 or vocabulary_size is not None:
        known = [tokens[i] for i in _most_frequent(counts, min_count, vocabulary_size)]
    else:
        known = list(dict.fromkeys(tokens))
        limited = False
    vocabulary = Vocabulary(known, limited=limited)
    if len(known) == len(tokens) and known == list(tokens):
        vocabulary.counts = _with_sentences(counts.astype(np.int64))
        return vocabulary, None
    ids = vocabulary.ids_of(tokens)
    totals = np.zeros(len(known), np.int64)
    np.add.at(totals, ids, counts)
    vocabulary.counts = _with_sentences(totals)
    return vocabulary, ids


def _check(
    min_count: int,
    vocabulary_size: int | None,
    words: Iterable[str] | None,
    base: Vocabulary | None,
) -> None:
    if min_count < 1:
        raise UsageError(f"min-count must be at least 1, not {min_count}")
    if vocabulary_size is not None and vocabulary_size < 0:
        raise UsageError(f"vocabulary-size must be at least 0, not {vocabulary_size}")
    counted = min_count > 1 or vocabulary_size is not None
    if counted + (words is not None) + (base is not None) > 1:
        raise UsageError(
            "a vocabulary is limited by counts (min-count, vocabulary-size), by a word list,"
            " or by the model that text is added to, but not by two of these",
            "leaving one of them out",
        )


def _most_frequent(counts: NDArray[np.int64], min_count: int, size: int | None) -> list[int]:
    """Indices of the words that stay, the special ones among them, in ascending order."""
    words = np.flatnonzero(counts[3:] >= min_count) + 3
    if size is not None:
        words = np.sort(words[np.argsort(-counts[words], kind="stable")[:size]])
    return [UNK, BOS, EOS, *words.tolist()]


def _with_sentences(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    counts[BOS] = counts[EOS]
    return counts
