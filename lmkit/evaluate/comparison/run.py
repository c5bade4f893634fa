"""`compare`: trains or loads every model, scores the same test text with each, and ranks them."""

from __future__ import annotations

import hashlib
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import lmkit
from lmkit.errors import ExitCode, LmkitError, UnsupportedError
from lmkit.evaluate.comparison.corpus import Corpus
from lmkit.evaluate.comparison.learning import learning_curves
from lmkit.evaluate.comparison.mixing import MixSource, mixed
from lmkit.evaluate.comparison.ranking import letter_groups, rank
from lmkit.evaluate.comparison.scoring import TextScores, choose_sentences, score_text
from lmkit.evaluate.comparison.specs import MIX, Spec
from lmkit.evaluate.comparison.sweeps import sweep_lines
from lmkit.evaluate.comparison.tokenizers import tokenizer_of, wanted_size
from lmkit.evaluate.comparison.training import (
    Trained,
    Watching,
    Workshop,
    draws,
    training_seconds,
)
from lmkit.evaluate.curves import crossings
from lmkit.evaluate.minimal_pairs import Pairs, rows_by_group, score_pairs
from lmkit.evaluate.results import (
    Comparison,
    ModelResult,
    SeedResult,
    SentenceSurprise,
    TokenSurprise,
)
from lmkit.evaluate.significance import RESAMPLES
from lmkit.measures import LN2
from lmkit.model import LanguageModel
from lmkit.text.subwords.streaming import whole_characters

SENTENCES_SHOWN = 6
SAMPLES = 3
SAMPLE_TOKENS = {"word": 30}
SAMPLE_SYMBOLS = 120


class Stopped(LmkitError):
    """Ctrl-C; what is trained stays, and the same command goes on from there."""

    exit_code = ExitCode.INTERRUPTED


@dataclass
class Listener:
    """Who hears of each model: ``begun(number, of, name)``, and ``done(row)``; ``watching`` of
    its training."""

    begun: Callable[[int, int, str], None] | None = None
    done: Callable[[ModelResult], None] | None = None
    watching: Watching = field(default_factory=Watching)


def compare(
    corpus: Corpus,
    specs: Sequence[Spec],
    folder: Path,
    *,
    seed: int = 0,
    seeds: int = 1,
    force: bool = False,
    shares: Sequence[float] = (),
    resamples: int = RESAMPLES,
    pairs: Pairs | None = None,
    listener: Listener | None = None,
    command: str = "",
) -> Comparison:
    """Compare the models of ``specs`` on ``corpus``; their files are kept in ``folder``.

    ``seeds`` is how often a model that draws random numbers is trained, with ``seed`` and those
    after it. ``shares`` are parts of the training text for learning curves, ``pairs`` the minimal
    pairs that each model is tried on too. A model that fails
    becomes a row with its reason. Raises `Stopped` on Ctrl-C while a network is trained.
    """
    clock, started = time.monotonic(), datetime.now(UTC)
    listener = listener or Listener()
    workshop = Workshop(corpus, folder, force, listener.watching)
    run = _Run(workshop, seed, seeds, choose_sentences(corpus.test_lines, SENTENCES_SHOWN), pairs)
    rows: list[ModelResult] = []
    for number, spec in enumerate(specs, 1):
        if listener.begun is not None:
            listener.begun(number, len(specs), spec.name)
        row = run.row(spec)
        rows.append(row)
        if listener.done is not None:
            listener.done(row)
    characters = np.fromiter(map(len, corpus.test_lines), np.int64, len(corpus.test_lines)) + 1
    ranked = rank(rows, characters, resamples=resamples, seed=seed)
    letter_groups(ranked, run.groups)
    result = Comparison(
        corpus.facts,
        ranked,
        run.surprises([row.name for row in ranked if row.status == "ok"]),
        versions=versions(),
        command=command,
        seed=seed,
        resamples=resamples,
        started=started.isoformat(timespec="seconds"),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )
    result.sweep = sweep_lines(specs, ranked)
    if shares:
        result.curves, result.notes = learning_curves(
            workshop, specs, ranked, shares, seed, listener.begun
        )
        result.crossings = crossings(result.curves)
    result.seconds = time.monotonic() - clock
    return result


