"""Services of small models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lmkit
from lmkit.model import LanguageModel
from lmkit.serving.limits import Limits
from lmkit.text.settings import TextSettings

LINES = ["the cat sat", "the cat ran .", "a dog sat on the mat", "the dog ran", "a cat", "naïve"]


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "text.txt"
    path.write_text("".join(f"{line}\n" for line in LINES * 3), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model(text: Path) -> LanguageModel:
    """Trigrams of words."""
    return lmkit.train(text, order=3)


@pytest.fixture(scope="session")
def bytes_model(text: Path) -> LanguageModel:
    return lmkit.train(text, order=4, settings=TextSettings(tokenizer="byte"))


@pytest.fixture(scope="session")
def network(text: Path) -> LanguageModel:
    """An LSTM that has learnt hardly anything."""
    return lmkit.train(text, backend="lstm", hidden=8, epochs=1, seed=1)


@pytest.fixture
def served() -> Iterator[Any]:
    """``served(model, Limits(...), hosts=...)``: something to ask; its thread ends with the
    test."""
    pytest.importorskip("starlette", reason="the extra serve is not installed")
    from lmkit.serving.service import Service

    from .support import Asking

    services = []

    def serve(model: LanguageModel, limits: Limits | None = None, **options: Any) -> Asking:
        asking = Asking(Service(model, "m.lm", limits), **options)
        asking.service.worker.start()
        services.append(asking.service)
        return asking

    yield serve
    for service in services:
        service.worker.close()


@pytest.fixture(scope="session")
def channel(text: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A noisy channel, which only scores whole sentences."""
    folder = tmp_path_factory.mktemp("channel")
    lmkit.train(text, output=folder / "source.lm", order=2)
    pairs = folder / "pairs.tsv"
    pairs.write_text("teh\tthe\ncta\tcat\n", encoding="utf-8")
    return lmkit.train_channel(folder / "source.lm", output=folder / "channel.lm", pairs=pairs)
