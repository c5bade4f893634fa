"""``lmkit suggest``: what may have been meant by a word."""

from __future__ import annotations

import json
import math

import pytest

from .support import refused


def rows(result):
    assert result.status == 0, result.err
    return json.loads(result.out)


def test_the_likeliest_come_first(run, channel_model):
    found = rows(run("suggest", channel_model, "recieved", "--json"))
    assert list(found[0]) == [
        "word", "rank", "suggestion", "log_channel", "log_source", "posterior",
    ]  # fmt: skip
    assert found[0]["suggestion"] == "received"
    assert [row["rank"] for row in found] == list(range(1, len(found) + 1))
    posteriors = [row["posterior"] for row in found]
    assert posteriors == sorted(posteriors, reverse=True)
    assert 0 < sum(posteriors) <= 1 + 1e-9
    assert all(row["log_channel"] < 0 and row["log_source"] < 0 for row in found)


def test_several_words_and_how_many(run, channel_model):
    found = rows(run("suggest", channel_model, "teh", "freind", "-n", "1", "--json"))
    assert [(row["word"], row["suggestion"]) for row in found] == [
        ("teh", "the"),
        ("freind", "friend"),
    ]


def test_what_stands_around_decides(run, channel_model):
    def best(around):
        return rows(run("suggest", channel_model, "form", "--around", around, "--json"))[0]

    beside = best("received a letter _ her friend")
    assert beside["suggestion"] == "from"
    alone = rows(run("suggest", channel_model, "form", "--json"))[0]
    assert not math.isclose(beside["log_source"], alone["log_source"])


def test_a_table_for_people(run, channel_model):
    lines = run("suggest", channel_model, "teh").out.splitlines()
    assert lines[0].split()[:3] == ["word", "rank", "suggestion"]
    assert lines[2].split()[:3] == ["teh", "1", "the"]


def test_a_lexicon_of_ones_own(run, channel_model, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("harbour\n", encoding="utf-8")
    found = rows(run("suggest", channel_model, "harbuor", "--lexicon", words, "--json"))
    assert found[0]["suggestion"] == "harbour"


@pytest.mark.parametrize("around", ["left right", "_ and _", "left_right", ""])
def test_a_place_that_is_none(run, channel_model, around):
    result = run("suggest", channel_model, "teh", "--around", around)
    refused(result, "must have one _", status=2)


def test_wrong_calls(run, channel_model):
    refused(run("suggest"), "Missing argument", status=2)
    refused(run("suggest", channel_model), "no WORD", status=2)
    refused(run("suggest", channel_model, "teh", "-n", "0"), "-n", status=2)
    refused(run("suggest", "no.lm", "teh"), "there is no file no.lm", status=2)


@pytest.mark.parametrize(
    "word", ["", " ", "x" * 10_000, "\x00", "\u202e", "42", "a b", "http://x.y"]
)
def test_whatever_is_asked_for(run, channel_model, word):
    assert run("suggest", channel_model, word, "--json").status == 0
