"""``lmkit generate``: sentences, seeds and ways to draw."""

from __future__ import annotations

import json

import pytest

import lmkit


@pytest.fixture
def rows(run):
    def generate(*words):
        result = run("generate", *words, "--json")
        assert result.status == 0, result.err
        return json.loads(result.out)

    return generate


def test_five_sentences_a_line_each(run, small_model):
    result = run("generate", small_model, "--seed", "3")
    assert result.status == 0
    assert len(result.out.splitlines()) == 5
    assert result.err == "seed 3\n"


def test_the_sentences_are_those_of_the_library(run, small_model):
    drawn = lmkit.load(small_model).generate(4, seed=3, prompt="w1", max_tokens=6)
    out = run(
        *("generate", small_model, "-n", "4", "--seed", "3", "--prompt", "w1", "--max-tokens", "6")
    ).out
    assert out.splitlines() == [sentence.text for sentence in drawn]


def test_the_seed_that_was_printed_draws_the_same_again(run, small_model):
    first = run("generate", small_model)
    seed = first.err.removeprefix("seed ").strip()
    assert run("generate", small_model, "--seed", seed).out == first.out
    assert run("generate", small_model).err != first.err


def test_rows_tell_the_tokens_drawn_and_their_probability(rows, small_model):
    drawn = rows(small_model, "-n", "8", "--seed", "1", "--prompt", "w1 w2")
    assert list(drawn[0]) == ["text", "tokens", "log10_probability", "seed"]
    assert {row["seed"] for row in drawn} == {1}
    model = lmkit.load(small_model)
    (prompt,) = (model.score("w1 w2")[0][:2].sum(),)
    for row in drawn:
        words = row["text"].split()
        assert words[:2] == ["w1", "w2"]
        # All but </s> is in the text; the prompt was not drawn.
        assert row["tokens"] == len(words) - 2 + 1
        whole = model.score(row["text"])[0].sum()
        assert row["log10_probability"] == pytest.approx((whole - prompt) / 2.302585093)


def test_greedy_is_one_sentence_whatever_the_seed(run, small_model):
    first = run("generate", small_model, "--greedy", "--seed", "1").out
    assert len(first.splitlines()) == 1
    assert run("generate", small_model, "--greedy", "--seed", "2").out == first
    assert run("generate", small_model, "--top-k", "1", "-n", "1").out == first
    assert run("generate", small_model, "--greedy", "-n", "2").out == first * 2


def test_max_tokens_breaks_off(rows, small_model):
    assert {row["tokens"] for row in rows(small_model, "-n", "20", "--max-tokens", "1")} == {1}


def test_unknown_words_are_drawn_only_on_demand(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("<unk> <unk> <unk> a\n" * 20, encoding="utf-8")
    model = tmp_path / "model.lm"
    lmkit.train(text, output=model, order=2)
    words = ("generate", model, "-n", "20", "--seed", "1")
    assert "<unk>" not in run(*words).out
    assert "<unk>" not in run(*words, "--no-unknown").out
    assert "<unk>" in run(*words, "--unknown").out


def test_unknown_words_of_the_prompt_are_said(run, small_model):
    result = run("generate", small_model, "--prompt", "w1 nosuch", "--seed", "1")
    assert result.err == "1 of 2 tokens of the prompt are unknown to the model\nseed 1\n"


@pytest.mark.parametrize(
    "words, said",
    [
        (["--temperature", "0"], "temperature must be a number above 0"),
        (["--top-k", "0"], "top-k must be at least 1"),
        (["--top-p", "1.5"], "top-p must be above 0 and at most 1"),
        (["-n", "0"], "'-n' / '--number'"),
        (["--max-tokens", "0"], "--max-tokens"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_numbers_out_of_range_are_wrong_calls(run, small_model, words, said):
    result = run("generate", small_model, *words)
    assert result.status == 2
    assert said in result.err
    assert result.out == ""


def test_a_model_without_probabilities_generates(run, stupid_model):
    assert len(run("generate", stupid_model, "--seed", "1").out.splitlines()) == 5


def test_what_is_no_model_is_one_line(run, small_text):
    result = run("generate", small_text)
    assert result.status == 1
    assert result.err.startswith(f"Error: {small_text}")
    assert result.err.count("\n") == 1


def test_a_missing_model_is_one_line(run):
    result = run("generate", "nosuch.lm")
    assert result.status == 1
    assert "nosuch.lm" in result.err
    assert "unexpected" not in result.err


def test_a_search_lists_the_likeliest_first(rows, run, small_model):
    found = rows(small_model, "--beam", "30", "-n", "4", "--prompt", "w1", "--max-tokens", "8")
    assert list(found[0]) == ["text", "tokens", "log10_probability", "score"]
    expected = lmkit.load(small_model).beam_search(4, beam=30, prompt="w1", max_tokens=8)
    assert [row["text"] for row in found] == [sentence.text for sentence in expected]
    scores = [row["score"] for row in found]
    assert scores == sorted(scores, reverse=True)
    assert scores == [row["log10_probability"] for row in found]
    drawn = rows(small_model, "-n", "50", "--seed", "1", "--prompt", "w1", "--max-tokens", "8")
    assert scores[0] >= max(row["log10_probability"] for row in drawn)
    result = run("generate", small_model, "--beam", "30", "--prompt", "w1", "--max-tokens", "8")
    assert result.out == f"{found[0]['text']}\n" and result.err == ""


def test_a_length_penalty_ranks_by_the_mean(rows, small_model):
    found = rows(
        *(small_model, "--beam", "20", "-n", "5", "--length-penalty", "1", "--max-tokens", "9")
    )
    for row in found:
        assert row["score"] == pytest.approx(row["log10_probability"] / row["tokens"])
    plain = rows(small_model, "--beam", "20", "-n", "5", "--max-tokens", "9")
    assert max(row["score"] for row in found) >= max(
        row["log10_probability"] / row["tokens"] for row in plain
    )


@pytest.mark.parametrize(
    "words, message",
    [
        (["--beam", "3", "-n", "4"], "a beam of 3 cannot hold 4 sentences"),
        (["--beam", "3", "--temperature", "1"], "--temperature means nothing to it"),
        (["--beam", "3", "--seed", "0"], "--seed means nothing to it"),
        (["--beam", "3", "--greedy"], "--greedy means nothing to it"),
        (["--length-penalty", "1"], "--length-penalty is for a beam search"),
        (["--beam", "0"], "0 is not in the range"),
        (["--beam", "3", "--length-penalty", "-1"], "not in the range"),
    ],
)
def test_searches_that_make_no_sense(run, small_model, words, message):
    result = run("generate", small_model, *words)
    assert result.status == 2 and message in result.err and result.out == ""
