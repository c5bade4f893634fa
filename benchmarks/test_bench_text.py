"""From text to token ids inside the process, one benchmark a tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lmkit import registry
from lmkit.model import LanguageModel
from lmkit.text.corpus import Corpus, build_corpus
from lmkit.text.settings import TextSettings

from .test_bench_scoring import note_rate


def test_encode(benchmark: BenchmarkFixture, model: LanguageModel, lines: list[str]) -> None:
    batch = benchmark.pedantic(model.encoder.encode, args=(lines,), rounds=5, warmup_rounds=1)
    assert len(batch) == len(lines)
    note_rate(benchmark, len(batch.ids))


@pytest.mark.parametrize("tokenizer", registry.BUILT_IN["tokenizer"])
def test_build_corpus(
    benchmark: BenchmarkFixture, tokenizer: str, lines: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    settings = TextSettings(tokenizer=tokenizer)

    def build() -> Corpus:
        return build_corpus([path], settings)

    corpus = benchmark.pedantic(build, rounds=3, warmup_rounds=1)
    assert corpus.sentences == len(lines)
    note_rate(benchmark, corpus.tokens)
