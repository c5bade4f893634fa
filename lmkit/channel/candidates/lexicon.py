"""The words that a correction may choose from, and what each is worth without its context.

Words are *folded*: lower case, NFC, straight apostrophes. A lexicon joins the vocabulary of the
source model, a word list with or without counts, and a personal dictionary. ``N`` is the number of
its words; they are sorted by their prior, the likeliest first.

The price of a word in context is

    p(w | h) = (1 - mix) p_source(w | h) + mix p_list(w),

where for a word that the source does not know p_source(w | h) = p(<unk> | h) p(w | <unk>), and
p(w | <unk>) is itself mixed: of the word list's counts over the words that the source lacks, of the
personal dictionary, and of the source's spelling model of unknown words, which covers all strings.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.candidates.wordtable import WordTable
from lmkit.errors import TextError
from lmkit.model import UNK, LanguageModel
from lmkit.text.reading import read_lines

LONGEST = 40
"""Longer words are never candidates, and are left alone when typed."""
MIX = 0.2
"""Weight of the word list's own distribution, beside the source."""
UNKNOWN_SHARES = {"list": 0.5, "dictionary": 0.2, "spelling": 0.3}
"""What an unknown word is, where all of these are there."""
CERTAIN = 10
"""A word that the source has so often is no typing error of its text."""
PATTERNS = ("lower", "title", "upper", "mixed")
"""How a word is capitalised; an index into `Lexicon.ids`."""


def fold(word: str) -> str:
    """``word`` as the lexicon has it."""
    word = word.lower().replace("’", "'")
    return word if word.isascii() else unicodedata.normalize("NFC", word)


def without_marks(word: str) -> str:
    """``word`` without its accents."""
    if word.isascii():
        return word
    marked = unicodedata.normalize("NFD", word)
    return "".join(c for c in marked if not unicodedata.combining(c)) or word


def pattern_of(word: str) -> int:
    """Index into `PATTERNS` of how ``word`` is written; a single capital is ``title``."""
    if word.islower() or not any(map(str.isupper, word)):
        return 0
    if word.isupper() and len(word) > 1:
        return 2
    return 1 if word[0].isupper() and word[1:].lower() == word[1:] else 3


def is_word(folded: str) -> bool:
    """Whether a folded string is spelt like a word: letters with their marks, inner apostrophes."""
    if folded.isalpha():
        return True
    letters = folded.strip("'").replace("'", "")
    return bool(letters) and (
        letters.isalpha() or all(unicodedata.category(c)[0] in "LM" for c in letters)
    )


def read_word_list(path: str | Path) -> dict[str, float]:
    """The words of a list, folded, with their counts: one a line, a count behind a tab or
    spaces, else 1. Counts of words that fold to one are added. What is not spelt like a word is
    passed over.

    Raises `TextError` where the file cannot be read or a count is negative.
    """
    counts: dict[str, float] = {}
    for number, line in enumerate(read_lines(path), 1):
        word, *rest = line.split()[:2] or [""]
        count = 1.0
        if rest:
            try:
                count = float(rest[0])
            except ValueError:
                count = 1.0
            if not 0 <= count < float("inf"):
                raise TextError(f"{path}, line {number}: the count {rest[0]} makes no sense")
        folded = fold(word)
        if len(folded) <= LONGEST and is_word(folded):
            counts[folded] = counts.get(folded, 0.0) + count
    return counts


