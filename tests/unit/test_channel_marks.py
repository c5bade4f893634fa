"""Candidates of words with accents: as what they are, and as what they are without them."""

from __future__ import annotations

import numpy as np
import pytest

import lmkit
from lmkit.channel.candidates.finder import CandidateFinder
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.candidates.marks import MARK, find_candidates
from lmkit.channel.corrector import Corrector
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.edits.pairs import collected
from lmkit.model import LanguageModel

from ..small_models import saved_bigrams

LISTED = {"café": 4.0, "coat": 9.0, "goat": 2.0}
TEXT = ["the man died", "the cafe is there", "they did it", "a dead man"] * 9


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return lmkit.load(saved_bigrams(tmp_path_factory.mktemp("source"), TEXT))


@pytest.fixture
def finder(source: LanguageModel) -> CandidateFinder:
    return CandidateFinder(Lexicon.of(source, LISTED), Damerau())


def found(finder: CandidateFinder, typed: str) -> dict[str, float]:
    candidates = find_candidates(finder, [typed])
    words = finder.lexicon.words.at(candidates.rows)
    assert len(set(words)) == len(words)
    return dict(zip(words, candidates.log_channel.tolist(), strict=True))


def test_a_word_is_what_it_is_without_its_marks_at_a_price_for_each(finder: CandidateFinder):
    wrong = np.log1p(-finder.channel.keep)
    assert found(finder, "diẹd")["died"] == pytest.approx(wrong + MARK)
    assert found(finder, "đíẹd")["died"] == pytest.approx(wrong + 3 * MARK)


def test_the_neighbours_of_the_plain_word_are_candidates_too(finder: CandidateFinder):
    (did,) = finder.channel.log_probs(["died"], ["did"])
    assert found(finder, "diẹd")["did"] == pytest.approx(did + MARK)
    assert found(finder, "died") == pytest.approx(
        {word: price - MARK for word, price in found(finder, "diẹd").items() if word != "died"}
    )


def test_a_channel_that_knows_the_mark_is_believed(finder: CandidateFinder):
    """Of the two ways to one word the likelier one counts."""
    pairs = collected([(("diẹd", "died"), 50.0), (("teh", "the"), 3.0)])
    taught, _ = Damerau.learn(pairs)
    of_channel = float(taught.log_probs(["diẹd"], ["died"])[0])
    assert of_channel > np.log1p(-taught.keep) + MARK
    knowing = CandidateFinder(finder.lexicon, taught)
    assert found(knowing, "diẹd")["died"] == pytest.approx(of_channel)


def test_a_word_with_marks_is_no_candidate_of_itself(
    finder: CandidateFinder, source: LanguageModel
):
    assert "cafe" in found(finder, "café")
    assert "café" not in found(finder, "café")
    asked = Corrector(source, channel=Damerau(), lexicon=LISTED).suggest("café")
    assert "cafe" in [one.text for one in asked]
    assert "café" not in [one.text for one in asked]


@pytest.mark.parametrize("typed", ["d\u0323\u0323ied", "die\u0323\u0302\u0302d", "a\u0338ied"])
def test_marks_that_are_no_part_of_a_letter_stay(finder: CandidateFinder, typed: str):
    one, other = find_candidates(finder, [typed]), finder.find([typed])
    assert one.rows.tolist() == other.rows.tolist()
    assert one.log_channel.tolist() == other.log_channel.tolist()


def test_words_are_asked_together_as_one_by_one(finder: CandidateFinder):
    typed = ["diẹd", "teh", "café", "diẹd", "", "coạt", "x" * 99, "gòát"]
    together = find_candidates(finder, typed)
    words = finder.lexicon.words.at(together.rows)
    for i, word in enumerate(typed):
        here = slice(int(together.starts[i]), int(together.starts[i + 1]))
        mine = dict(zip(words[here], together.log_channel[here].tolist(), strict=True))
        assert mine == pytest.approx(found(finder, word))


def test_a_mark_that_was_not_meant_is_corrected(source: LanguageModel):
    corrector = Corrector(source, channel=Damerau())
    assert corrector.correct(["The man diẹd"])[0].corrected == "The man died"