def versions() -> dict[str, str]:
    """What the figures may depend on."""
    return {
        "lmkit": lmkit.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sqlite": sqlite3.sqlite_version,
    }


@contextmanager
def _stopping(what: str, folder: Path) -> Iterator[None]:
    """Says of an interrupted training how the comparison goes on."""
    try:
        yield
    except LmkitError as error:
        if error.exit_code is not ExitCode.INTERRUPTED:
            raise
        raise Stopped(
            f"interrupted during {what}; what is done is in {folder}",
            "the same command, to go on from there",
        ) from error


class _Run:
    """What is collected over the models of one comparison."""

    def __init__(
        self, workshop: Workshop, seed: int, seeds: int, shown: list[int], pairs: Pairs | None
    ) -> None:
        self.workshop = workshop
        self.pairs = pairs
        self.seed, self.seeds = seed, seeds
        self.shown = shown
        self.groups: dict[str, str] = {}
        self.sources: list[MixSource] = []
        self.by_key: dict[str, ModelResult] = {}
        self._surprises: dict[str, dict[int, list[TokenSurprise]]] = {}

    def row(self, spec: Spec) -> ModelResult:
        """The row of one model, whatever happens to it."""
        row = ModelResult(spec.name, spec.text, spec.backend or "file", options=dict(spec.options))
        try:
            with _stopping(spec.name, self.workshop.folder):
                self._fill(row, spec)
        except Stopped:
            raise
        except LmkitError as error:
            _failed(row, str(error))
        except Exception as error:  # noqa: BLE001 - one model that fails is one row
            _failed(row, f"{type(error).__name__}: {error}".rstrip(": "))
        return row

    def _fill(self, row: ModelResult, spec: Spec) -> None:
        corpus = self.workshop.corpus
        made = self._made(spec, self.seed)
        scores = score_text(made.model, corpus, self.shown, self.workshop.watching.progress)
        _describe(row, made)
        row.characters = corpus.facts.reference_characters
        row.bytes = corpus.facts.reference_bytes
        _note_size(row, spec, made.model)
        _add_parts(row, [self.by_key[key] for key in made.parts])
        self.by_key[made.key] = row
        _set_figures(row, scores)
        repeats = self.seeds if draws(spec) else 1
        if repeats > 1:
            self._repeat(row, spec, made, scores, repeats)
        self._surprises[row.name] = scores.surprises
        self.groups[row.name] = _group_key(made.model, scores)
        if spec.path is None and spec.backend != MIX:
            self.sources.append(MixSource(spec, made.path, made.key, self.groups[row.name]))
        row.samples = samples(made.model, self.seed)
        if self.pairs is not None:
            row.minimal_pairs = rows_by_group(self.pairs, score_pairs(made.model, self.pairs))

    def _made(self, spec: Spec, seed: int) -> Trained:
        if spec.backend == MIX:
            return mixed(self.workshop, spec, self.sources)
        return self.workshop.make(spec, seed)

    def _repeat(
        self, row: ModelResult, spec: Spec, made: Trained, scores: TextScores, repeats: int
    ) -> None:
        """Train with the next seeds too; the figures become the mean over all of them."""
        several = [(made, scores)]
        for seed in range(self.seed + 1, self.seed + repeats):
            again = self.workshop.make(spec, seed)
            several.append((again, score_text(again.model, self.workshop.corpus)))
        row.seeds = [
            SeedResult(
                one.seed or 0,
                _bits(found, row),
                found.figures.perplexity,
                training_seconds(one.model),
                str(one.path),
            )
            for one, found in several
        ]
        bits = [result.bits_per_character for result in row.seeds]
        row.spread = float(np.std(bits, ddof=1))
        _set_bits(row, float(np.mean(bits)))
        row.log_probabilities = np.mean([found.log_probabilities for _, found in several], axis=0)
        logs = [found.figures.log_probability for _, found in several]
        row.perplexity = float(np.exp(-np.mean(logs) / scores.figures.tokens))

    def surprises(self, names: Sequence[str]) -> list[SentenceSurprise]:
        """The shown sentences under the models ``names``."""
        return [
            SentenceSurprise(
                index,
                self.workshop.corpus.test_lines[index],
                {name: self._surprises[name][index] for name in names},
            )
            for index in self.shown
        ]


