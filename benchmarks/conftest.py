"""The models and texts that the in-process benchmarks share; trained once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

import lmkit
from lmkit.model import Batch, LanguageModel
from lmkit.text.settings import TextSettings

from .corpora import NOVELS, find_corpora, first_tokens

BULK_TOKENS = 500_000


@pytest.fixture(scope="session")
def novels() -> Path:
    """The novels; skips where there are none."""
    corpora = find_corpora()
    if corpora is None:
        pytest.skip("no corpora: set LMKIT_TEST_DATA to the folder that holds them")
    return corpora / NOVELS


@pytest.fixture(scope="session")
def model(novels: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """Order 5, modified Kneser-Ney, opened from its file as a user would."""
    path = tmp_path_factory.mktemp("model") / "novels.lm"
    settings = TextSettings(tokenizer="whitespace", skip_empty_lines=True)
    lmkit.train(novels, output=path, settings=settings, order=5)
    return lmkit.load(path)


@pytest.fixture(scope="session")
def lines(novels: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The first `BULK_TOKENS` tokens of the novels."""
    path = tmp_path_factory.mktemp("text") / "part.txt"
    first_tokens(novels, path, BULK_TOKENS)
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="session")
def batch(model: LanguageModel, lines: list[str]) -> Batch:
    """`lines`, encoded for `model`."""
    return model.batch(lines)
