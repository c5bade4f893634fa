"""``lmkit train``: what it makes, and every way to fail."""

from __future__ import annotations

import gzip
import re
import sqlite3
from contextlib import closing

import pytest

import lmkit

from .support import refused


def test_a_model_is_written_and_summed_up_on_standard_error(run, tiny_text, tmp_path):
    result = run("train", tiny_text, "--order", "2", "-o", tmp_path / "model.lm")
    assert (result.status, result.out) == (0, "")
    assert re.fullmatch(
        r"(note: orders? [^:]*: .*\n)*"
        r".*model\.lm: order 2, modified-kneser-ney; 24 n-grams, vocabulary of 10;"
        r" 19 tokens in \d+\.\d s\n",
        result.err,
    )
    assert lmkit.load(tmp_path / "model.lm").describe()["ngrams"] == [10, 14]


def test_quiet_says_nothing(run, tiny_text, tmp_path):
    result = run("train", tiny_text, "-o", tmp_path / "model.lm", "--quiet")
    assert (result.status, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize("words", [[], ["-"]])
def test_text_may_come_from_standard_input(run, tiny_text, tmp_path, words):
    path = tmp_path / "model.lm"
    assert run("train", *words, "-o", path, stdin=tiny_text.read_bytes()).status == 0
    assert lmkit.load(path).runs[0]["tokens"] == 19


def test_several_and_compressed_files_are_one_text(run, tiny_text, tmp_path):
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(tiny_text.read_bytes()))
    assert run("train", tiny_text, packed, "-o", tmp_path / "model.lm").status == 0
    assert lmkit.load(tmp_path / "model.lm").runs[0]["tokens"] == 2 * 19


OPTIONS = [
    (["--order", "2"], {"order": 2}),
    (["--smoothing", "katz", "--max-count", "3"], {"smoothing": "katz", "max_count": 3}),
    (["--smoothing", "lidstone", "--add", "0.5"], {"smoothing": "lidstone", "k": 0.5}),
    (
        ["--smoothing", "stupid-backoff", "--backoff-weight", "0.3"],
        {"smoothing": "stupid-backoff", "weight": 0.3},
    ),
    (
        ["--smoothing", "kneser-ney", "--form", "backoff", "--discount", "0.6"],
        {"smoothing": "kneser-ney", "form": "backoff", "discounts": [0.6]},
    ),
    (
        ["--order", "2", "--discount", "0.4,0.8,1.2", "--discount", "0.5,1,1.5"],
        {"order": 2, "discounts": [[0.4, 0.8, 1.2], [0.5, 1.0, 1.5]]},
    ),
    (["--order", "3", "--prune", "0,1"], {"order": 3, "prune": (0, 1)}),
    (["--min-count", "2"], {"min_count": 2}),
    (["--vocabulary-size", "4"], {"vocabulary_size": 4}),
    (["--memory", "200M"], {"memory": 200 << 20}),
    (["--seed", "7"], {"seed": 7}),
]


@pytest.mark.parametrize("words, options", OPTIONS, ids=lambda given: " ".join(map(str, given)))
def test_options_reach_the_library(run, small_text, tmp_path, words, options):
    result = run("train", small_text, *words, "-o", tmp_path / "model.lm")
    assert result.status == 0, result.err
    made = lmkit.load(tmp_path / "model.lm")
    expected = lmkit.train(small_text, **options)
    line = "w1 w2 nosuch w3"
    assert made.score(line)[0].tolist() == expected.score(line)[0].tolist()
    assert made.runs[0]["seed"] == options.get("seed")


@pytest.mark.parametrize(
    "words, settings",
    [
        (["--tokenizer", "whitespace"], {"tokenizer": "whitespace", "normalize": "none"}),
        (["--tokenizer", "byte"], {"tokenizer": "byte", "normalize": "none"}),
        (["--lowercase"], {"lowercase": True}),
        (["--normalize", "nfkc"], {"normalize": "nfkc"}),
        (["--segment", "paragraph"], {"segment": "paragraph"}),
        (["--skip-empty-lines"], {"skip_empty_lines": True}),
        (["--special-tokens", "word"], {"special_tokens": "word"}),
    ],
)
def test_text_options_are_kept_in_the_model(run, small_text, tmp_path, words, settings):
    assert run("train", small_text, *words, "-o", tmp_path / "model.lm").status == 0
    kept = lmkit.load(tmp_path / "model.lm").describe()["text"]
    assert kept == {**lmkit.TextSettings().as_dict(), **settings}


