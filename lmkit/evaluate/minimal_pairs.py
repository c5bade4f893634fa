"""Minimal pairs: does a model think the good one of two sentences likelier than the bad one?

The format is that of BLiMP (Warstadt et al. 2020, "BLiMP: the benchmark of linguistic minimal pairs
for English"): a JSON object a line with ``sentence_good``, ``sentence_bad`` and a field that names
the group which a pair is of. A pair whose sentences are equally likely counts half.

``P`` is the number of pairs. Log-probabilities are natural logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import TextError, UsageError, one_line
from lmkit.evaluate.difference import spells
from lmkit.evaluate.documents import score_texts
from lmkit.evaluate.proportions import mean_limits, paired_limits, sign_test, wilson
from lmkit.evaluate.scoring import LineScorer
from lmkit.evaluate.significance import paired_permutation
from lmkit.model import LanguageModel
from lmkit.text.encodings import encoded
from lmkit.text.jsonlines import BadLineError, object_of, text_in
from lmkit.text.lexicon import SpecialTokenError
from lmkit.text.reading import Source, TextReader, iter_line_blocks

GOOD, BAD = "sentence_good", "sentence_bad"
GROUP = "UID"
"""The field of BLiMP that names the paradigm of a pair."""
Per = Literal["sentence", "token", "character"]
PER: tuple[Per, ...] = get_args(Per)
"""What the log-probability of a sentence is divided by: nothing, tokens, or characters."""
UNKNOWN_WORDS = ("spell", "token")
_BLOCK = 1_000
_TOLERANCE = 1e-12
"""What the order of a sum may change, of the sum."""


@dataclass(slots=True)
class Pairs:
    """Pairs of sentences. ``good``, ``bad`` and ``groups`` have an entry a pair, ``places`` the
    file and the number of its line."""

    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.good)


def read_pairs(
    files: Sequence[Source],
    *,
    group: str | None = None,
    encoding: str | None = None,
    errors: str = "strict",
) -> Pairs:
    """The pairs of all ``files``; a folder stands for the .jsonl files in it. ``group`` is the
    field that names the group of a pair; None is ``UID`` and, of a line without one, the name of
    its file. Empty lines are skipped.

    Raises `TextError`, with the file and the line, for a line that is not a pair, and where there
    is none at all.
    """
    pairs = Pairs()
    for file in chain.from_iterable(map(_inside, files)):
        reader = TextReader(encoded(file, encoding), errors)
        name = Path(reader.names[0]).name.partition(".")[0] or reader.names[0]
        for block in iter_line_blocks(reader):
            for number, line in enumerate(block, block.first_line):
                if line.isspace() or not line:
                    continue
                try:
                    _add(pairs, line.removeprefix("\ufeff"), group, name)
                except BadLineError as error:
                    raise TextError(
                        f"{block.source}, line {number}: {one_line(error)}",
                        f'a JSON object a line: {{"{GOOD}": …, "{BAD}": …, "{group or GROUP}": …}}',
                    ) from None
                pairs.places.append((block.source, number))
    if not len(pairs):
        raise TextError("there is no pair of sentences", "a file in the format of BLiMP")
    return pairs


def _inside(file: Source) -> list[Source]:
    if not isinstance(file, str | Path) or not Path(file).is_dir():
        return [file]
    inside: list[Source] = [*sorted(Path(file).glob("*.jsonl"))]
    if not inside:
        raise TextError(f"there is no .jsonl file in {file}", "another folder")
    return inside


def _add(pairs: Pairs, line: str, group: str | None, otherwise: str) -> None:
    found = object_of(line)
    good, bad = text_in(found, GOOD), text_in(found, BAD)
    for name, sentence in ((GOOD, good), (BAD, bad)):
        if not sentence.strip():
            raise BadLineError(f"the field {name!r} is empty")
    named = group is not None or GROUP in found
    pairs.groups.append(text_in(found, group or GROUP) if named else otherwise)
    pairs.good.append(good)
    pairs.bad.append(bad)


@dataclass(frozen=True, slots=True)
class PairScores:
    """What a model makes of pairs: ``log_probability``, ``tokens`` (``</s>`` included), ``oovs``
    and ``characters`` (one for the end included), all [P, 2], the good sentences first. ``spelt``
    says whether unknown words have paid for their spelling."""

    log_probability: NDArray[np.float64]
    tokens: NDArray[np.int64]
    oovs: NDArray[np.int64]
    characters: NDArray[np.int64]
    spelt: bool

    def right(self, per: Per = "sentence") -> NDArray[np.float64]:
        """[P]: 1 where the good sentence is the likelier one, 0 where the bad one is, and 0.5
        where there is nothing between them."""
        scores = self.log_probability
        if per != "sentence":
            scores = scores / (self.tokens if per == "token" else self.characters)
        good, bad = scores.T
        with np.errstate(invalid="ignore"):
            close = np.abs(good - bad) <= _TOLERANCE * np.abs(good + bad)
        # An impossible sentence is infinitely far from a possible one: only equal to another such.
        close &= np.isfinite(good) & np.isfinite(bad)
        return np.where(close | (good == bad), 0.5, (good > bad).astype(np.float64))


def score_pairs(
    model: LanguageModel,
    pairs: Pairs,
    *,
    unknown_words: str = "spell",
    special_tokens: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> PairScores:
    """Each sentence of ``pairs`` under ``model``, as a text of its own that begins with a sentence.

    ``unknown_words`` ``spell``: an unknown word pays for its letters too, if the model knows how
    (`lmkit.text.spelling`); ``token``: all unknown words cost what ``<unk>`` does.
    ``special_tokens`` is what a literal ``<s>`` is, None: as the model was trained.

    Raises `UsageError` for another ``unknown_words``, `UnsupportedError` for a model that has no
    probabilities of sentences, and `TextError`, with the line, for a literal ``<s>`` where that
    is an error.
    """
    if unknown_words not in UNKNOWN_WORDS:
        raise UsageError(
            f"unknown words cannot be {unknown_words!r}", f"one of {', '.join(UNKNOWN_WORDS)}"
        )
    spelling = unknown_words == "spell" and spells(model)
    scorer = LineScorer(model, special_tokens=special_tokens)
    parts = []
    for first in range(0, len(pairs), _BLOCK):
        if progress is not None:
            progress(first, len(pairs))
        rows = slice(first, first + _BLOCK)
        texts = list(chain.from_iterable(zip(pairs.good[rows], pairs.bad[rows], strict=True)))
        try:
            scores = score_texts(scorer, texts, spelling=spelling)
        except SpecialTokenError:
            _refuse_mark(scorer, texts, pairs.places[rows])
            raise
        sums = scores.log_probability
        if scores.spelling is not None:
            sums = sums + scores.spelling
        parts.append((sums, scores.tokens, scores.oovs, [len(text) + 1 for text in texts]))
    sums, tokens, oovs, characters = (
        np.concatenate(column).reshape(-1, 2) for column in zip(*parts, strict=True)
    )
    return PairScores(sums, tokens, oovs, characters, spelling)


def _refuse_mark(
    scorer: LineScorer, texts: Sequence[str], places: Sequence[tuple[str, int]]
) -> None:
    """Raises `SpecialTokenError` with the place of the first text that has such a token."""
    for place, text in enumerate(texts):
        try:
            score_texts(scorer, [text])
        except SpecialTokenError as error:
            file, number = places[place // 2]
            raise SpecialTokenError(error.token, f"{file}, line {number}") from None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The part of ``pairs`` whose good sentence is likelier, with its 95 % interval. ``ties`` are
    counted half."""

    pairs: int
    ties: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AccuracyDifference:
    """An accuracy minus that of another model on the same pairs, its 95 % interval, and the
    two-sided p-value of a paired test."""

    difference: float
    low: float
    high: float
    p_value: float


