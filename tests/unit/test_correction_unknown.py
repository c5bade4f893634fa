"""What an unknown word is worth that is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.candidates.stock import FEWEST_SPELT
from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.surface import Token
from lmkit.channel.decoding.unknown import (
    COMPOUND,
    FOREIGN,
    FOREIGN_LETTER,
    LISTED,
    SLIP,
    UnknownWords,
)
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.weights import Weights
from lmkit.model import LanguageModel
from lmkit.text.settings import TextSettings
from lmkit.text.spelling import SpellingModel

from ..small_models import source_with_rare_words

TEXT = """the audio of the recording is in the house
we met here and there and made a house of stone
a letter , a word , a stone , a song , a table , a river , a garden
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return source_with_rare_words(tmp_path_factory.mktemp("source"), TEXT)


@pytest.fixture(scope="module")
def corrector(source: LanguageModel) -> Corrector:
    return Corrector(source, channel=Damerau())


def price(corrector: Corrector, word: str, exact: bool = False) -> float:
    token: Token = corrector.surface.tokens[corrector.surface.number(word)]
    unknown = UnknownWords(corrector.source, corrector.lexicon, exact)
    return float(unknown.log_probs([token])[0])


def spelt(corrector: Corrector, word: str) -> float:
    (log_prob,) = np.asarray(corrector.source.encoder.spelling_log_probs([word]))
    return float(log_prob + np.log(corrector.lexicon.spelling_share))


def test_a_word_spelt_like_others_costs_its_spelling(corrector: Corrector):
    assert price(corrector, "quabst") == pytest.approx(spelt(corrector, "quabst"))


def test_a_word_of_another_language_costs_no_more_than_its_letters(corrector: Corrector):
    strange = "nieuwediep"
    share = np.log(corrector.lexicon.spelling_share)
    at_most = FOREIGN + FOREIGN_LETTER * (len(strange) + 1) + share
    assert spelt(corrector, strange) < at_most
    assert price(corrector, strange) == pytest.approx(at_most)
    assert price(corrector, strange, exact=True) == pytest.approx(spelt(corrector, strange))


def test_accents_cost_nothing_but_on_a_common_word(corrector: Corrector):
    assert price(corrector, "quábst") == pytest.approx(price(corrector, "quabst"))
    assert price(corrector, "housé") < price(corrector, "stonar")
    assert price(corrector, "Housé") > price(corrector, "housé")
    assert SLIP > 0


def test_a_long_list_tells_how_words_of_its_kind_are_spelt(source: LanguageModel):
    words = [
        f"{a}{b}{c}{end}"
        for a in "bdgklmnprst"
        for b in "aeiou"
        for c in ("l", "n", "rk", "m", "t", "sz", "w", "zn", "d", "k")
        for end in ("ski", "wicz")
        if a + b + c != "maw"
    ][:FEWEST_SPELT]
    assert len(words) == FEWEST_SPELT
    # A word that the source knows tells nothing new.
    few, many = (
        Corrector(source, channel=Damerau(), lexicon=dict.fromkeys([*part, "house"], 1.0))
        for part in (words[:-1], words)
    )
    share = np.log(few.lexicon.spelling_share)
    assert many.lexicon.spelling_share == few.lexicon.spelling_share
    letters = FOREIGN + FOREIGN_LETTER * 7 + share
    assert price(few, "mawski") == pytest.approx(max(letters, spelt(few, "mawski")))
    (alike,) = SpellingModel.train(words).log_probs(["mawski"])
    assert price(many, "mawski") == pytest.approx(LISTED + alike + share)
    assert price(many, "Mawski") == pytest.approx(LISTED + alike + share)
    assert price(many, "mawski") > price(few, "mawski") + 3
    assert price(many, "quabst") == price(few, "quabst")


def test_two_words_of_content_may_be_one_but_words_of_grammar_are_run_together(
    source: LanguageModel,
):
    counts = {"video": 300.0, "camera": 300.0, "this": 1e6, "with": 3e5}
    corrector = Corrector(source, channel=Damerau(), lexicon=counts)
    prior = dict(zip(corrector.lexicon.words, corrector.lexicon.log_prior.tolist(), strict=True))
    share = np.log(corrector.lexicon.spelling_share)
    compound = COMPOUND + prior["video"] + prior["camera"] + share
    assert price(corrector, "videocamera") == pytest.approx(compound)
    letters = FOREIGN + FOREIGN_LETTER * 9 + share
    assert price(corrector, "withthis") == pytest.approx(max(letters, spelt(corrector, "withthis")))


def test_caution_is_a_price_of_every_change(source: LanguageModel):
    bold, careful = (
        Corrector(source, channel=Damerau(), weights=Weights(caution=caution))
        for caution in (0.0, 30.0)
    )
    line = "teh audio of teh recording andthere"
    assert bold.correct([line])[0].corrected == "the audio of the recording and there"
    assert careful.correct([line])[0].corrected == line
    assert Weights().channel_alone == 1.0
    assert Weights(channel=1.6).channel_alone == pytest.approx(2.0)
    assert Weights(keep=0.9, caution=2.0).log_change == pytest.approx(np.log(0.1) - 2.0)


def test_where_no_rare_words_taught_spelling_letters_are_drawn_one_by_one(tmp_path: Path):
    counts = tmp_path / "counts.tsv"
    counts.write_text("the\t1000\nhouse\t100\n<unk>\t10\n")
    source = lmkit.import_model(counts, kind="counts", order=1, settings=TextSettings("word"))
    corrector = Corrector(source, channel=Damerau())
    assert price(corrector, "Szczecin") == pytest.approx(FOREIGN + FOREIGN_LETTER * 9)


def test_words_are_certain_that_are_no_small_part_of_their_text(tmp_path: Path):
    counts = tmp_path / "counts.tsv"
    counts.write_text("the\t1000000000\nreceived\t300000\nrecieved\t900\n")
    source = lmkit.import_model(counts, kind="counts", order=1, settings=TextSettings("word"))
    lexicon = Lexicon.of(source)
    certain = dict(zip(lexicon.words, lexicon.certain.tolist(), strict=True))
    assert certain == {"the": True, "received": True, "recieved": False}
    corrector = Corrector(source)
    assert corrector.correct(["recieved"])[0].corrected == "received"


def test_a_word_that_is_asked_about_may_be_an_error_of_its_list(source: LanguageModel):
    """``gardn`` is in the list, with about what the channel makes of ``garden``; ``quilt`` is a
    word beside ``quiet`` that no error explains."""
    listed = {"garden": 1e6, "gardn": 2e3, "quilt": 1e6, "quiet": 1e6, "the": 1e8}
    corrector = Corrector(source, channel=Damerau(), lexicon=listed)
    prior = corrector.lexicon.log_prior
    for word, meant, doubted in [("gardn", "garden", True), ("quilt", "quiet", False)]:
        row = corrector.lexicon.rows[word]
        best = corrector.suggest(word)[0]
        assert best.text == meant
        kept = np.log(corrector.weights.keep) + prior[row]
        undoubted = best.log_channel + best.log_source - kept
        odds = float(np.log(best.posterior / (1 - best.posterior)))
        assert (odds > undoubted + 1) == doubted
