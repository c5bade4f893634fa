"""What is rarely meant, and what is rarely an error: rare words, names, symbols."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.building import JOINED_TO_NAME, Piece
from lmkit.channel.decoding.readings import DOUBTFUL, RARE, RARER, WHOLE
from lmkit.channel.edits.damerau import Damerau
from lmkit.channel.weights import Weights
from lmkit.model import LanguageModel
from lmkit.text.settings import TextSettings

from ..small_models import source_with_rare_words

TEXT = """the book of the author is in the house
we met here and there and read a book of stone
do not bother me any more , says the author
a letter , a word , a stone , a song , a table , a river , a garden
"""
OTHERS = {"the": 1e9, "online": 1e8}
"""What else there is in a list of the web."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return source_with_rare_words(tmp_path_factory.mktemp("source"), TEXT)


def corrector(source: LanguageModel, **counts: float) -> Corrector:
    return Corrector(source, channel=Damerau(), lexicon=OTHERS | counts)


def corrected(corrector: Corrector, line: str) -> str:
    return corrector.correct([line])[0].corrected


@pytest.mark.parametrize(("count", "meant"), [(20.0, "morimi"), (1e7, "moremi")])
def test_what_nobody_knows_is_no_error_of_a_word_as_rare(
    source: LanguageModel, count: float, meant: str
):
    assert corrected(corrector(source, moremi=count), "a book of morimi") == f"a book of {meant}"


def test_how_rare_a_word_may_be_that_is_meant(source: LanguageModel):
    """Half of the words of the frequency `RARE` are meant, and of `RARER` where another word was
    typed; what the source expects of a word is what it was besides."""
    rows = corrector(source, moremi=3e3, stonen=1e4).readings
    for word in ("moremi", "stonen"):
        row = np.array([rows.lexicon.rows[word]])
        frequency = float(np.exp(rows.lexicon.log_prior[row[0]]))
        for known, half in ((False, np.exp(RARE)), (True, np.exp(RARER))):
            meant = rows._log_meant(row, np.array([known]))
            assert np.exp(meant[0]) == pytest.approx(frequency / (frequency + half))
    surface = corrector(source, moremi=3e3).surface
    tokens = [surface.tokens[surface.number(word)] for word in ("morimi", "moremi")]
    assert [token.row >= 0 for token in tokens] == [False, True]
    one = corrector(source, moremi=3e3).readings
    one.learn(tokens)
    begins = one.starts.values
    label = one.label.values[: begins[1]]
    of_moremi = int(np.flatnonzero(label == tokens[1].row)[0])
    assert one.log_adapted.values[of_moremi] == pytest.approx(
        float(one._log_meant(np.array([tokens[1].row]), np.array([False]))[0])
    )
    # What is kept is not doubted for being rare.
    assert one.log_adapted.values[begins[1]] == 0.0


def test_a_word_for_another_word_is_asked_for_more(source: LanguageModel):
    """``stone`` may be meant by an unknown word and by a known one."""
    one = corrector(source, stoner=1e5)
    row = one.lexicon.rows["stone"]
    tokens = [one.surface.tokens[one.surface.number(word)] for word in ("stonem", "stoner")]
    assert [token.row >= 0 for token in tokens] == [False, True]
    one.readings.learn(tokens)
    starts, label = one.readings.starts.values, one.readings.label.values
    paid = [
        float(one.readings.log_adapted.values[begin + np.flatnonzero(label[begin:end] == row)[0]])
        for begin, end in pairwise(starts)
    ]
    frequency = float(np.exp(one.lexicon.log_prior[row]))
    expected = [frequency / (frequency + np.exp(half)) for half in (RARE, RARER)]
    assert expected[1] < expected[0] - 1e-4
    assert np.exp(paid) == pytest.approx(expected, abs=1e-9)


def test_nobody_tells_how_rare_the_words_of_a_dictionary_are(source: LanguageModel):
    """Nor those of a list without counts."""
    words = {"zalando", "moremi"}
    counted = Corrector(source, channel=Damerau(), lexicon=OTHERS, dictionary=words)
    uncounted = Corrector(source, channel=Damerau(), lexicon=dict.fromkeys(words, 1.0))
    for one in (counted, uncounted):
        rows = np.array([one.lexicon.rows[word] for word in sorted(words)])
        assert one.readings._log_meant(rows, np.array([True, False])).tolist() == [0.0, 0.0]
        known = np.array([one.lexicon.rows["garden"]])
        assert one.readings._log_meant(known, np.array([True]))[0] < 0
    assert corrected(counted, "the house of zalandp") == "the house of zalando"


def test_a_common_word_of_the_list_is_not_two_words_run_together(source: LanguageModel):
    line = "do not bother me anymore"
    common, rare = (corrector(source, anymore=count) for count in (5e4, 50.0))
    of_list = common.lexicon.log_list[common.lexicon.rows["anymore"]]
    assert of_list - np.log(common.lexicon.mix) > WHOLE
    assert corrected(common, line) == line
    assert corrected(rare, line) == "do not bother me any more"
    # Somebody who asks is told of both.
    for left in ("", "do not bother me"):
        assert "any more" in [one.text for one in common.suggest("anymore", left=left)]


