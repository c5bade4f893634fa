"""The English channels that come with lmkit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lmkit.channel.edits.brill_moore import BrillMoore
from lmkit.channel.edits.edit_model import EditModel
from lmkit.channel.edits.english import FOLDER, english_rows
from lmkit.channel.edits.pairs import read_pairs
from lmkit.errors import UnsupportedError
from lmkit.registry import names, resolve


@pytest.fixture(scope="module", params=names("channel"))
def english(request: pytest.FixtureRequest) -> EditModel:
    return resolve("channel", request.param).english()


def test_knows_what_people_get_wrong(english: EditModel) -> None:
    right = ["receive", "accommodate", "the", "separate"]
    wrong = ["recieve", "acommodate", "teh", "seperate"]
    other = ["repeive", "accommpdate", "tqe", "sepqrate"]
    known, strange = english.log_probs(wrong, right), english.log_probs(other, right)
    assert (known > strange + 1).all()
    assert (known < english.log_probs(right, right) - 3).all()


def test_string_edits_know_english_spelling() -> None:
    channel, untaught = BrillMoore.english(), BrillMoore()
    typed, intended = ["fonetic", "nife", "tuff"], ["phonetic", "knife", "tough"]
    gains = channel.log_probs(typed, intended) - untaught.log_probs(typed, intended)
    assert (gains > 1).all()


def test_says_what_it_was_learnt_from_and_holds_no_words(english: EditModel) -> None:
    head = (FOLDER / f"{english.name}.tsv").read_text(encoding="utf-8").split("\n")[0]
    assert re.fullmatch(
        rf"# {english.name}: learnt from [\d,]+ pairs; sha256 .* [0-9a-f]{{16}}", head
    )
    rows = list(english_rows(english.name))
    assert all(max(len(row.intended), len(row.typed)) <= 4 for row in rows)
    totals: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.kind in ("replace", "double", "transpose"):
            key = row.intended, row.typed
            totals[key] = totals.get(key, 0.0) + row.count
    assert min(totals.values()) > 1


def test_an_unknown_channel_has_none() -> None:
    with pytest.raises(UnsupportedError, match="no English counts"):
        list(english_rows("telegraph"))


@pytest.mark.data
def test_explains_the_errors_of_words_that_it_was_not_taught(
    english: EditModel, shared_data: Path
) -> None:
    pairs = read_pairs(shared_data / "spelling" / "dev.tsv")
    english.keep = 0.0
    untaught = type(english)(keep=0.0).log_probs(pairs.typed, pairs.intended)
    gains = english.log_probs(pairs.typed, pairs.intended) - untaught
    assert np.mean(gains) > 2
