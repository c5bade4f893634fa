"""How good a spelling corrector is: on aligned text, on pairs of words, on word boundaries.

The measures of text are those of JamSpell's evaluation, a word at a time: words that were wrong
and came out right are fixed, words that were right and came out wrong are broken. Its words
stand place by place; here they are aligned first (`lmkit.evaluate.alignment`), so that words
split and joined are judged as well. A word is what stands between spaces, with its punctuation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, islice
from typing import Any, TypeVar

from lmkit.errors import TextError
from lmkit.evaluate.alignment import aligned, segments

Progress = Callable[[int, int | None], None]
LINES_AT_ONCE = 512
RANKS = 10
"""How many suggestions for a word are looked at: an intended word further down counts as absent."""
FRAME = ", {} ,"
"""A sentence around a word that says nothing of it, in any language: as in a list."""

Summed = TypeVar("Summed", bound="_Sums")


class _Sums:
    """Figures that are counts, and so can be added."""

    def __add__(self: Summed, other: Summed) -> Summed:
        return type(self)(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class CorrectionFigures(_Sums):
    """What a corrector did to a text, counted in words of the correct text.

    ``changed`` are the words that it touched, for better or worse; ``seconds`` its time.
    """

    words: int = 0
    errors_before: int = 0
    errors_after: int = 0
    fixed: int = 0
    broken: int = 0
    changed: int = 0
    seconds: float = 0.0

    @property
    def fix_rate(self) -> float:
        """Of the words that were wrong, the part that came out right."""
        return _part(self.fixed, self.errors_before)

    @property
    def broken_rate(self) -> float:
        """Of the words that were right, the part that came out wrong."""
        return _part(self.broken, self.words - self.errors_before)

    @property
    def precision(self) -> float:
        """Of the words that were changed, the part that came out right."""
        return _part(self.fixed, self.changed)

    @property
    def recall(self) -> float:
        """The same as `fix_rate`, under the name that goes with `precision`."""
        return self.fix_rate

    @property
    def f0_5(self) -> float:
        """The F-measure in which precision weighs twice as much as recall."""
        if not self.fixed:
            return 0.0 if self.changed or self.errors_before else math.nan
        return 1.25 * self.precision * self.recall / (0.25 * self.precision + self.recall)

    @property
    def accuracy(self) -> float:
        """Of all words, the part that came out right."""
        return _part(self.words - self.errors_after, self.words)

    @property
    def words_per_second(self) -> float:
        """Words of text corrected in a second of wall time."""
        return _part(self.words, self.seconds)

    def as_dict(self) -> dict[str, Any]:
        """The figures under the names that programs get."""
        return {name: getattr(self, name) for name in FIGURES}


FIGURES = (
    "words",
    "errors_before",
    "errors_after",
    "fix_rate",
    "broken_rate",
    "precision",
    "recall",
    "f0_5",
    "accuracy",
    "words_per_second",
)


@dataclass(frozen=True)
class SegmentationFigures(_Sums):
    """Boundaries inside lines, and words, of the correct text: how many there are
    (``wanted``), how many were given, how many of these are right."""

    boundaries_wanted: int = 0
    boundaries_given: int = 0
    boundaries_right: int = 0
    words_wanted: int = 0
    words_given: int = 0
    words_right: int = 0

    @property
    def boundary_f1(self) -> float:
        """F1 of the places where one word ends and the next begins."""
        return _part(2 * self.boundaries_right, self.boundaries_wanted + self.boundaries_given)

    @property
    def word_f1(self) -> float:
        """F1 of whole words: both of their ends, and every letter."""
        return _part(2 * self.words_right, self.words_wanted + self.words_given)

    def as_dict(self) -> dict[str, Any]:
        """The figures under the names that programs get."""
        return {"boundary_f1": self.boundary_f1, "word_f1": self.word_f1}


@dataclass(frozen=True)
class PairFigures(_Sums):
    """How high intended words stand among the suggestions for what was typed, which take for
    granted that it is wrong; and how often correcting it, which does not, comes to them."""

    pairs: int = 0
    first: int = 0
    among_five: int = 0
    reciprocal_ranks: float = 0.0
    seconds: float = 0.0
    corrected_alone: int = 0
    corrected_in_frame: int = 0

    @property
    def top1(self) -> float:
        """The part of the pairs whose intended word is suggested first."""
        return _part(self.first, self.pairs)

    @property
    def top5(self) -> float:
        """The part of the pairs whose intended word is among the first five."""
        return _part(self.among_five, self.pairs)

    @property
    def mean_reciprocal_rank(self) -> float:
        """The mean of 1 / rank, 0 where it is not among the first `RANKS`."""
        return _part(self.reciprocal_ranks, self.pairs)

    @property
    def corrected(self) -> float:
        """The part of the pairs whose typed word, as a line of its own, is corrected to the
        intended one."""
        return _part(self.corrected_alone, self.pairs)

    @property
    def corrected_in_sentence(self) -> float:
        """The same inside the sentence `FRAME`, nothing else of which may be changed."""
        return _part(self.corrected_in_frame, self.pairs)

    @property
    def words_per_second(self) -> float:
        """Words looked up in a second of wall time."""
        return _part(self.pairs, self.seconds)

    def as_dict(self) -> dict[str, Any]:
        """The figures under the names that programs get."""
        return {name: getattr(self, name) for name in PAIR_FIGURES}


PAIR_FIGURES = (
    "pairs",
    "top1",
    "top5",
    "mean_reciprocal_rank",
    "corrected",
    "corrected_in_sentence",
    "words_per_second",
)


def judge_line(corrupt: str, correct: str, corrected: str) -> CorrectionFigures:
    """The figures of one line: what was given, what it should be, what came out."""
    reference = correct.split()
    before = _readings(reference, corrupt.split())
    after = _readings(reference, corrected.split())
    was_right = [reading == (1, word) for reading, word in zip(before, reference, strict=True)]
    is_right = [reading == (1, word) for reading, word in zip(after, reference, strict=True)]
    both = list(zip(was_right, is_right, strict=True))
    return CorrectionFigures(
        words=len(reference),
        errors_before=was_right.count(False),
        errors_after=is_right.count(False),
        fixed=both.count((False, True)),
        broken=both.count((True, False)),
        changed=sum(one != other for one, other in zip(before, after, strict=True)),
    )


def _readings(reference: Sequence[str], other: Sequence[str]) -> list[tuple[int, str]]:
    """For each reference word how many of them share its segment, and what stands there.

    Words too many count against the word before them (the first one's, against that), unless
    the word behind them is wrong anyway.
    """
    found: list[tuple[int, str]] = [(1, "")] * len(reference)
    extra: list[tuple[int, str]] = []
    for segment in segments(reference, other):
        text = " ".join(segment.words)
        if segment.first == segment.last:
            extra.append((segment.first, text))
        for place in range(segment.first, segment.last):
            found[place] = segment.last - segment.first, text
    for place, text in extra:
        behind_is_wrong = place < len(reference) and found[place] != (1, reference[place])
        owner = place if behind_is_wrong or not place else place - 1
        if owner < len(reference):
            size, own = found[owner]
            found[owner] = size, f"{text} {own}" if owner == place else f"{own} {text}"
    return found


def judge_segmentation(correct: str, corrected: str) -> SegmentationFigures:
    """The figures of one line's word boundaries.

    Where letters were changed as well, boundaries are compared at the letters that are the same.
    """
    reference, given = correct.split(), corrected.split()
    wanted_ends, given_ends = (
        list(accumulate(map(len, reference))),
        list(accumulate(map(len, given))),
    )
    letters, written = "".join(reference), "".join(given)
    if letters == written:
        spans = _spans(reference, wanted_ends) & _spans(given, given_ends)
        words_right, boundaries = len(spans), set(wanted_ends[:-1]) & set(given_ends[:-1])
        right = len(boundaries)
    else:
        words_right = len(aligned(reference, given))
        ends = {column + 1: row + 1 for row, column in aligned(letters, written)}
        right = len({ends.get(end) for end in given_ends[:-1]} & set(wanted_ends[:-1]))
    return SegmentationFigures(
        max(len(reference) - 1, 0),
        max(len(given) - 1, 0),
        right,
        len(reference),
        len(given),
        words_right,
    )


def _spans(words: Sequence[str], ends: Sequence[int]) -> set[tuple[int, int]]:
    return {(end - len(word), end) for word, end in zip(words, ends, strict=True)}


def evaluate_text(
    correct_lines: Callable[[Sequence[str]], Sequence[str]],
    corrupt: Iterable[str],
    correct: Iterable[str],
    *,
    boundaries: bool = False,
    progress: Progress | None = None,
) -> tuple[CorrectionFigures, SegmentationFigures | None]:
    """Correct the lines ``corrupt`` with ``correct_lines`` (lines in, as many lines out), and
    judge the result against the lines ``correct``; the boundaries of words too, if asked for.

    Raises `TextError` where the two texts do not have the same number of lines.
    """
    given, wanted = iter(corrupt), iter(correct)
    total, cuts, done = CorrectionFigures(), SegmentationFigures(), 0
    while block := list(islice(given, LINES_AT_ONCE)):
        right = list(islice(wanted, len(block)))
        if len(right) < len(block):
            raise _unequal(done + len(right), "fewer")
        clock = time.perf_counter()
        results = correct_lines(block)
        seconds = time.perf_counter() - clock
        total = total + CorrectionFigures(seconds=seconds)
        for line, target, result in zip(block, right, results, strict=True):
            total = total + judge_line(line, target, result)
            if boundaries:
                cuts = cuts + judge_segmentation(target, result)
        done += len(block)
        if progress is not None:
            progress(done, None)
    if next(wanted, None) is not None:
        raise _unequal(done, "more")
    return total, cuts if boundaries else None


def _unequal(lines: int, which: str) -> TextError:
    side = "CORRECT ends" if which == "fewer" else "CORRUPT ends"
    return TextError(
        f"CORRUPT and CORRECT do not have the same number of lines: {side} after line {lines}",
        "two files in which line i of one is line i of the other, corrected",
    )


def evaluate_pairs(
    suggest: Callable[[str], Sequence[str]],
    correct_lines: Callable[[Sequence[str]], Sequence[str]],
    pairs: Sequence[tuple[str, str, float]],
    progress: Progress | None = None,
) -> PairFigures:
    """Judge ``suggest`` (a typed word in, ranked words out) and ``correct_lines`` (lines in, as
    many lines out) by ``pairs`` of what was typed, what was intended, and how often; a pair
    counts so many times. Capitals do not matter."""
    total = PairFigures(
        corrected_alone=_times_right(correct_lines, pairs, "{}"),
        corrected_in_frame=_times_right(correct_lines, pairs, FRAME),
    )
    for done, (typed, intended, count) in enumerate(pairs, 1):
        clock = time.perf_counter()
        suggested = list(suggest(typed))[:RANKS]
        seconds = time.perf_counter() - clock
        rank = suggested.index(intended) + 1 if intended in suggested else 0
        times = int(count)
        total = total + PairFigures(
            pairs=times,
            first=times * (rank == 1),
            among_five=times * (0 < rank <= 5),
            reciprocal_ranks=times / rank if rank else 0.0,
            seconds=seconds * times,
        )
        if progress is not None:
            progress(done, len(pairs))
    return total


def _times_right(
    correct_lines: Callable[[Sequence[str]], Sequence[str]],
    pairs: Sequence[tuple[str, str, float]],
    frame: str,
) -> int:
    """How often ``frame`` with a typed word in it is corrected to it with the intended one."""
    before, after = frame.split("{}")
    results = correct_lines([f"{before}{typed}{after}" for typed, _, _ in pairs])
    return sum(
        int(count)
        for (_, intended, count), result in zip(pairs, results, strict=True)
        if result.lower() == f"{before}{intended}{after}".lower()
    )


def _part(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
