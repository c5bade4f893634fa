"""What ``lmkit correct`` does in place of correcting a text: evaluating, and tuning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmkit.cli.console import Console
from lmkit.cli.layout import NOTHING
from lmkit.cli.output import Format, to_json, write_rows
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.channel.corrector import Corrector
    from lmkit.model import LanguageModel
    from lmkit.text.reading import Source


def _percent(value: float) -> str:
    return NOTHING if value != value else f"{100 * value:.2f} %"


def _whole(value: float) -> str:
    return NOTHING if value != value else f"{value:,.0f}"


def _plain(value: float) -> str:
    return NOTHING if value != value else f"{value:.4f}"


NAMES: dict[str, tuple[str, Callable[[float], str]]] = {
    "words": ("words", _whole),
    "errors_before": ("wrong before", _whole),
    "errors_after": ("wrong after", _whole),
    "fix_rate": ("fixed, of those that were wrong", _percent),
    "broken_rate": ("broken, of those that were right", _percent),
    "precision": ("precision: right, of those changed", _percent),
    "recall": ("recall: as fixed", _percent),
    "f0_5": ("F0.5", _plain),
    "accuracy": ("accuracy: right in the end", _percent),
    "boundary_f1": ("F1 of word boundaries", _percent),
    "word_f1": ("F1 of words", _percent),
    "pairs": ("pairs", _whole),
    "top1": ("suggested first", _percent),
    "top5": ("suggested among the first five", _percent),
    "mean_reciprocal_rank": ("mean reciprocal rank", _plain),
    "corrected": ("corrected, alone on a line", _percent),
    "corrected_in_sentence": ("corrected, inside a sentence", _percent),
    "words_per_second": ("words a second", _whole),
}
"""How people read each figure."""

PAIRS_LEGEND = (
    "suggested: which word is meant, given that what was typed is wrong (lmkit suggest)",
    "corrected: what lmkit correct does, which may leave the word as it was typed;",
    'the sentence is ", WORD ," and says nothing of the word',
)


def evaluate(
    console: Console,
    corrector: Corrector,
    files: tuple[Path, Path],
    cuts: bool,
    encoding: str | None,
    errors: str,
    fmt: Format,
) -> None:
    """Correct the first file and judge the result by the second."""
    from lmkit.evaluate.correction import evaluate_text
    from lmkit.text.reading import read_lines

    corrupt, correct = (_readable(path, encoding) for path in files)
    with ProgressBars(console) as bars:
        figures, boundaries = evaluate_text(
            lambda lines: [one.corrected for one in corrector.correct(lines)],
            read_lines(corrupt, errors),
            read_lines(correct, errors),
            boundaries=cuts,
            progress=bars.bar("lines", "lines"),
        )
    found = figures.as_dict()
    if boundaries is not None:
        speed = found.pop("words_per_second")
        found |= {**boundaries.as_dict(), "words_per_second": speed}
    _write(console, found, fmt, {"errors_before": figures.words, "errors_after": figures.words})


def evaluate_pairs(
    console: Console,
    corrector: Corrector,
    path: Path,
    encoding: str | None,
    errors: str,
    fmt: Format,
) -> None:
    """Look the typed words up and correct them, each alone, and judge by the intended ones."""
    from lmkit.channel.edits.pairs import read_pairs
    from lmkit.evaluate.correction import RANKS
    from lmkit.evaluate.correction import evaluate_pairs as judge

    def suggest(word: str) -> Sequence[str]:
        # Pairs are read without their capitals.
        return [one.text.lower() for one in corrector.suggest(word, n=RANKS)]

    def correct_lines(lines: Sequence[str]) -> Sequence[str]:
        return [one.corrected for one in corrector.correct(lines)]

    pairs = read_pairs(_readable(path, encoding), errors=errors)
    triples = list(zip(pairs.typed, pairs.intended, pairs.counts.tolist(), strict=True))
    with ProgressBars(console) as bars:
        figures = judge(suggest, correct_lines, triples, bars.bar("words", ""))
    _write(console, figures.as_dict(), fmt, {})
    if fmt == "table":
        console.write_line()
        for line in PAIRS_LEGEND:
            console.write_line(line)


def tune(
    console: Console,
    corrector: Corrector,
    channel: LanguageModel,
    model: Path,
    files: tuple[Path, Path],
    encoding: str | None,
    errors: str,
    fmt: Format,
) -> None:
    """Fit the weights of ``channel``, which is in the file ``model``, to the two files, and store
    them there."""
    from lmkit.evaluate.tuning import tune as fit
    from lmkit.text.reading import read_lines

    corrupt, correct = (list(read_lines(_readable(path, encoding), errors)) for path in files)
    with ProgressBars(console) as bars:
        tuned = fit(corrector, corrupt, correct, progress=bars.bar("tuning", ""))
    channel.set_weights(**tuned.weights)  # type: ignore[attr-defined]
    channel.save(model)
    if fmt == "table":
        for name, value in tuned.weights.items():
            console.write_line(f"{name.ljust(7)}  {value:.4g}")
    elif fmt == "json":
        console.write_line(to_json(tuned.weights))
    else:
        write_rows(console, [list(tuned.weights.values())], list(tuned.weights), fmt)
    parts = [
        f"{_percent(part.fix_rate)} fixed and {_percent(part.broken_rate)} broken"
        for part in (tuned.before, tuned.after)
    ]
    console.remark(f"{model}: {parts[1]}; before tuning {parts[0]}")


def check_tunable(model: Path | None, opened: LanguageModel | None) -> None:
    """Raises `UsageError` for what has no weights to store."""
    if model is None or opened is None:
        raise UsageError("--tune stores weights in MODEL, and there is none", "MODEL first")
    if opened.backend != "noisy-channel":
        raise UsageError(
            f"{model} is not a noisy channel, so it has no weights to tune",
            f"lmkit train --backend noisy-channel --source {model} --output C.lm",
        )


def _readable(path: Path, encoding: str | None) -> Source:
    """``path`` in ``encoding``; raises `UsageError` where there is nothing."""
    from lmkit.text.encodings import encoded

    if str(path) != "-" and not path.exists():
        raise UsageError(f"there is no file {path}", "the name of a text file")
    source: Source = encoded(path, encoding)
    return source


def _write(
    console: Console, found: Mapping[str, Any], fmt: Format, parts_of: Mapping[str, int]
) -> None:
    """One object, or for people a line a figure; ``parts_of`` some number where it helps."""
    if fmt == "json":
        console.write_line(to_json(dict(found)))
        return
    if fmt != "table":
        write_rows(console, [list(found.values())], list(found), fmt)
        return
    width = max(len(NAMES[name][0]) for name in found)
    for name, value in found.items():
        title, form = NAMES[name]
        whole = parts_of.get(name)
        part = f"  ({_percent(value / whole)})" if whole else ""
        console.write_line(f"{title.ljust(width)}  {form(value)}{part}")
