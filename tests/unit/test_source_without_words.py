"""A source whose vocabulary has no word, as of a text of numbers: nothing to correct by, and
nothing to stumble over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.channel.corrector import Corrector
from lmkit.channel.edits.damerau import Damerau
from lmkit.model import LanguageModel

LINES = ["12 345 thecat sat", "", "Thecat, teh 7"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    text = tmp_path / "numbers.txt"
    text.write_text("".join(f"{n} {n % 7}\n" for n in range(50)))
    lmkit.train(text, order=2, output=tmp_path / "numbers.lm")
    return tmp_path / "numbers.lm"


@pytest.fixture
def source(path: Path) -> LanguageModel:
    return lmkit.load(path)


@pytest.mark.parametrize("split_words", [False, True])
def test_text_comes_back_as_it_is(source: LanguageModel, split_words: bool):
    corrector = Corrector(source, channel=Damerau(), split_words=split_words)
    assert [one.corrected for one in corrector.correct(LINES)] == LINES


def test_words_of_a_list_are_enough(source: LanguageModel):
    counts = {"the": 9.0, "cat": 5.0}
    splitting = Corrector(source, channel=Damerau(), lexicon=counts, split_words=True)
    assert splitting.correct(["12thecat"])[0].corrected == "12 the cat"


def test_its_channel_is_stored_and_has_probabilities(path: Path, tmp_path: Path):
    lmkit.api.train_channel(path, output=tmp_path / "channel.lm")
    channel = lmkit.load(tmp_path / "channel.lm")
    assert len(channel.stock.words) == 0
    assert Corrector(channel).correct(LINES)[0].corrected == LINES[0]
    assert np.isfinite(channel.perplexity(["12 teh"]).bits_per_character)
