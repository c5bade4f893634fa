"""Models without sentence marks, or without ``<unk>``: KenLM scores their ARPA files the same."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lmkit
from lmkit.text.settings import TextSettings

from .arpa_shapes import lines_of

LN10 = math.log(10)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{line}\n" for line in lines_of(5)), encoding="utf-8")
    return path


@pytest.mark.parametrize("order", [2, 4])
def test_without_sentence_marks(kenlm: ModuleType, text: Path, order: int) -> None:
    settings = TextSettings(tokenizer="whitespace", sentence_marks=False)
    model: Any = lmkit.train(text, settings=settings, order=order)
    lmkit.export_model(model, text.with_suffix(".arpa"))
    theirs = kenlm.Model(str(text.with_suffix(".arpa")))
    for line in [*lines_of(6), "w1 nobody w2", ""]:
        ours = float(model.score(line)[0].sum()) / LN10
        assert theirs.score(line, bos=False, eos=False) == pytest.approx(ours, abs=1e-5), line


def test_a_closed_vocabulary(kenlm: ModuleType, text: Path) -> None:
    settings = TextSettings(tokenizer="whitespace")
    model: Any = lmkit.train(text, settings=settings, order=3, closed_vocabulary=True)
    lmkit.export_model(model, text.with_suffix(".arpa"))
    theirs = kenlm.Model(str(text.with_suffix(".arpa")))
    for line in [*lines_of(6), ""]:
        ours = float(model.score(line)[0].sum()) / LN10
        assert theirs.score(line) == pytest.approx(ours, abs=1e-5), line
    # The format has no number for impossible.
    assert theirs.score("nobody") < -90
