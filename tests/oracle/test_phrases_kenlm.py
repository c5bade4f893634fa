"""Phrases without sentence marks: kenlm's ``score(text, bos=False, eos=False)``."""

from __future__ import annotations

import random
from types import ModuleType

import pytest

import lmkit
from lmkit.evaluate.scoring import score_lines
from lmkit.measures import LN10
from lmkit.text.settings import TextSettings


@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", "witten-bell"])
def test_phrases_have_the_same_probability(tmp_path, kenlm: ModuleType, smoothing):
    generator = random.Random(5)
    words = [f"w{rank}" for rank in range(30)]
    lines = [" ".join(generator.choices(words, k=generator.randrange(9))) for _ in range(300)]
    (tmp_path / "text.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    settings = TextSettings(tokenizer="whitespace")
    lmkit.train(tmp_path / "text.txt", output=tmp_path / "m.lm", order=4, smoothing=smoothing,
                settings=settings)  # fmt: skip
    lmkit.export_model(tmp_path / "m.lm", tmp_path / "m.arpa")
    theirs = kenlm.Model(str(tmp_path / "m.arpa"))
    phrases = [line for line in lines[:100] if line] + ["nosuch", "w1 nosuch w2", "w3 w3 w3 w3 w3"]
    (scores,) = score_lines(lmkit.load(tmp_path / "m.lm"), [phrases], sentence_marks=False)
    for phrase, score in zip(phrases, scores.log_probability / LN10, strict=True):
        assert score == pytest.approx(theirs.score(phrase, bos=False, eos=False), abs=1e-4)
