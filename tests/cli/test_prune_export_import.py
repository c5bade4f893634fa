"""``lmkit prune``, ``export`` and ``import``: what they write, and every way to fail."""

from __future__ import annotations

import json
import re

import pytest

import lmkit

from .support import refused


@pytest.mark.parametrize(
    "words, options",
    [
        (["--entropy", "1e-3"], {"entropy": 1e-3}),
        (["--size", "1500"], {"size": 1500}),
        (["--cutoffs", "0,1,1"], {"cutoffs": (0, 1, 1)}),
    ],
)
def test_pruning_writes_what_the_library_prunes(run, small_model, tmp_path, words, options):
    path = tmp_path / "pruned.lm"
    result = run("prune", small_model, *words, "-o", path)
    assert (result.status, result.out) == (0, "")
    sizes, expected = lmkit.prune(small_model, **options)
    left = sum(expected.describe()["ngrams"])
    assert left < sum(sizes)
    assert f"pruned.lm: {left:,} of {sum(sizes):,} n-grams, " in result.err
    line = "w1 w2 w3 w4 nosuch"
    assert lmkit.load(path).score(line)[0].tolist() == expected.score(line)[0].tolist()


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "how to prune is not said. Try: one of --entropy"),
        (["--size", "2000", "--entropy", "1e-3"], "how to prune is said twice"),
        (["--entropy", "-1"], "the threshold must be a number of at least 0, not -1"),
        (["--entropy", "nan"], "the threshold must be a number of at least 0, not nan"),
        (["--size", "3"], "fewer than the"),
        (["--size", "0"], "0 is not in the range"),
        (["--cutoffs", "2,1"], "do not decrease"),
        (["--cutoffs", "0,0,0,1"], "there are 4 cutoffs"),
    ],
)
def test_pruning_that_makes_no_sense(run, small_model, tmp_path, words, said):
    refused(run("prune", small_model, *words, "-o", tmp_path / "pruned.lm"), said, status=2)
    assert not (tmp_path / "pruned.lm").exists()


def test_models_that_cannot_be_pruned(run, stupid_model, arpa_model, tmp_path):
    target = ("-o", tmp_path / "pruned.lm")
    refused(run("prune", stupid_model, "--entropy", "1e-3", *target), "Error: ", status=1)
    refused(run("prune", arpa_model, "--cutoffs", "0,1", *target), "counts", status=1)


# export and import


def test_models_go_out_and_come_back(run, small_model, tmp_path):
    arpa, back = tmp_path / "model.arpa.gz", tmp_path / "back.lm"
    out = run("export", small_model, "-o", arpa)
    assert (out.status, out.out) == (0, "")
    sizes = lmkit.load(small_model).describe()["ngrams"]
    assert out.err == f"{arpa}: {sum(sizes):,} n-grams\n"
    into = run("import", arpa, "-o", back)
    assert re.fullmatch(
        r".*back\.lm: order 3, arpa; [\d,]+ n-grams, vocabulary of [\d,]+\n", into.err
    )
    one, other = (lmkit.load(path).score("w1 nosuch w2")[0] for path in (small_model, back))
    assert other.tolist() == pytest.approx(one.tolist(), rel=1e-6)


def test_an_export_may_go_to_standard_output(run, small_model):
    result = run("export", small_model, "-o", "-")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("\\data\\\n") and result.out.endswith("\\end\\\n")


def test_counts_go_out_and_are_smoothed_when_they_come_back(run, small_model, tmp_path):
    counts, path = tmp_path / "counts.tsv", tmp_path / "model.lm"
    assert run("export", small_model, "--format", "counts", "-o", counts).status == 0
    assert re.match(r"\S+\t\d+\n", counts.read_text())
    words = ("--order", "2", "--smoothing", "witten-bell")
    result = run("import", counts, *words, "-o", path)
    assert result.status == 0, result.err
    assert "order 2, witten-bell" in result.err
    expected = lmkit.resmooth(small_model, order=2, smoothing="witten-bell")
    assert lmkit.load(path).score("w1 w2")[0].tolist() == expected.score("w1 w2")[0].tolist()


def test_an_imported_model_reads_text_as_it_is_told(run, small_model, tmp_path):
    arpa, path = tmp_path / "model.arpa", tmp_path / "model.lm"
    lmkit.export_model(small_model, arpa)
    assert run("import", arpa, "-o", path).status == 0
    assert lmkit.load(path).describe()["text"]["tokenizer"] == "whitespace"
    assert run("import", arpa, "--tokenizer", "word", "--lowercase", "-o", path).status == 0
    text = lmkit.load(path).describe()["text"]
    assert (text["tokenizer"], text["lowercase"], text["normalize"]) == ("word", True, "nfc")