def accuracy(right: NDArray[np.float64]) -> Accuracy:
    """The accuracy over pairs of which ``right`` [P] are 1, 0 or 0.5 (`PairScores.right`), with
    Wilson's interval."""
    total, pairs = float(right.sum()), len(right)
    return Accuracy(pairs, int((right == 0.5).sum()), total / pairs, *wilson(total, pairs))


def difference(right: NDArray[np.float64], other: NDArray[np.float64]) -> AccuracyDifference:
    """Accuracy of ``right`` [P] minus that of ``other`` [P]: the interval is Agresti and Min's, the
    p-value that of the exact sign test over pairs (McNemar's, where nothing ties)."""
    differences: NDArray[np.float64] = right - other
    return AccuracyDifference(
        float(differences.mean()), *paired_limits(differences), sign_test(differences)
    )


def group_rows(groups: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """The names of ``groups`` [P] in their first order, and where the pairs of each are."""
    names, first, places = np.unique(
        np.array(groups, object), return_index=True, return_inverse=True
    )
    return {str(names[one]): np.flatnonzero(places == one) for one in np.argsort(first)}


def mean_accuracy(groups: Sequence[Accuracy]) -> Accuracy:
    """The mean over ``groups``, each of which counts the same, with the interval that follows from
    theirs."""
    values = [one.accuracy for one in groups]
    limits = mean_limits(values, [(one.low, one.high) for one in groups])
    pairs, ties = sum(one.pairs for one in groups), sum(one.ties for one in groups)
    return Accuracy(pairs, ties, float(np.mean(values)), *limits)


def mean_difference(groups: Sequence[AccuracyDifference]) -> AccuracyDifference:
    """The mean over ``groups``; its p-value is that of a permutation test over groups, so it says
    whether other groups would show a difference too."""
    values = [one.difference for one in groups]
    limits = mean_limits(values, [(one.low, one.high) for one in groups])
    p_value = float(paired_permutation(np.array(values)[:, None])[0])
    return AccuracyDifference(float(np.mean(values)), *limits, p_value)


@dataclass(frozen=True, slots=True)
class PairsRow:
    """What a model makes of one group, or of all: ``total`` is None for a ``group``, ``groups`` for
    the mean over groups and ``pairs`` for all pairs as one. ``unknown`` is the number of pairs with
    an unknown word, ``by`` has the accuracy by each of `PER`. ``difference`` is that to the first
    model, of the accuracy that was asked for."""

    total: str | None
    group: str | None
    unknown: int
    by: dict[Per, Accuracy]
    difference: AccuracyDifference | None = None


def rows_by_group(
    pairs: Pairs, scores: PairScores, base: PairScores | None = None, per: Per = "sentence"
) -> list[PairsRow]:
    """A row for each group of ``pairs``, then the mean over groups and all pairs. Differences are
    to the model of the scores ``base``, of the accuracy ``per`` sentence, token or character."""
    right = {by: scores.right(by) for by in PER}
    other = None if base is None else base.right(per)
    unknown: NDArray[np.bool_] = np.any(scores.oovs > 0, axis=1)

    def row(total: str | None, group: str | None, where: Any) -> PairsRow:
        to_first = None if other is None else difference(right[per][where], other[where])
        by = {one: accuracy(values[where]) for one, values in right.items()}
        return PairsRow(total, group, int(unknown[where].sum()), by, to_first)

    rows = [row(None, name, where) for name, where in group_rows(pairs.groups).items()]
    together = row("pairs", None, slice(None))
    differences = [one.difference for one in rows if one.difference is not None]
    mean = PairsRow(
        "groups",
        None,
        together.unknown,
        {by: mean_accuracy([one.by[by] for one in rows]) for by in PER},
        mean_difference(differences) if differences else None,
    )
    return [*rows, mean, together]


def flat_rows(rows: Sequence[PairsRow]) -> Iterator[dict[str, Any]]:
    """``rows`` for tables: names to plain values."""
    for row in rows:
        whole, to_first = row.by["sentence"], row.difference
        values: dict[str, Any] = {
            "total": row.total,
            "group": row.group,
            "pairs": whole.pairs,
            "unknown": row.unknown,
        }
        for by, found in row.by.items():
            end = "" if by == "sentence" else f"_per_{by}"
            values |= {
                f"accuracy{end}": found.accuracy,
                f"low{end}": found.low,
                f"high{end}": found.high,
                f"ties{end}": found.ties,
            }
        if to_first is not None:
            values |= {
                "difference": to_first.difference,
                "difference_low": to_first.low,
                "difference_high": to_first.high,
                "p_value": to_first.p_value,
            }
        yield values