def _failed(row: ModelResult, reason: str) -> None:
    row.status, row.reason = "failed", reason.rstrip(".")
    row.log_probabilities = None


def _describe(row: ModelResult, made: Trained) -> None:
    facts = made.model.describe()
    row.backend = str(facts.get("backend", row.backend))
    row.origin, row.seed, row.file = made.origin, made.seed, str(made.path)
    row.file_bytes = made.path.stat().st_size
    row.unit = made.model.unit
    row.vocabulary = len(made.model.vocabulary)
    if "ngrams" in facts:
        row.ngrams = int(sum(facts["ngrams"]))
    if "weights" in facts and isinstance(facts["weights"], int):
        row.parameters = facts["weights"]
    row.training_seconds = training_seconds(made.model)
    row.notes = [str(note) for note in facts.get("notes", [])]
    row.training_curve = [dict(entry) for entry in getattr(made.model, "log", [])]


def _note_size(row: ModelResult, spec: Spec, model: LanguageModel) -> None:
    """A small text does not make as many subwords as are asked for."""
    if spec.tokenizer is None or spec.backend == MIX:
        return
    wanted = wanted_size(tokenizer_of(spec.tokenizer))
    there = len(model.encoder.settings.tokenizer.vocabulary or ())
    if wanted is not None and there < wanted:
        row.notes.append(f"the text makes {there:,} subwords, not {wanted:,}")


def _add_parts(row: ModelResult, parts: Sequence[ModelResult]) -> None:
    """A mixture costs what its parts cost, too."""
    for part in parts:
        row.ngrams = _sum(row.ngrams, part.ngrams)
        row.parameters = _sum(row.parameters, part.parameters)
        row.file_bytes = _sum(row.file_bytes, part.file_bytes)
        if row.training_seconds is not None and part.training_seconds is not None:
            row.training_seconds += part.training_seconds
    if parts:
        row.notes.append(f"made of {' and '.join(part.name for part in parts)}")


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other


def _set_figures(row: ModelResult, scores: TextScores) -> None:
    figures = scores.figures
    row.sentences, row.tokens, row.oovs = figures.sentences, figures.tokens, figures.oovs
    row.perplexity = figures.perplexity
    row.perplexity_excluding_oovs = figures.perplexity_excluding_oovs
    row.log_probabilities = scores.log_probabilities
    _set_bits(row, _bits(scores, row))
    row.scoring_tokens_per_second = scores.tokens_per_second
    row.state = scores.state


def _set_bits(row: ModelResult, per_character: float) -> None:
    assert row.characters and row.bytes
    row.bits_per_character = per_character
    row.bits_per_byte = per_character * row.characters / row.bytes


def _bits(scores: TextScores, row: ModelResult) -> float:
    assert row.characters
    return float(-scores.log_probabilities.sum() / LN2 / row.characters)


def _group_key(model: LanguageModel, scores: TextScores) -> str:
    """Equal for models whose perplexities are over the same tokens and vocabulary."""
    digest = hashlib.sha256(scores.tokens.tobytes())
    for token in sorted(model.vocabulary.tokens):
        digest.update(token.encode() + b"\0")
    return digest.hexdigest()


def samples(model: LanguageModel, seed: int) -> list[str]:
    """A few sentences drawn from ``model``; none from one that cannot draw."""
    longest = SAMPLE_TOKENS.get(model.unit, SAMPLE_SYMBOLS)
    try:
        drawn: list[Any] = model.generate(SAMPLES, max_tokens=longest, seed=seed)
    except (UnsupportedError, NotImplementedError):
        return []
    # A model of bytes may draw what is no UTF-8, which neither a page nor a database can hold.
    return [whole_characters(sentence.text) for sentence in drawn]