@dataclass(frozen=True, slots=True)
class Lexicon:
    """``words`` [N], folded and distinct. ``log_prior`` [N]: log p(word) without context.
    ``ids`` [4, N]: the source's token for each pattern of capitalisation, 0 where it knows none.
    ``log_given_unknown`` [N]: log p(word | <unk>) from lists, -inf without; ``log_list`` [N]: log
    of ``mix`` times the list's probability, -inf without. ``spelling_share`` is what the spelling
    model has of the unknown words; ``capitals`` [N] says which words the source has only
    capitalised, ``certain`` [N] which are surely words, not errors of the text they are from.
    ``own`` are the words of the personal dictionary.
    """

    words: list[str]
    rows: dict[str, int]
    log_prior: NDArray[np.float64]
    ids: NDArray[np.int32]
    log_given_unknown: NDArray[np.float64]
    log_list: NDArray[np.float64]
    capitals: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    spelling_share: float
    mix: float
    own: frozenset[str]

    def __len__(self) -> int:
        return len(self.words)

    def table(self, most: int | None = None) -> WordTable:
        """The likeliest ``most`` words as arrays of letters."""
        return WordTable.of(self.words[:most])

    @classmethod
    def of(
        cls,
        source: LanguageModel,
        listed: Mapping[str, float] | None = None,
        dictionary: Iterable[str] = (),
        mix: float = MIX,
    ) -> Lexicon:
        """The lexicon of ``source``, a word list (folded words and counts) and a personal
        dictionary."""
        own = {fold(word.strip()) for word in dictionary}
        own = {word for word in own if len(word) <= LONGEST and is_word(word)}
        rows, ids, counts, capitals = _of_source(source)
        for word in (*(listed or {}), *sorted(own)):
            rows.setdefault(word, len(rows))
        words = list(rows)
        more = len(words) - len(counts)
        ids = np.pad(ids, ((0, 0), (0, more)))
        counts, capitals = np.pad(counts, (0, more)), np.pad(capitals, (0, more))
        listing = np.zeros(len(words))
        if listed:
            places = np.fromiter(map(rows.__getitem__, listed), np.int64, len(listed))
            listing[places] = np.fromiter(listed.values(), float, len(listed))
        is_own = np.zeros(len(words), bool)
        is_own[[rows[word] for word in own]] = True
        unlisted = np.where(ids[0] == UNK, listing, 0.0)
        shares = _shares(source, bool(unlisted.any()), bool(own))
        given_unknown = shares["list"] * _normalised(unlisted)
        given_unknown += shares["dictionary"] * _normalised(is_own * (ids[0] == UNK))
        of_list = _normalised(listing)
        mix = mix if listing.any() else 0.0
        floor = 0.1 / max(float(counts.sum()), 1e6)
        prior = (1 - mix) * _normalised(counts) + mix * of_list
        prior = np.maximum(prior, np.where(is_own, 10 * floor, floor))
        order = np.argsort(-prior, kind="stable")
        words = [words[i] for i in order.tolist()]
        with np.errstate(divide="ignore"):
            return cls(
                words,
                {word: row for row, word in enumerate(words)},
                np.log(prior[order]),
                np.ascontiguousarray(ids[:, order]),
                np.log(given_unknown)[order],
                np.log(mix * of_list)[order],
                capitals[order],
                ((counts >= CERTAIN) | is_own)[order],
                shares["spelling"],
                mix,
                frozenset(own),
            )


def _of_source(
    source: LanguageModel,
) -> tuple[dict[str, int], NDArray[np.int32], NDArray[np.float64], NDArray[np.bool_]]:
    """The source's words and their rows, their tokens [4, n], counts and whether they only
    stand there capitalised."""
    vocabulary = source.vocabulary
    tokens = list(vocabulary.tokens)
    rows: dict[str, int] = {}
    kept, row_of, patterns = [], [], []
    for number, token in enumerate(tokens[3:], 3):
        folded = token if token.islower() and token.isascii() else fold(token)
        if len(folded) <= LONGEST and is_word(folded):
            kept.append(number)
            row_of.append(rows.setdefault(folded, len(rows)))
            patterns.append(0 if folded is token else pattern_of(token))
    row, numbers = np.array(row_of, np.int64), np.array(kept, np.int32)
    weights = np.asarray(vocabulary.counts, float)
    if not weights[3:].any():
        weights = np.exp(source.next_log_probs(source.start(1))[0])
    counts = np.bincount(row, weights=weights[numbers], minlength=len(rows)).astype(float)
    best = np.zeros(len(rows), np.int32)
    rising = np.argsort(weights[numbers], kind="stable")
    best[row[rising]] = numbers[rising]
    ids = np.zeros((4, len(rows)), np.int32)
    ids[np.array(patterns, np.int64), row] = numbers
    capitals = (ids[0] == UNK) & (ids[1] != UNK)
    lower = np.where(ids[0] == UNK, best, ids[0])
    ids = np.where(ids == UNK, lower, ids)
    return rows, ids, counts, capitals


def _shares(source: LanguageModel, listed: bool, own: bool) -> dict[str, float]:
    """How the probability of unknown words is shared out."""
    spelt = source.encoder.spelling_log_probs(["a"]) is not None
    there = {"list": listed, "dictionary": own, "spelling": spelt}
    shares = {name: share * there[name] for name, share in UNKNOWN_SHARES.items()}
    total = sum(shares.values()) or 1.0
    return {name: share / total for name, share in shares.items()}


def _normalised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(weights.sum())
    return weights / total if total else weights
