"""Fitting the weights of a noisy channel to a text and its correction.

The weights of source and channel and the probability that a word was typed as it was meant are
changed one after the other, each as long as fewer words are wrong in the end (coordinate
search): the figure has no gradient, and a handful of values of each decide. Only steps that
help are taken, so that the result is never worse than the beginning on that text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lmkit.channel.corrector import Corrector
from lmkit.channel.weights import Weights
from lmkit.errors import TextError
from lmkit.evaluate.correction import CorrectionFigures, evaluate_text

Progress = Callable[[int, int | None], None]

STEPS = (1.6, 1.25, 1.1)
"""Factors, the larger ones first, by which weights and the odds of an error are changed."""
MOST_ROUNDS = 3
MOST_WORDS = 20_000
"""So much of the text is looked at, from its beginning."""
TUNED = ("channel", "source", "keep")


@dataclass(frozen=True)
class Tuned:
    """The weights found, and the figures of the text before and with them."""

    weights: dict[str, float]
    before: CorrectionFigures
    after: CorrectionFigures


def tune(
    corrector: Corrector,
    corrupt: Sequence[str],
    correct: Sequence[str],
    progress: Progress | None = None,
) -> Tuned:
    """The weights with which ``corrector`` leaves the fewest words of ``corrupt`` wrong, by
    ``correct``, line for line. ``corrector`` itself is not changed.

    Raises `TextError` where the texts do not have the same number of lines, or nothing to
    learn from.
    """
    corrupt, correct = _beginning(corrupt, correct)
    done = 0

    def judged(weights: Weights) -> CorrectionFigures:
        nonlocal done
        weighted = corrector.reweighted(weights)
        figures, _ = evaluate_text(
            lambda lines: [one.corrected for one in weighted.correct(lines)], corrupt, correct
        )
        done += 1
        if progress is not None:
            progress(done, None)
        return figures

    best = corrector.weights
    first = figures = judged(best)
    if not first.errors_before:
        raise TextError(
            "CORRUPT has no errors to tune to: it is the same as CORRECT", "text that has some"
        )
    for size in STEPS:
        for _ in range(MOST_ROUNDS):
            start = best
            for name in TUNED:
                for step in _ways(size):
                    while figures.errors_after:
                        tried = _moved(best, name, step)
                        found = judged(tried)
                        if found.errors_after >= figures.errors_after:
                            break
                        best, figures = tried, found
            if best == start:
                break
    return Tuned({name: float(getattr(best, name)) for name in TUNED}, first, figures)


def _ways(size: float) -> Iterator[float]:
    yield from (size, 1 / size)


def _moved(weights: Weights, name: str, step: float) -> Weights:
    """``weights`` with one of them changed: a weight by a factor, a probability in its odds."""
    value = getattr(weights, name)
    if name != "keep":
        return replace(weights, **{name: value * step})
    odds = value / (1 - value) * step**2
    return replace(weights, keep=odds / (1 + odds))


def _beginning(
    corrupt: Sequence[str], correct: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    if len(corrupt) != len(correct):
        raise TextError(
            f"CORRUPT has {len(corrupt)} lines and CORRECT {len(correct)}",
            "two files in which line i of one is line i of the other, corrected",
        )
    words = 0
    for number, line in enumerate(correct):
        words += len(line.split())
        if words >= MOST_WORDS:
            return corrupt[: number + 1], correct[: number + 1]
    return corrupt, correct
