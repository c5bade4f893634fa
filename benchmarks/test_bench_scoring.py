"""Scoring inside the process: many sentences at once, one at a time, and the next word.

``extra_info`` of each result has what the time means: tokens a second.
"""

from __future__ import annotations

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from lmkit.model import Batch, LanguageModel


def note_rate(benchmark: BenchmarkFixture, tokens: int) -> None:
    if benchmark.stats is not None:
        benchmark.extra_info["tokens_per_second"] = round(tokens / benchmark.stats["median"])


def test_bulk_score(benchmark: BenchmarkFixture, model: LanguageModel, batch: Batch) -> None:
    log_probs, _ = benchmark.pedantic(model.score, args=(batch,), rounds=5, warmup_rounds=1)
    assert log_probs.shape == batch.ids.shape
    assert np.isfinite(log_probs).all()
    note_rate(benchmark, len(batch.ids))


def test_score_one_line(
    benchmark: BenchmarkFixture, model: LanguageModel, lines: list[str]
) -> None:
    line = max(lines[:1000], key=len)
    log_probs, _ = benchmark(model.score, line)
    assert len(log_probs) == len(line.split()) + 1
    note_rate(benchmark, len(log_probs))


def test_advance_and_score_candidates(
    benchmark: BenchmarkFixture, model: LanguageModel, batch: Batch
) -> None:
    """What a decoder does: 64 beams, 100 candidates each, one step on."""
    generator = np.random.default_rng(1)
    candidates = generator.integers(3, len(model.vocabulary), size=(64, 100))
    state = model.start(64)
    for position in range(4):
        state = model.advance(state, batch.ids[position : position + 1].repeat(64))

    def step() -> np.ndarray:
        log_probs = model.log_probs_of(state, candidates)
        model.advance(state, candidates[:, 0])
        return log_probs

    assert benchmark(step).shape == (64, 100)
    note_rate(benchmark, candidates.size)


def test_next_log_probs(benchmark: BenchmarkFixture, model: LanguageModel) -> None:
    """The whole vocabulary after one context."""
    log_probs = benchmark(model.next_log_probs, model.start(1))
    assert np.isclose(np.exp(log_probs).sum(), 1.0, atol=1e-6)


def test_generate(benchmark: BenchmarkFixture, model: LanguageModel) -> None:
    drawn = benchmark.pedantic(model.generate, args=(200,), kwargs={"seed": 1}, rounds=3)
    assert len(drawn) == 200
    note_rate(benchmark, sum(len(sentence.ids) for sentence in drawn))
