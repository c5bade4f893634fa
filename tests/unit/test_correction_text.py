"""Text that goes through the corrector: what is left alone, and what comes back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lmkit
from lmkit.channel.candidates.finder import SLIPS_ASKED, CandidateFinder
from lmkit.channel.candidates.folding import _read_columns, _read_lines, fold, read_word_list
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.corrector import Corrector
from lmkit.channel.edits.damerau import Damerau
from lmkit.errors import TextError, UnsupportedError
from lmkit.text.settings import TextSettings
from lmkit.text.wordlists import ListForm

TEXT = (
    """the cat sat on the mat .
the cat ate the rat , and the rat did not like that .
I think of the house of the man ; the man is in the house .
London is the place where the man with the cat is .
don't do that , said the man .
they went there with their cat from the house .
"""
    * 12
)


@pytest.fixture(scope="module")
def corrector(tmp_path_factory: pytest.TempPathFactory) -> Corrector:
    path = tmp_path_factory.mktemp("source") / "text.txt"
    path.write_text(TEXT)
    model = lmkit.train(path, order=3, settings=TextSettings(lowercase=True))
    return Corrector(model, channel=Damerau())


@pytest.fixture(scope="module")
def cased(tmp_path_factory: pytest.TempPathFactory) -> Corrector:
    path = tmp_path_factory.mktemp("source") / "text.txt"
    path.write_text(TEXT)
    return Corrector(lmkit.train(path, order=3), channel=Damerau())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("the catt sat on teh mat .", "the cat sat on the mat ."),
        ("Teh cat   sat\ton the mat.", "The cat   sat\ton the mat."),
        ("the man is in teh house;", "the man is in the house;"),
        ("ofthe man", "of the man"),
        ("the hou se of the man", "the house of the man"),
        ("don’t do thatt", "don’t do that"),
        ("THE CAT SAT ON TEH MAT AND THE CAT ATE", "THE CAT SAT ON THE MAT AND THE CAT ATE"),
        ("the ``catt'' and ``teh man''", "the ``cat'' and ``the man''"),
        ("``teh`` cat", "``the`` cat"),
        ("don`t do thatt , the mans`", "don`t do that , the mans`"),
        ("`that is teh `house' of the `man'", "`that is the `house' of the `man'"),
        ("the J. catt", "the J. cat"),
        ("the catt. the man", "the cat. the man"),
    ],
)
def test_errors_are_corrected_and_nothing_else_changes(
    corrector: Corrector, typed: str, meant: str
):
    (correction,) = corrector.correct([typed])
    assert correction.line == typed
    assert correction.corrected == meant


@pytest.mark.parametrize(
    "text",
    [
        "the cat https://teh.example.com/catt sat",
        "the man teh@catt.example and @teh",
        "the #catt sat",
        "teh_catt = catt(teh)",
        "C:\\teh\\catt and /usr/teh",
        "the TEH code",
        "the `teh` of `catt`",
        "the (`a catt teh ratt`), `teh`",
        "the ```teh``` cat",
        "the B2B teh2 1st",
        "12 345.6 1,000",
        "the אteh cаtt",  # an alef, and a Cyrillic letter
        "не teh͝x",
    ],
)
def test_addresses_code_numbers_and_capitals_are_left_alone(corrector: Corrector, text: str):
    assert corrector.correct([text])[0].corrected == text


@pytest.mark.parametrize(
    ("initials", "letters"),
    [("the man J. Smith", "J"), ("t. v. and the cat", "tv"), ("(n. the house", "n")],
)
def test_initials_are_left_alone(corrector: Corrector, initials: str, letters: str):
    line = corrector.surface.read(initials)
    words = [corrector.surface.tokens[number].text for number in line.tokens]
    open_ = dict(zip(words, line.open, strict=True))
    assert not any(open_[letter] for letter in letters)
    assert open_["the"]
    # Without the full stop they may be errors.
    line = corrector.surface.read(initials.replace(".", " "))
    words = [corrector.surface.tokens[number].text for number in line.tokens]
    assert all(dict(zip(words, line.open, strict=True))[letter] for letter in letters)


def test_a_name_in_capitals_comes_back_so_where_the_source_has_it_so(cased: Corrector):
    assert cased.correct(["Londom is the place ."])[0].corrected == "London is the place ."
    assert cased.correct(["Teh cat sat"])[0].corrected == "The cat sat"


@pytest.mark.parametrize(
    "text",
    ["i think of the house", "the man's cat's rat's", "THE man and i did not"],
)
def test_capitals_that_the_source_has_otherwise_are_no_errors(cased: Corrector, text: str):
    assert cased.correct([text])[0].corrected == text


def test_changes_say_where_and_what(corrector: Corrector):
    (correction,) = corrector.correct(["the catt sat on teh mat"])
    assert [c.original for c in correction.changes] == ["catt", "teh"]
    for change in correction.changes:
        stop = change.offset + change.length
        assert correction.line[change.offset : stop] == change.original
        assert 0 < change.posterior <= 1
        assert sum(p for _, p in change.runners_up) + change.posterior <= 1 + 1e-9
    assert corrector.correct(["the cat sat"])[0].changes == ()


@pytest.mark.parametrize(
    "typed", ["sai oan", "theee tat", "chere whee I housb plae", "bsat and I s theree"]
)
def test_no_runner_up_is_likelier_than_the_change(corrector: Corrector, typed: str):
    """The best way has "sat", "the", "where" and "Is", each less likely in all ways together."""
    (correction,) = corrector.correct([typed])
    assert correction.changes
    for change in correction.changes:
        assert all(posterior <= change.posterior for _, posterior in change.runners_up)


def test_a_threshold_holds_unsure_changes_back(corrector: Corrector):
    strict = Corrector(corrector.source, channel=corrector.channel, threshold=1.1)
    assert strict.correct(["the catt sat"])[0].corrected == "the catt sat"


def test_explanations_have_edits(corrector: Corrector):
    explaining = Corrector(corrector.source, channel=corrector.channel, explain=True)
    (change,) = explaining.correct(["the catt sat"])[0].changes
    best = change.candidates[0]
    assert best.text == "cat"
    assert best.posterior == pytest.approx(change.posterior)
    assert "".join(edit.typed for edit in best.edits) == "catt"
    expected = corrector.channel.log_probs(["catt"], ["cat"])[0]
    assert best.log_channel == pytest.approx(expected)


def test_suggestions_are_ranked_and_know_their_context(corrector: Corrector):
    alone = corrector.suggest("catt", n=3)
    assert alone[0].text == "cat"
    assert [s.posterior for s in alone] == sorted((s.posterior for s in alone), reverse=True)
    assert corrector.suggest("Catt")[0].text == "Cat"
    assert corrector.suggest("ofthe")[0].text == "of the"
    ther = corrector.suggest("thier", left="with", right="cat")
    assert ther[0].text == "their"
    assert corrector.suggest("12") == []
    assert corrector.suggest("") == []


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("catt,", "cat,"),
        ("the-catt", "the-cat"),
        ("the  catt sat", "the  cat sat"),
        ("catt’s", "cat’s"),
        ("CATT", "CAT"),
    ],
)
@pytest.mark.parametrize("left", ["", " ", "on the"])
def test_what_stands_beside_a_doubtful_word_is_part_of_the_suggestion(
    corrector: Corrector, asked: str, meant: str, left: str
):
    assert meant in [one.text for one in corrector.suggest(asked, left=left)]


def test_a_suggestion_may_be_two_typed_words_in_one(corrector: Corrector):
    found = corrector.suggest("the hou se!", left="in")
    assert "the house!" in [one.text for one in found]


HOSTILE = st.lists(
    st.text(
        st.sampled_from(
            "teh catsonm\t\x00\x07\x1b\x7f\x85\u2028\u200f\u05d0\u0627\u0301ßİﬁ'’-.,\"()@#/\\_<>1"
        )
        | st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]),
        max_size=60,
    ),
    max_size=6,
)


@given(HOSTILE)
@example(["<s> </s> <unk> teh catt"])
@example(["a\u0301\u0301 te\u0301h", "\u202eteh catt\u202c", "\ufeffteh"])
@example(["İstanbul teh ŉ ǆ"])
def test_hostile_text_never_loses_a_line_or_what_is_not_a_word(
    corrector: Corrector, lines: list[str]
):
    corrections = corrector.correct(lines)
    assert [c.line for c in corrections] == lines
    for correction in corrections:
        text, place = [], 0
        for change in correction.changes:
            assert change.offset >= place
            stop = change.offset + change.length
            assert correction.line[change.offset : stop] == change.original
            assert change.original.replace(" ", "").replace("'", "").replace("’", "").isprintable()
            text += [correction.line[place : change.offset], change.replacement]
            place = stop
        text.append(correction.line[place:])
        assert correction.corrected == "".join(text)


@pytest.mark.slow
@given(st.lists(st.sampled_from(["teh catt sat", "", "the ratt", "ofthe man"]), max_size=8))
def test_the_size_of_a_batch_does_not_change_the_answer(corrector: Corrector, lines: list[str]):
    small = Corrector(corrector.source, channel=corrector.channel, batch_tokens=1)
    assert small.correct(lines) == corrector.correct(lines)


def test_a_stream_is_read_no_further_than_a_batch(corrector: Corrector):
    small = Corrector(corrector.source, channel=corrector.channel, batch_tokens=3)
    read = []

    def lines():
        for number in range(10):
            read.append(number)
            yield "teh catt sat"

    stream = small.correct_stream(lines())
    assert next(stream).corrected == "the cat sat"
    assert read == [0]


def test_very_long_words_and_lines_are_bounded(corrector: Corrector):
    word = "x" * 10_000
    line = " ".join([word, "teh catt sat on the mat ."] + ["the cat sat on the mat ."] * 3000)
    (correction,) = corrector.correct([line])
    assert correction.corrected == line.replace("teh catt", "the cat")


def test_a_dictionary_and_a_list_make_words_known(corrector: Corrector, tmp_path: Path):
    assert corrector.correct(["the catx sat"])[0].corrected == "the cat sat"
    mine = Corrector(corrector.source, channel=corrector.channel, dictionary=["catx"])
    assert mine.correct(["the catx sat"])[0].corrected == "the catx sat"
    listed = tmp_path / "words.txt"
    listed.write_text("Zebra\t100\nzebra 20\nwombat\n12\t4\n\n")
    assert read_word_list(listed) == {"zebra": 120.0, "wombat": 1.0}
    known = Corrector(corrector.source, channel=corrector.channel, lexicon=listed)
    assert known.correct(["the zebrra sat"])[0].corrected == "the zebra sat"


FIELDS = st.sampled_from(
    ["zebra", "Zoé", "o'clock", "12", "3.5", "1_0", "-1", "nan", "1e99", "x" * 41, ""]
)


@given(
    st.lists(st.tuples(FIELDS, st.sampled_from("\t\t\t \r\x1c"), FIELDS).map("".join), max_size=9)
)
def test_lists_read_at_once_are_those_read_line_by_line(lines: list[str]):
    text = "".join(f"{line}\n" for line in [*lines, "wombat\t1"])
    at_once = _read_columns(text.encode())
    expected: dict[str, float] = {}
    try:
        _read_lines(text.split("\n"), ListForm(None), "words", 1, expected)
    except TextError:
        assert at_once is None
    else:
        assert at_once is None or list(at_once.items()) == list(expected.items())


def test_regular_lists_are_read_at_once():
    words = "".join(f"{a}{b}\t{ord(a)}\n" for a in "ABC'1" for b in "xyz")
    expected = {f"{a}{b}": float(ord(a.upper())) for a in "abc'" for b in "xyz"}
    assert _read_columns(words.encode()) == expected


@pytest.mark.parametrize("count", ["-3", "inf", "nan", "1e308"])
def test_a_senseless_count_is_refused(tmp_path: Path, count: str):
    listed = tmp_path / "words.txt"
    listed.write_text(f"zebra\t{count}\n")
    with pytest.raises(TextError, match=f"line 1: the count {count}"):
        read_word_list(listed)


def test_a_source_of_characters_is_refused(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    model = lmkit.train(path, order=2, settings=TextSettings("char"))
    with pytest.raises(UnsupportedError, match="character"):
        Corrector(model, channel=Damerau())


def test_the_lexicon_is_sorted_by_its_prior_and_knows_the_source(corrector: Corrector):
    lexicon = Lexicon.of(corrector.source, {"zebra": 5.0, "the": 10.0})
    assert (lexicon.log_prior[:-1] >= lexicon.log_prior[1:]).all()
    tokens = corrector.source.vocabulary.tokens
    for word, row in lexicon.rows.items():
        number = lexicon.ids[0, row]
        assert (fold(tokens[number]) == word) if number else word == "zebra"


def test_a_list_counts_for_more_where_words_stand_alone(corrector: Corrector):
    """Without context: (1 - 4 mix) p_source + 4 mix p_list; mix p_list beside the source."""
    without = Lexicon.of(corrector.source)
    lexicon = Lexicon.of(corrector.source, {"zebra": 1.0, "the": 3.0}, mix=0.1)
    row, the = lexicon.rows["zebra"], lexicon.rows["the"]
    source = np.exp(without.log_prior[without.rows["the"]])
    assert np.exp(lexicon.log_prior[row]) == pytest.approx(0.4 * 0.25)
    assert np.exp(lexicon.log_prior[the]) == pytest.approx(0.6 * source + 0.4 * 0.75)
    assert np.exp(lexicon.log_list[the]) == pytest.approx(0.1 * 0.75)


def test_who_asks_slips_less(corrector: Corrector):
    finder = CandidateFinder(corrector.lexicon, corrector.channel, slips=0.3)
    asked = finder.thorough_one()
    assert (finder.slips, asked.slips) == (0.3, SLIPS_ASKED)
    never = CandidateFinder(corrector.lexicon, corrector.channel)
    assert never.thorough_one().slips == 0.0
    row = corrector.lexicon.rows["house"]
    prices = [
        float(np.exp(found.log_channel[found.rows == row][0]))
        for found in (f.find(["hpuse"]) for f in (never.thorough_one(), asked, finder))
    ]
    # A mixture of what was learnt and of slips, at parts of 0, the least and 0.3.
    parts = np.array([0.0, SLIPS_ASKED, 0.3])
    slope = (prices[2] - prices[0]) / parts[2]
    assert prices == pytest.approx(prices[0] + slope * parts)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("thecatsatonthemat", "the cat sat on the mat"),
        (
            "Thecatsatonthemat,andtheratdidnotlikethat.",
            "The cat sat on the mat, and the rat did not like that.",
        ),
        ("inthehouse", "in the house"),
        ("don'tdothat", "don't do that"),
        ("the cat  sat", "the cat  sat"),
        ("", ""),
        ("12 345.6", "12 345.6"),
    ],
)
def test_spaces_are_put_where_they_were_lost(corrector: Corrector, typed: str, meant: str):
    splitting = Corrector(corrector.source, channel=corrector.channel, split_words=True)
    (correction,) = splitting.correct([typed])
    assert correction.corrected == meant
    assert all(c.replacement == " " and c.length == 0 for c in correction.changes)


@pytest.mark.slow
@given(HOSTILE)
@example(["x" * 3000, "İstanbulİ", "a'b''c"])
def test_splitting_adds_nothing_but_spaces(corrector: Corrector, lines: list[str]):
    splitting = Corrector(corrector.source, channel=corrector.channel, split_words=True)
    for line, correction in zip(lines, splitting.correct(lines), strict=True):
        assert correction.corrected.replace(" ", "") == line.replace(" ", "")