def test_what_the_source_has_is_no_word_of_the_list(tmp_path: Path):
    """Four times run together in the source's own text, and in the list never, or often."""
    text = tmp_path / "text.txt"
    text.write_text("they sat in the room\n" * 300 + "he was inthe garden\n" * 4)
    source = lmkit.train(text, order=2)
    line = "they sat inthe room"
    none, listed = (
        Corrector(source, channel=Damerau(), lexicon=OTHERS | more) for more in ({}, {"inthe": 1e6})
    )
    assert corrected(none, line) == "they sat in the room"
    assert corrected(listed, line) == line
    # What the source has often is a word, and may be two as well.
    text.write_text("they sat in the room\n" * 300 + "he was inthe garden\n" * 12)
    certain = Corrector(
        lmkit.train(text, order=2), channel=Damerau(), lexicon=OTHERS | {"inthe": 1e6}
    )
    assert certain.lexicon.certain[certain.lexicon.rows["inthe"]]
    assert corrected(certain, line) == "they sat in the room"


def test_letters_alone_that_nobody_knows_are_symbols(source: LanguageModel):
    one = corrector(source)
    assert corrected(one, "ŋ book of the author") == "ŋ book of the author"
    assert corrected(one, "à book of the author") == "à book of the author"
    assert corrected(one, "s book of teh author") != "s book of teh author"


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("the book of gardem", 0.0),
        ("the book of Young-gardem", JOINED_TO_NAME),
        ("the book of Île-ŋ-gardem", JOINED_TO_NAME),
        ("Young-gardem", JOINED_TO_NAME),
        ("the book of house-gardem", 0.0),
        # Neither a space nor an end of a sentence joins.
        ("the book of Young - gardem", 0.0),
        ("the book of Young- gardem", 0.0),
        ("the book of Young, gardem", 0.0),
        # Capitals for other reasons are no names, and behind some the word has its own.
        ("House-gardem", 0.0),
        ("the book of DNA-gardem", 0.0),
        ("THE BOOK OF THE YOUNG-GARDEM", 0.0),
        ("the book of Young-Gardem", 1.0),
    ],
)
def test_small_letters_behind_a_name_and_a_hyphen_are_part_of_it(
    source: LanguageModel, line: str, part: float
):
    one = corrector(source)
    read = [one.surface.read(line)]
    builder = one.builder
    builder.learn()
    many = len(read[0].tokens)
    typed = builder._typed(read, [Piece(0, 0, many)], np.array([0]), np.array([many]))
    assert builder._like_a_name(typed)[-1] == part


def test_a_name_behind_a_hyphen_is_left_where_the_word_is_not(source: LanguageModel):
    weights = Weights(name=60.0)
    one = Corrector(source, channel=Damerau(), lexicon=OTHERS, weights=weights)
    assert corrected(one, "the book of house-gardem") == "the book of house-garden"
    assert corrected(one, "the book of Young-gardem") == "the book of Young-gardem"


def test_marks_of_names_are_meant(source: LanguageModel):
    """Not for the price of names alone: there is none here."""
    listed = OTHERS | {"garden": 1e6}
    one = Corrector(source, channel=Damerau(), lexicon=listed, weights=Weights(name=0.0))
    assert corrected(one, "a book of stoné") == "a book of stone"
    assert corrected(one, "a book of Stonr") == "a book of Stone"
    assert corrected(one, "a book of Stoné") == "a book of Stoné"
    assert corrected(one, "Thé author is here") == "Thé author is here"
    assert one.suggest("Stoné", left="a book of")[0].text == "Stone"


def test_a_capital_before_a_rare_word_is_a_name_also_where_a_sentence_begins(tmp_path: Path):
    """Lists of the web have names in small letters."""
    counts = tmp_path / "counts.tsv"
    counts.write_text("the\t1000000\nof\t500000\nhis\t100000\nwhen\t100000\n<unk>\t1000\n")
    source = lmkit.import_model(counts, kind="counts", order=1, settings=TextSettings("word"))
    named, word = (
        Corrector(source, channel=Damerau(), lexicon=OTHERS | {"wen": count})
        for count in (1e3, 1e5)
    )
    assert named.correct(["Wen the"])[0].corrected == "Wen the"
    assert named.correct(["wen the"])[0].corrected == "when the"
    rows = [one.lexicon.rows["wen"] for one in (named, word)]
    # One that is explained as an error is half a name only.
    rare = named.readings
    tokens = [named.surface.tokens[named.surface.number(word)] for word in ("Wen", "wen")]
    rare.learn(tokens)
    assert rare.familiar.values[-2:].tolist() == [False, False]
    told = rare.log_channel.values[rare.starts.values[-3]]
    assert rare.doubtful.values[-2] == (told < DOUBTFUL)
    likely = [
        bool(one.readings._likelier(np.array([row]), -13.0)[0])
        for one, row in zip((named, word), rows, strict=True)
    ]
    assert likely == [False, True]
