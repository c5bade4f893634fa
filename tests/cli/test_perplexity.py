"""``lmkit perplexity``: the figures, their keys, what is a model and what is text."""

from __future__ import annotations

import bz2
import gzip
import json
import math
import os
import threading

import pytest

import lmkit
from lmkit.text.settings import TextSettings

KEYS = [
    *("model", "sentences", "tokens", "oovs", "log10_probability", "perplexity"),
    *("perplexity_excluding_oovs", "srilm_ppl", "srilm_ppl1"),
    *("bits_per_token", "characters", "bytes", "bits_per_character", "bits_per_byte"),
]


@pytest.fixture
def figures(run):
    def measure(*words, **settings):
        result = run("perplexity", *words, "--json", **settings)
        assert result.status == 0, result.err
        return json.loads(result.out)

    return measure


def test_json_is_an_array_with_the_keys_in_their_order(figures, small_model, small_text):
    (one,) = figures(small_model, small_text)
    assert list(one) == KEYS
    assert one["model"] == str(small_model)
    assert one["sentences"] == 300
    assert one["tokens"] == sum(
        len(line.split()) + 1 for line in small_text.read_text().splitlines()
    )
    assert one["oovs"] == 0


def test_the_figures_agree_with_each_other(figures, small_model):
    (one,) = figures(small_model, stdin=b"w1 w2 nosuch\n\nw3 nosuch\n")
    # Tokens: w1 w2 nosuch </s>, </s>, w3 nosuch </s>.
    assert (one["sentences"], one["tokens"], one["oovs"]) == (3, 8, 2)
    assert one["perplexity"] == pytest.approx(10 ** (-one["log10_probability"] / 8))
    assert one["bits_per_token"] == pytest.approx(math.log2(one["perplexity"]))
    assert one["srilm_ppl"] == one["perplexity_excluding_oovs"] < one["perplexity"]
    # SRILM's ppl counts 6 tokens, its ppl1 the 3 known words.
    assert one["srilm_ppl1"] == pytest.approx(one["srilm_ppl"] ** 2)


def test_the_figures_are_those_of_the_library(figures, small_model, small_text):
    (one,) = figures(small_model, small_text)
    assert {
        "model": str(small_model),
        **lmkit.load(small_model).perplexity(small_text).as_dict(),
    } == one


def test_the_table_names_the_figures(run, small_model, small_text):
    out = run("perplexity", small_model, small_text).out
    rows = [line.rsplit(None, 1) for line in out.splitlines()]
    assert [name for name, _ in rows] == [
        *("model", "sentences", "tokens, with </s>", "unknown words (oovs)"),
        *("log10 probability", "perplexity", "perplexity excluding oovs"),
        *("SRILM ppl", "SRILM ppl1", "bits per token", "characters of the text"),
        *("bytes of the text", "bits per character", "bits per byte"),
    ]
    assert rows[1][1] == "300"


def test_several_models_are_columns(run, small_model, small_text):
    two = run("perplexity", small_model, small_model, small_text, width=400).out.splitlines()
    assert two[0].split() == ["model", str(small_model), str(small_model)]
    assert two[1].split() == ["sentences", "300", "300"]


@pytest.mark.parametrize("width", [80, 120])
def test_long_names_of_many_models_are_numbered(run, small_model, small_text, tmp_path, width):
    paths = [tmp_path / f"a-model-with-quite-a-long-name-{k}.lm" for k in range(1, 10)]
    for path in paths:
        path.write_bytes(small_model.read_bytes())
    lines = run("perplexity", *paths, small_text, width=width).out.splitlines()
    assert lines[:9] == [f"{k}  {path}" for k, path in enumerate(paths, 1)]
    tables = "\n".join(lines[9:]).strip().split("\n\n")
    numbers = [number for table in tables for number in table.splitlines()[0].split()[1:]]
    assert numbers == [str(k) for k in range(1, 10)]
    assert all(len(line) <= width for line in lines[9:])
    for table in tables:
        rows = table.splitlines()
        assert len(rows) == len(KEYS) and rows[1].split()[1] == "300"
    assert len(tables) == (3 if width == 80 else 2)


def test_several_models_each_see_all_of_standard_input(figures, small_model, skipping_model):
    one, two = figures(small_model, skipping_model, stdin=b"w1 w2\nw3\n")
    assert (one["model"], two["model"]) == (str(small_model), str(skipping_model))
    assert one["tokens"] == two["tokens"] == 5


