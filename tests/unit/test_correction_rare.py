"""What is rarely meant, and what is rarely an error: rare words, names, symbols."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.channel.corrector import Corrector
from lmkit.channel.decoding.readings import RARE, RARER, WHOLE
from lmkit.channel.edits.damerau import Damerau
from lmkit.model import LanguageModel
from lmkit.text.settings import TextSettings

TEXT = """the book of the author is in the house
we met here and there and read a book of stone
do not bother me any more , says the author
a letter , a word , a stone , a song , a table , a river , a garden
"""
OTHERS = {"the": 1e9, "online": 1e8}
"""What else there is in a list of the web."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    path = tmp_path_factory.mktemp("source") / "text.txt"
    rare = "\n".join(f"qu{a}{b}st" for a in "aeiou" for b in "bdlnrst")
    path.write_text(TEXT * 400 + rare)
    return lmkit.train(path, order=2, settings=TextSettings(lowercase=True))


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


def test_a_common_word_of_the_list_is_not_two_words_run_together(source: LanguageModel):
    line = "do not bother me anymore"
    common, rare = (corrector(source, anymore=count) for count in (5e4, 50.0))
    prior = common.lexicon.log_prior[common.lexicon.rows["anymore"]]
    assert prior > WHOLE
    assert corrected(common, line) == line
    assert corrected(rare, line) == "do not bother me any more"
    # Somebody who asks is told of both.
    assert "any more" in [one.text for one in common.suggest("anymore")]


def test_letters_alone_that_nobody_knows_are_symbols(source: LanguageModel):
    one = corrector(source)
    assert corrected(one, "ŋ book of the author") == "ŋ book of the author"
    assert corrected(one, "à book of the author") == "à book of the author"
    assert corrected(one, "s book of teh author") != "s book of teh author"


def test_small_letters_behind_a_name_and_a_hyphen_are_part_of_it(source: LanguageModel):
    one = corrector(source)
    assert corrected(one, "the book of gardem") == "the book of garden"
    assert corrected(one, "the book of Young-gardem") == "the book of Young-gardem"
    assert corrected(one, "the book of Île-ŋ-gardem") == "the book of Île-ŋ-gardem"
    assert corrected(one, "the book of house-gardem") == "the book of house-garden"
    # Neither a space nor an end of a sentence joins.
    assert corrected(one, "the book of Young - gardem") == "the book of Young - garden"
    assert corrected(one, "the book of Young, gardem") == "the book of Young, garden"


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
    likely = [
        bool(one.readings._likelier(np.array([row]), -13.0)[0])
        for one, row in zip((named, word), rows, strict=True)
    ]
    assert likely == [False, True]
