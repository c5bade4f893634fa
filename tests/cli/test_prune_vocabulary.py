"""``lmkit prune --vocabulary`` and ``lmkit train --closed-vocabulary``."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import lmkit
from lmkit.text.settings import TextSettings

from .support import refused


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("w1\nw2\nw3\nw4\nnobody\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("closed", [(), ("--closed",)])
def test_a_model_is_cut_to_a_word_list(run, small_model, words, tmp_path, closed):
    path = tmp_path / "cut.lm"
    result = run("prune", small_model, "--vocabulary", words, *closed, "-o", path)
    assert result.status == 0, result.err
    assert "4 of " in result.err
    assert ("impossible" if closed else "<unk>") in result.err
    model = lmkit.load(path)
    assert set(model.vocabulary.tokens[3:]) == {"w1", "w2", "w3", "w4"}
    log_probs = model.next_log_probs(model.start(1))[0]
    assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-5)
    assert bool(np.isneginf(log_probs[0])) == bool(closed)
    shown = json.loads(run("info", path, "--json").out)
    assert shown["pruned"] == {"words": 4, "closed": bool(closed)}


def test_a_word_list_in_another_encoding(run, small_model, tmp_path):
    (tmp_path / "words.txt").write_text("w1\nw2\n", encoding="utf-16")
    words = ("prune", small_model, "--vocabulary", tmp_path / "words.txt", "-o", tmp_path / "c.lm")
    assert run(*words, "--encoding", "utf-16").status == 0
    assert len(lmkit.load(tmp_path / "c.lm").vocabulary) == 5


def test_what_makes_no_sense(run, small_model, words, tmp_path):
    target = ("-o", tmp_path / "cut.lm")
    refused(
        run("prune", small_model, "--closed", "--size", "10", *target),
        "--closed is nothing without --vocabulary",
        status=2,
    )
    refused(
        run("prune", small_model, "--vocabulary", words, "--size", "10", *target),
        "how to prune is said twice",
        "--vocabulary FILE",
        status=2,
    )
    words.write_text("nobody\n", encoding="utf-8")
    refused(
        run("prune", small_model, "--vocabulary", words, *target),
        "has none of these words",
        status=2,
    )
    refused(
        run("prune", small_model, "--vocabulary", words, "-o", words),
        "would write over --vocabulary",
        status=2,
    )
    assert not (tmp_path / "cut.lm").exists()


def test_training_with_a_closed_vocabulary(run, small_text, tmp_path):
    how = ("--tokenizer", "whitespace", "--order", "3", "--quiet")
    path, plain = tmp_path / "closed.lm", tmp_path / "plain.lm"
    assert run("train", small_text, *how, "--closed-vocabulary", "-o", path).status == 0
    assert run("train", small_text, *how, "-o", plain).status == 0
    closed, open_ = lmkit.load(path), lmkit.load(plain)
    for line in ("", "w1", "w1 w2", "w3 w1"):
        found, old = (
            model.next_log_probs(model.score(model.batch(line))[1])[0] for model in (closed, open_)
        )
        assert found[0] == -np.inf
        assert np.exp(found).sum() == pytest.approx(1, abs=1e-5)
        expected = np.exp(old[2:]) / (1 - math.exp(old[0]))
        np.testing.assert_allclose(np.exp(found[2:]), expected, atol=1e-6)
    (tmp_path / "text.txt").write_text("w1 nobody w2\n", encoding="utf-8")
    figures = json.loads(run("perplexity", path, tmp_path / "text.txt", "--json").out)[0]
    assert figures["oovs"] == 1
    assert figures["perplexity_excluding_oovs"] < 1e6


def test_networks_and_methods_that_cannot_be_closed(run, small_text, tmp_path):
    how = ("train", small_text, "--closed-vocabulary", "-o", tmp_path / "m.lm")
    refused(run(*how, "--backend", "lstm"), "closed-vocabulary", status=2)
    refused(run(*how, "--smoothing", "laplace"), "does not back off", status=1)


def test_other_units_than_words(run, tmp_path):
    text = tmp_path / "text"
    text.write_text("abc ab\nacb\n", encoding="utf-8")
    (tmp_path / "list").write_text("a\nb\n", encoding="utf-8")
    for tokenizer in ("char", "bpe"):
        settings = TextSettings(tokenizer=tokenizer)
        lmkit.train(text, order=2, settings=settings, output=tmp_path / f"{tokenizer}.lm")
    words = ("--vocabulary", tmp_path / "list", "-o", tmp_path / "cut.lm")
    assert "2 of 4 characters stay" in run("prune", tmp_path / "char.lm", *words).err
    learnt = run("prune", tmp_path / "bpe.lm", *words)
    refused(learnt, "learnt pieces of words", "--entropy", status=1)
