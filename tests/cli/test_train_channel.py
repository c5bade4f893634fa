"""``lmkit train --backend noisy-channel``: what it makes, and what it refuses."""

from __future__ import annotations

import json
import sqlite3

import pytest

from .support import refused

CHANNEL = ("train", "--backend", "noisy-channel")


def test_a_channel_is_learnt_from_pairs(run, english_model, spelling_pairs, tmp_path):
    target = tmp_path / "c.lm"
    result = run(*CHANNEL, "--source", english_model, "--pairs", spelling_pairs, "--output", target)
    assert (result.status, result.out) == (0, "")
    assert "brill-moore channel" in result.err
    assert "learnt from 8 pairs" in result.err
    facts = json.loads(run("info", target, "--json").out)
    assert facts["backend"] == "noisy-channel"
    # People can read the edits, and the tools of the house open the model.
    with sqlite3.connect(f"file:{target}?mode=ro", uri=True) as file:
        rows = file.execute("select intended, typed, count from edits").fetchall()
    assert any(intended != typed and count > 1 for intended, typed, count in rows)
    assert run("correct", target, stdin=b"teh captain\n").out == "the captain\n"


@pytest.mark.parametrize("channel", ["brill-moore", "damerau"])
def test_every_channel_and_one_file_for_all(run, channel, english_model, spelling_pairs, tmp_path):
    source = tmp_path / "source.lm"
    source.write_bytes(english_model.read_bytes())
    words = ("--source", source, "--pairs", spelling_pairs, "--channel", channel, "--embed")
    assert run(*CHANNEL, *words, "--output", tmp_path / "c.lm").status == 0
    source.unlink()
    assert run("correct", tmp_path / "c.lm", stdin=b"teh captain\n").out == "the captain\n"


def test_a_source_that_has_gone_is_named(run, english_model, spelling_pairs, tmp_path):
    source = tmp_path / "source.lm"
    source.write_bytes(english_model.read_bytes())
    words = ("--source", source, "--pairs", spelling_pairs, "--output", tmp_path / "c.lm")
    assert run(*CHANNEL, *words).status == 0
    source.unlink()
    refused(run("correct", tmp_path / "c.lm", stdin=b"teh\n"), "source.lm", status=1)


def test_the_errors_of_english_where_nothing_is_given(run, english_model, tmp_path):
    target = tmp_path / "c.lm"
    assert run(*CHANNEL, "--source", english_model, "--output", target).status == 0
    assert run("correct", target, stdin=b"teh captain\n").out == "the captain\n"


def test_the_words_of_a_list_are_kept_in_the_model(run, english_model, spelling_pairs, tmp_path):
    listed, target = tmp_path / "words.tsv", tmp_path / "c.lm"
    listed.write_text("captainship\t9\n", encoding="utf-8")
    words = ("--source", english_model, "--pairs", spelling_pairs, "--lexicon", listed)
    assert run(*CHANNEL, *words, "--output", target).status == 0
    listed.unlink()
    assert run("suggest", target, "captianship", "-n", 1, "--tsv").out.split()[8] == "captainship"
    facts = json.loads(run("info", target, "--json").out)
    assert facts["lexicon"]["listed"] == 1
    missing = run(*CHANNEL, *words, "--output", tmp_path / "d.lm")
    refused(missing, "words.tsv", status=1)


def test_a_channel_is_learnt_from_messy_text(run, english_model, english_text, tmp_path):
    noisy, target = tmp_path / "noisy.txt", tmp_path / "c.lm"
    text = english_text.read_text(encoding="utf-8")
    noisy.write_text(text.replace("brother", "brohter", 20), encoding="utf-8")
    words = ("--source", english_model, "--noisy", noisy, "--output", target)
    result = run(*CHANNEL, *words)
    assert result.status == 0, result.err
    line = b"my sister wrote to his brohter yesterday .\n"
    assert "brother" in run("correct", target, stdin=line).out


@pytest.mark.parametrize(
    "pairs, said",
    [
        (b"teh\tthe\n\tthe\n", "line 2: the typed side is empty"),
        (b"teh\t\n", "line 1: the intended side is empty"),
        (b"teh the\n", "line 1: one column"),
        (b"", "has no pairs"),
        (b"t\x01eh\tthe\n", "control character"),
        (b"teh\tthe\t-1\n", "line 1"),
        (b"teh\tthe\t\xff\n", "not valid UTF-8"),
    ],
)
def test_pairs_that_are_none(run, english_model, tmp_path, pairs, said):
    path, target = tmp_path / "pairs.tsv", tmp_path / "c.lm"
    path.write_bytes(pairs)
    result = run(*CHANNEL, "--source", english_model, "--pairs", path, "--output", target)
    refused(result, said, status=1)
    assert not target.exists()


def test_a_third_column_that_is_no_number_is_nothing(run, english_model, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("teh\tthe\tsome list\nfreind\tfriend\t2\tmore\n", encoding="utf-8")
    words = ("--source", english_model, "--pairs", path, "--output", tmp_path / "c.lm")
    assert "learnt from 2 pairs" in run(*CHANNEL, *words).err


def test_sources_that_are_no_models_of_words(run, small_text, tmp_path, spelling_pairs):
    letters = tmp_path / "letters.lm"
    train = ("train", small_text, "--order", "2", "--tokenizer", "char", "--output", letters)
    assert run(*train).status == 0
    words = ("--pairs", spelling_pairs, "--output", tmp_path / "c.lm")
    refused(run(*CHANNEL, "--source", letters, *words), "character", status=1)
    refused(run(*CHANNEL, "--source", small_text, *words), "text.txt", status=1)
    refused(run(*CHANNEL, "--source", "no.lm", *words), "no.lm", status=1)


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "needs a model of what is meant"),
        (["--source", "{model}", "text.txt"], "not trained on TEXT"),
        (["--source", "{model}", "--order", "3"], "--order means nothing"),
        (["--source", "{model}", "--tables"], "--tables means nothing"),
        (["--source", "{model}", "--pairs", "{pairs}", "--noisy", "{pairs}"], "not from both"),
        (["--source", "{model}", "--channel", "other"], "--channel"),
    ],
)
def test_options_that_do_not_go_together(run, english_model, spelling_pairs, tmp_path, words, said):
    names = {"{model}": str(english_model), "{pairs}": str(spelling_pairs)}
    words = [names.get(word, word) for word in words]
    refused(run(*CHANNEL, *words, "--output", tmp_path / "c.lm"), said, status=2)


def test_what_is_for_channels_is_refused_elsewhere(run, small_text, spelling_pairs, tmp_path):
    result = run("train", small_text, "--pairs", spelling_pairs, "--output", tmp_path / "m.lm")
    refused(result, "--pairs is for noisy channels", "--backend noisy-channel", status=2)
    result = run("train", small_text, "--lexicon", spelling_pairs, "--output", tmp_path / "m.lm")
    refused(result, "--lexicon is for noisy channels", "--backend noisy-channel", status=2)