def test_several_models_each_see_all_of_a_pipe(figures, small_model, small_text, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(small_text.read_bytes()))
    feeder.start()
    one, two = figures(small_model, small_model, pipe)
    feeder.join(10)
    assert one == two
    assert one["sentences"] == 300


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_standard_input_may_be_compressed_for_several_models_too(figures, small_model, compress):
    one, two = figures(small_model, small_model, "-", stdin=compress(b"w1 w2\n"))
    assert one["tokens"] == two["tokens"] == 3


def test_text_may_stand_before_the_models(figures, small_model, small_text):
    assert figures(small_text, small_model) == figures(small_model, small_text)


def test_empty_lines_count_as_the_model_was_trained_unless_told(
    figures, small_model, skipping_model
):
    text = b"w1\n\n\nw2\n"
    assert figures(small_model, stdin=text)[0]["sentences"] == 4
    assert figures(skipping_model, stdin=text)[0]["sentences"] == 2
    assert figures(small_model, "--skip-empty-lines", stdin=text)[0]["sentences"] == 2
    assert figures(skipping_model, "--keep-empty-lines", stdin=text)[0]["sentences"] == 4


def test_no_text_at_all_has_undefined_figures(figures, run, small_model):
    (one,) = figures(small_model, stdin=b"")
    assert (one["sentences"], one["tokens"], one["perplexity"]) == (0, 0, None)
    assert "perplexity                 -" in "".join(
        line[:27] + line.split()[-1] + "\n"
        for line in run("perplexity", small_model).out.splitlines()
    )


def test_invalid_utf_8_is_an_error_with_its_place_or_replaced_and_said(run, small_model):
    result = run("perplexity", small_model, stdin=b"w1\nw\xff2\n")
    assert result.status == 1
    assert "line 2: byte 0xff" in result.err
    result = run("perplexity", small_model, "--errors", "replace", stdin=b"w1\nw\xff2\n")
    assert result.status == 0
    assert result.err == "1 invalid sequences of bytes were read as U+FFFD\n"


def test_a_literal_end_of_sentence_is_what_special_tokens_says(run, figures, small_model):
    text = b"w1\nw2 </s> w3\n"
    result = run("perplexity", small_model, stdin=text)
    assert result.status == 1
    assert "line 2" in result.err
    (one,) = figures(small_model, "--special-tokens", "unknown", stdin=text)
    assert (one["tokens"], one["oovs"]) == (6, 1)


def test_standard_input_at_a_terminal_is_a_wrong_call(run, small_model):
    result = run("perplexity", small_model, stdin_is_terminal=True)
    assert result.status == 2
    assert result.err.startswith("Error: no TEXT, and standard input is a terminal. Try: ")


def test_no_model_among_the_files_is_a_wrong_call(run, small_text):
    result = run("perplexity", small_text)
    assert result.status == 2
    assert f"no lmkit model among {small_text}" in result.err


def test_a_missing_model_is_named(run, small_text):
    result = run("perplexity", "modle.lm", small_text)
    assert result.status == 2
    assert "there is no file modle.lm" in result.err


def test_two_files_that_are_no_models_are_named(run, small_model, small_text):
    result = run("perplexity", small_model, small_text, "other.txt")
    assert result.status == 2
    assert f"{small_text}, other.txt" in result.err


def test_a_missing_text_is_named(run, small_model):
    result = run("perplexity", small_model, "no.txt")
    assert result.status == 1
    assert result.err.startswith("Error: cannot read no.txt: no such file or directory.")


def test_a_damaged_model_is_one_line(run, small_model, small_text, tmp_path):
    damaged = tmp_path / "damaged.lm"
    damaged.write_bytes(small_model.read_bytes()[:5000])
    result = run("perplexity", damaged, small_text)
    assert result.status == 1
    assert result.err.startswith(f"Error: {damaged}")
    assert result.err.count("\n") == 1
    assert "unexpected" not in result.err


def test_scores_that_are_no_probabilities_have_no_perplexity(run, stupid_model, small_text):
    result = run("perplexity", stupid_model, small_text)
    assert result.status == 1
    assert "scores, not probabilities" in result.err
    assert "lmkit score" in result.err


def test_models_without_sentence_marks_have_no_ends(run, tmp_path, small_text, small_model):
    path = tmp_path / "stream.lm"
    lmkit.train(small_text, order=2, settings=TextSettings(sentence_marks=False), output=path)
    alone = run("perplexity", path, small_text).out
    assert "tokens  " in alone and "with </s>" not in alone
    assert "tokens, with </s>" in run("perplexity", path, small_model, small_text).out