def test_the_vocabulary_may_be_a_file(run, tiny_text, tmp_path):
    (tmp_path / "words.txt").write_text("cat\n")
    words = ("--vocabulary", tmp_path / "words.txt")
    assert run("train", tiny_text, *words, "-o", tmp_path / "model.lm").status == 0
    assert lmkit.load(tmp_path / "model.lm").vocabulary.tokens[3:] == ["cat"]


def test_held_out_text_is_learnt_from_and_measured(run, small_text, tmp_path):
    valid = tmp_path / "valid.txt"
    valid.write_text("w1 w2 w3\nw4 w5\n")
    words = ("--valid", valid, "--tune", "--order", "2")
    result = run("train", small_text, *words, "-o", tmp_path / "model.lm")
    assert result.status == 0
    assert "note: discounts tuned on 7 held-out tokens" in result.err
    expected = lmkit.load(tmp_path / "model.lm").perplexity(valid).perplexity
    assert result.err.endswith(f"valid.txt: perplexity {expected:.2f}; 7 tokens\n")


def test_a_model_without_perplexity_is_not_measured(run, small_text, tmp_path):
    words = ("--valid", small_text, "--smoothing", "stupid-backoff")
    result = run("train", small_text, *words, "-o", tmp_path / "model.lm")
    assert result.status == 0
    assert "perplexity" not in result.err


def test_notes_say_what_had_to_be_decided(run, tmp_path):
    result = run("train", "--order", "1", "-o", tmp_path / "model.lm", stdin=b"a b\n")
    assert result.status == 0
    assert "note: order 1: the counts of counts do not determine the discounts" in result.err


@pytest.mark.parametrize("words, share", [(["--vocabulary-size", "1"], 75), ([], None)])
def test_a_vocabulary_that_knows_little_is_remarked_on(run, tmp_path, words, share):
    result = run("train", *words, "-o", tmp_path / "model.lm", stdin=b"a b c d\n" * 3)
    remark = f"{share} % of the tokens are unknown to this vocabulary\n"
    assert result.status == 0
    assert (remark in result.err) if share else ("unknown" not in result.err)


def test_tables_are_added(run, tiny_text, tmp_path):
    path = tmp_path / "model.lm"
    assert run("train", tiny_text, "--order", "2", "--tables", "-o", path).status == 0
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("select count(*) from ngrams_2").fetchone() == (14,)


def test_more_text_is_appended(run, tiny_text, small_model, small_text, tmp_path):
    path = tmp_path / "more.lm"
    result = run("train", tiny_text, "--append", small_model, "-o", path)
    assert result.status == 0, result.err
    assert "order 3, modified-kneser-ney" in result.err
    assert "; 19 tokens in " in result.err
    settings = lmkit.TextSettings("whitespace")
    whole = lmkit.train(small_text, tiny_text, order=3, settings=settings)
    assert lmkit.load(path).score("w1 the cat")[0].tolist() == whole.score("w1 the cat")[0].tolist()


def test_a_model_may_be_appended_to_in_place(run, tiny_text, tmp_path):
    path = tmp_path / "model.lm"
    assert run("train", tiny_text, "-o", path).status == 0
    assert run("train", tiny_text, "--append", path, "-o", path).status == 0
    assert [run["tokens"] for run in lmkit.load(path).runs] == [19, 19]


def test_counts_are_smoothed_anew(run, small_model, tmp_path):
    path = tmp_path / "katz.lm"
    words = ("--smoothing", "katz", "--order", "2")
    result = run("train", "--from", small_model, *words, "-o", path, stdin=b"not read\n")
    assert result.status == 0, result.err
    expected = lmkit.resmooth(small_model, smoothing="katz", order=2)
    assert lmkit.load(path).score("w1 w2")[0].tolist() == expected.score("w1 w2")[0].tolist()


