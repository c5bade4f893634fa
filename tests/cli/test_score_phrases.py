"""``lmkit score --no-sentence-marks``: the probability of a phrase as it stands."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lmkit
from lmkit.evaluate.scoring import score_lines
from lmkit.model import EOS

from .support import refused


def phrases(run, model, text, *words):
    result = run("score", model, "--no-sentence-marks", "--jsonl", *words, stdin=text.encode())
    assert result.status == 0, result.err
    return [json.loads(row) for row in result.out.splitlines()]


def test_the_first_word_has_no_history(run, tmp_path, tiny_text):
    """Maximum likelihood by hand: "a" is there 3 times, and "b" comes after it twice."""
    model = tmp_path / "m.lm"
    lmkit.train(tiny_text, output=model, order=2, smoothing="maximum-likelihood")
    (one, two, three) = phrases(run, model, "a\na b\na b\n")
    total = sum(len(line.split()) + 1 for line in tiny_text.read_text().splitlines())
    assert one["log10_probability"] == pytest.approx(np.log10(3 / total))
    assert two["log10_probability"] == pytest.approx(np.log10(3 / total * 2 / 3))
    assert three == {**two, "line": 3}
    assert (one["tokens"], two["tokens"]) == (1, 2)
    assert two["perplexity"] == pytest.approx(10 ** (-two["log10_probability"] / 2))


def test_it_is_a_sum_of_conditional_probabilities(run, small_model):
    """p(w1) p(w2 | w1) p(w3 | w1 w2), as the model gives them within a long sentence."""
    model = lmkit.load(small_model)
    (row,) = phrases(run, small_model, "w3 w1 w2\n")
    ids = [int(number) for number in model.batch("w3 w1 w2").ids[:-1]]
    state = model.start(1)
    # Words that the model has never seen after anything leave nothing but the words themselves.
    for unseen in (0, 0, 0):
        state = model.advance(state, [unseen])
    expected = model.trie[1].log_prob.array()[ids[0]]
    state = model.advance(state, ids[:1])
    for number in ids[1:]:
        expected += model.next_log_probs(state)[0, number]
        state = model.advance(state, [number])
    assert row["log10_probability"] == pytest.approx(expected / np.log(10), abs=1e-6)


def test_an_empty_line_has_no_tokens(run, small_model):
    assert [(row["tokens"], row["perplexity"]) for row in phrases(run, small_model, "\nw1\n")] == [
        (0, None),
        (1, pytest.approx(phrases(run, small_model, "w1\n")[0]["perplexity"])),
    ]


def test_tokens_are_those_of_the_phrases(run, small_model):
    rows = phrases(run, small_model, "w1 no such\n\nnone w2\n", "--per-token")
    assert [(row["line"], row["token"]) for row in rows] == [
        *((1, "w1"), (1, "no"), (1, "such")),
        *((3, "none"), (3, "w2")),
    ]
    assert [row["oov"] for row in rows] == [False, True, True, True, False]


@pytest.mark.parametrize("smoothing", ["stupid-backoff", "lidstone", "katz"])
def test_every_form_of_model_scores_phrases(tmp_path, tiny_text, smoothing):
    model = lmkit.train(tiny_text, order=3, smoothing=smoothing)
    (scores,) = score_lines(model, [["b c", "b"]], sentence_marks=False)
    unigrams = model.trie[1].log_prob.array()
    b = model.batch("b").ids[0]
    assert scores.log_probs[0] == scores.log_probs[2] == pytest.approx(unigrams[b])
    assert EOS not in scores.batch.ids


def test_a_filter_and_documents_take_phrases_too(run, small_model):
    words = ("score", small_model, "--no-sentence-marks")
    (row,) = phrases(run, small_model, "w1 w2\n")
    kept = run(*words, "--max-perplexity", row["perplexity"] + 1e-6, stdin=b"w1 w2\nx y z\n")
    assert kept.out == "w1 w2\n"
    found = json.loads(run(*words, "--jsonl-field", "t", stdin=b'{"t": "w1 w2\\nw1 w2"}').out)
    assert found["tokens"] == 4
    assert found["log10_probability"] == pytest.approx(2 * row["log10_probability"])


def test_other_models_and_other_questions_are_refused(run, small_model, tmp_path, tiny_text):
    lmkit.train(tiny_text, output=tmp_path / "m.lm", backend="lstm", hidden=3, epochs=1, seed=1)
    result = run("score", tmp_path / "m.lm", "--no-sentence-marks", stdin=b"a\n")
    assert result.status == 1
    assert "'lstm' has no probabilities without <s>" in result.err
    words = ("--no-sentence-marks", "--against", small_model)
    refused(run("score", small_model, *words, stdin=b"a\n"), "--against compares", status=2)