@pytest.mark.parametrize(
    "words, said, status",
    [
        (["--format", "json", "-o", "x"], "'json' is not one of 'arpa', 'counts'", 2),
        (["--format", "counts", "-o", "nowhere/x.tsv"], "there is no directory nowhere", 1),
    ],
)
def test_exports_that_make_no_sense(run, small_model, tmp_path, monkeypatch, words, said, status):
    monkeypatch.chdir(tmp_path)
    refused(run("export", small_model, *words), said, status=status)


def test_models_that_cannot_be_exported(run, stupid_model, arpa_model, pruned_model, tmp_path):
    target = tmp_path / "out"
    refused(run("export", stupid_model, "-o", target), "stupid-backoff", status=1)
    for model in (arpa_model, pruned_model):
        result = run("export", model, "--format", "counts", "-o", target)
        refused(result, "cannot be exported as counts", status=1)
    assert not target.exists()


@pytest.mark.parametrize(
    "text, words, said, status",
    [
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-1.0\n", [], "line 5", 1),
        ("a b\tmany\n", ["--format", "counts"], "line 1", 1),
        ("", ["--format", "arpa"], "", 1),
        ("\\data\\\nngram 1=1\n", ["--order", "2"], "--order cannot be given", 2),
        ("a\t1\n", ["--smoothing", "katz", "--discount", "0.5"], "--discount means nothing", 2),
        ("a\t1\n", ["--order", "0"], "0 is not in the range", 2),
    ],
)
def test_imports_that_fail(run, tmp_path, text, words, said, status):
    file = tmp_path / "file"
    file.write_text(text)
    refused(run("import", file, *words, "-o", tmp_path / "model.lm"), said, status=status)
    assert not (tmp_path / "model.lm").exists()


def test_an_import_of_nothing(run, tmp_path):
    result = run("import", tmp_path / "nowhere", "-o", tmp_path / "model.lm")
    refused(result, "nowhere", status=1)
    result = run("import", "-", "-o", tmp_path / "model.lm", stdin=b"a\t1\n")
    refused(result, "Try: --format arpa or counts or web1t", status=2)


def test_the_history_of_a_model_goes_on(run, tiny_text, tmp_path):
    path = tmp_path / "model.lm"
    run("train", tiny_text, "--order", "3", "-o", path)
    run("train", tiny_text, "--append", path, "-o", path)
    smoothed = tmp_path / "smoothed.lm"
    run("train", "--from", path, "--smoothing", "katz", "-o", smoothed)
    path = smoothed
    run("prune", path, "--cutoffs", "0,0,1", "-o", path)
    history = json.loads(run("info", path, "--json").out)["history"]
    assert [one["what"] for one in history] == ["train", "append", "resmooth", "prune"]


def test_counts_are_tuned_to_held_out_text(run, small_model, small_text, tmp_path):
    counts, valid = tmp_path / "counts.tsv", tmp_path / "valid.txt"
    assert run("export", small_model, "--format", "counts", "-o", counts).status == 0
    valid.write_bytes(b"".join(small_text.read_bytes().splitlines(keepends=True)[:20]))
    perplexities = []
    for words in ([], ["--tune"]):
        path = tmp_path / f"model{len(words)}.lm"
        result = run("import", counts, *words, "--valid", valid, "-o", path)
        assert result.status == 0
        assert ("note: discounts tuned on " in result.err) == bool(words)
        perplexities.append(float(re.search(r"txt: perplexity ([\d.]+);", result.err)[1]))
    assert perplexities[1] < perplexities[0]
    trained = tmp_path / "trained.lm"
    words = ("--from", small_model, "--tune", "--valid", valid, "-o", trained)
    assert run("train", *words).status == 0
    assert lmkit.load(path).describe()["parameters"] == lmkit.load(trained).describe()["parameters"]


def test_probabilities_learn_nothing_from_held_out_text(run, small_model, small_text, tmp_path):
    arpa = tmp_path / "model.arpa"
    assert run("export", small_model, "-o", arpa).status == 0
    result = run("import", arpa, "--valid", small_text, "-o", tmp_path / "model.lm")
    refused(result, "has its probabilities already, so --valid cannot be given", status=2)


@pytest.mark.parametrize(
    "command, tokenizer, order", [("train", "word", "5"), ("import", "whitespace", "that of the")]
)
def test_help_says_the_default_of_the_command(run, command, tokenizer, order):
    told = " ".join(run(command, "--help").out.split())
    assert f"leaves tokenized text as it is. [default: {tokenizer}]" in told
    assert f"The longest n-grams. [default: {order}" in told