def test_progress_is_shown_on_a_terminal_only(run, small_text, tmp_path):
    words = ("train", small_text, "-o", tmp_path / "model.lm")
    plain = run(*words).err
    assert "counting" not in plain and "\x1b" not in plain


# What goes wrong: one line that says what, where, and what to try


@pytest.mark.parametrize(
    "words, said",
    [
        (["--order", "0"], "'--order': 0 is not in the range"),
        (["--order", "many"], "'--order': 'many' is not a valid integer"),
        (["--smoothing", "kneser"], "'kneser' is not one of 'maximum-likelihood'"),
        (["--backend", "neural"], "there is no backend named 'neural'. Try: one of ngram"),
        (["--tokenizer", "syllable"], "'syllable' is not one of 'whitespace'"),
        (["--discount", "0.5,x"], "'0.5,x' is not a list of discounts; write 0.75 or 0.5,1,1.5"),
        (["--discount", "0.5"], "takes 3 discounts an order, not 1. Try: --discount 0.5,1,1.5"),
        (["--discount", "2,1,1"], "the discount of count 1 must lie between 0 and 1, not be 2"),
        (["--discount", "nan,1,1"], "the discount of count 1 must lie between 0 and 1"),
        (["--tune"], "there is none. Try: --valid FILE"),
        (["--smoothing", "lidstone", "--add", "0"], "k must be a number above 0, not 0"),
        (["--smoothing", "stupid-backoff", "--backoff-weight", "2"], "at most 1, not 2"),
        (["--smoothing", "katz", "--max-count", "-1"], "-1 is not in the range"),
        (["--prune", "1,0"], "'1,0': cutoffs are at least 0 and do not decrease; write 0,0,1"),
        (["--prune", "some"], "'some' is not a list of cutoffs; write 0,0,1"),
        (["--order", "2", "--prune", "0,0,1"], "there are 3 cutoffs (0,0,1) for a model of order"),
        (["--memory", "2X"], "'2X' is not a size of memory; write 2G, 500M or 1.5GiB"),
        (["--memory", "10"], "10 bytes of memory are too few to count in. Try: --memory 500M"),
        (["--min-count", "0"], "0 is not in the range"),
        (["--vocabulary-size", "-1"], "-1 is not in the range"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--ordre", "3"], "No such option '--ordre'. Did you mean '--order'"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(run, tiny_text, tmp_path, words, said):
    result = run("train", tiny_text, *words, "-o", tmp_path / "model.lm")
    refused(result, said, status=2)
    assert not (tmp_path / "model.lm").exists()


@pytest.mark.parametrize(
    "words, said",
    [
        (["--add", "1"], "--add means nothing to the smoothing modified-kneser-ney"),
        (["--smoothing", "katz", "--discount", "0.5"], "--discount means nothing to the smoo"),
        (["--smoothing", "katz", "--tune"], "--tune means nothing to the smoothing katz"),
        (["--smoothing", "laplace", "--form", "backoff"], "--form backoff means nothing to"),
        (["--smoothing", "katz", "--form", "interpolated"], "--form interpolated means nothing"),
        (["--max-count", "3"], "Try: leaving it out, or --smoothing katz"),
        (["--backoff-weight", "0.3"], "Try: leaving it out, or --smoothing stupid-backoff"),
    ],
)
def test_options_of_another_method_are_named_as_they_were_typed(
    run, tiny_text, small_model, tmp_path, words, said
):
    for source in ([tiny_text], ["--from", small_model]):
        refused(run("train", *source, *words, "-o", tmp_path / "model.lm"), said, status=2)


def test_nothing_to_train_on(run, tmp_path):
    result = run("train", "-o", tmp_path / "model.lm", stdin_is_terminal=True)
    refused(result, "no TEXT to train on. Try: a file name, or - for standard input", status=2)


def test_nowhere_to_write_to(run, tiny_text):
    refused(run("train", tiny_text), "Missing option '--output'", "lmkit train --help", status=2)


def test_a_text_that_is_not_there(run, tmp_path):
    result = run("train", tmp_path / "nowhere.txt", "-o", tmp_path / "model.lm")
    refused(result, "cannot read", "nowhere.txt", status=1)


@pytest.mark.parametrize("flag", ["--valid", "--vocabulary"])
def test_other_files_that_are_not_there(run, tiny_text, tmp_path, flag):
    words = (flag, tmp_path / "nowhere.txt", "-o", tmp_path / "model.lm")
    refused(run("train", tiny_text, *words), "cannot read", "nowhere.txt", status=1)
    assert not (tmp_path / "model.lm").exists()


def test_a_directory_that_is_not_there(run, tiny_text, tmp_path):
    result = run("train", tiny_text, "-o", tmp_path / "nowhere" / "model.lm")
    refused(result, "there is no directory", "Try: mkdir -p", status=1)


def test_bytes_that_are_no_utf_8(run, tmp_path):
    text = tmp_path / "latin.txt"
    text.write_bytes(b"ok\ncaf\xe9\n")
    result = run("train", text, "-o", tmp_path / "model.lm")
    refused(result, "latin.txt, line 2: byte 0xe9 at offset", "--errors replace", status=1)
    assert run("train", text, "--errors", "replace", "-o", tmp_path / "model.lm").status == 0


def test_special_tokens_in_the_text(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("fine\na <s> b\n")
    result = run("train", text, "-o", tmp_path / "model.lm")
    refused(result, "line 2: the text has a literal <s>", "--special-tokens", status=1)


def test_a_model_is_no_text(run, small_model, tmp_path):
    result = run("train", small_model, "-o", tmp_path / "model.lm")
    refused(result, f"{small_model} is a model, not text", f"--append {small_model}", status=2)


@pytest.mark.parametrize("flag", ["--append", "--from"])
def test_a_base_that_is_no_model(run, tiny_text, tmp_path, flag):
    texts = [tiny_text] if flag == "--append" else []
    for base, said in (
        (tiny_text, "is not an lmkit model"),
        (tmp_path / "no.lm", "there is no file"),
    ):
        refused(run("train", *texts, flag, base, "-o", tmp_path / "model.lm"), said, status=1)


def test_two_ways_of_beginning_with_a_model(run, tiny_text, small_model, tmp_path):
    words = ("--append", small_model, "--from", small_model, "-o", tmp_path / "model.lm")
    refused(run("train", tiny_text, *words), "exclude each other", status=2)


def test_text_after_from_is_for_other_backends(run, tiny_text, small_model, tmp_path):
    result = run("train", tiny_text, "--from", small_model, "-o", tmp_path / "model.lm")
    refused(result, "cannot be trained further", "Try: --append MODEL", status=1)


@pytest.mark.parametrize(
    "flag, words",
    [
        ("--append", ["--order", "4"]),
        ("--append", ["--smoothing", "katz"]),
        ("--append", ["--discount", "0.1,0.2,0.3"]),
        ("--append", ["--tokenizer", "char"]),
        ("--append", ["--min-count", "2"]),
        ("--append", ["--seed", "1"]),
        ("--from", ["--tokenizer", "char"]),
        ("--from", ["--lowercase"]),
        ("--from", ["--skip-empty-lines"]),
        ("--from", ["--vocabulary-size", "4"]),
        ("--from", ["--seed", "1"]),
    ],
)
def test_what_the_model_has_settled_cannot_be_asked_for(
    run, tiny_text, small_model, tmp_path, flag, words
):
    texts = [tiny_text] if flag == "--append" else []
    result = run("train", *texts, flag, small_model, *words, "-o", tmp_path / "model.lm")
    said = f"{words[0]} cannot be given with {flag}: MODEL has settled that"
    refused(result, said, f"leaving out {words[0]}", status=2)


def test_a_higher_order_than_there_are_counts_of(run, small_model, tmp_path):
    result = run("train", "--from", small_model, "--order", "4", "-o", tmp_path / "model.lm")
    refused(result, "counts up to order 3, not 4. Try: --order 3 or less", status=2)


def test_models_that_have_lost_their_counts(run, arpa_model, pruned_model, tiny_text, tmp_path):
    for model, said in ((arpa_model, "no counts"), (pruned_model, "was pruned")):
        target = ("-o", tmp_path / "model.lm")
        refused(run("train", "--from", model, *target), said, status=1)
        refused(run("train", tiny_text, "--append", model, *target), said, status=1)
    assert not (tmp_path / "model.lm").exists()


# prune
