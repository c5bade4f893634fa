"""``lmkit compare`` on the command line: the table, the formats, bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
from types import SimpleNamespace

import pytest

from lmkit.cli import comparison_table
from lmkit.datasets.location import split_file
from lmkit.evaluate.results import (
    Comparison,
    CorpusFacts,
    Crossing,
    Difference,
    ModelResult,
    SplitFacts,
)

from .support import refused

PAIR = ("--model", "ngram:order=2", "--model", "ngram:order=3,smoothing=witten-bell")


@pytest.fixture
def text(tmp_path, small_text, monkeypatch):
    (tmp_path / "text.txt").write_bytes(small_text.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "text.txt"


def test_the_table_fits_and_says_what_it_rests_on(run, text):
    result = run("compare", text, *PAIR)
    assert result.status == 0
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80
    heads = lines[0].split("  ")
    assert [head.strip() for head in heads if head.strip()] == [
        "#", "model", "size", "train", "unk", "ppl", "bits/char", "to best", "p",
    ]  # fmt: skip
    assert re.match(r"1  (mod\. Kneser-Ney 2|Witten-Bell 3) .* best", lines[2])
    assert re.match(r"2  .* \+0\.\d{3}±\.\d{3} +(<?\.\d{3}|1\.000)$", lines[3])
    assert "of every ten stretches of 30 lines the ninth is for valid" in result.err
    assert "text.txt: trained on 2,238 words, tested on 340 words" in result.err
    assert (text.parent / "comparison" / "results.db").exists()


def test_a_wide_terminal_shows_more(run, text):
    result = run("compare", text, *PAIR, width=140, stdout_is_terminal=True)
    for head in ("file", "tokens/s", "95 %"):
        assert head in result.out.splitlines()[0]
    assert max(map(len, result.out.splitlines())) <= 140


def test_formats(run, text):
    rows = json.loads(run("compare", text, *PAIR, "--json").out)
    assert [row["rank"] for row in rows] == [1, 2]
    assert rows[1]["p_value"] is not None and rows[0]["p_value"] is None
    one = csv.DictReader(io.StringIO(run("compare", text, *PAIR, "--csv").out))
    assert [row["name"] for row in one] == [row["name"] for row in rows]
    tsv = run("compare", text, *PAIR, "--tsv").out.splitlines()
    assert len(tsv) == 3 and tsv[0].startswith("rank\tname")
    lines = [json.loads(line) for line in run("compare", text, *PAIR, "--jsonl").out.splitlines()]
    assert [line["bits_per_character"] for line in lines] == [
        row["bits_per_character"] for row in rows
    ]
    marked = run("compare", text, *PAIR, "--markdown").out.splitlines()
    assert marked[0].startswith("| # | model | size |")
    assert marked[1].startswith("| ---: | :--- |")
    assert len({line.count("|") for line in marked[:4]}) == 1


def test_the_second_time_nothing_is_trained(run, text):
    first = run("compare", text, *PAIR)
    second = run("compare", text, *PAIR)
    assert first.err.count("trained in") == 2
    assert second.err.count("reused") == 2
    assert "trained in" not in second.err
    assert run("compare", text, *PAIR, "--force").err.count("trained in") == 2


def test_given_splits_and_model_files(run, text, small_model):
    result = run(
        "compare", "--train", text, "--valid", text, "--test", text, "--tokenizer", "whitespace",
        "--model", "ngram:order=3", "--model", small_model, "--json",
    )  # fmt: skip
    rows = json.loads(result.out)
    # The file holds the very model that is trained here.
    assert [row["origin"] for row in rows] == ["trained", "given"]
    assert rows[0]["bits_per_character"] == rows[1]["bits_per_character"]
    assert rows[1]["p_value"] == 1.0


def test_models_that_are_there_need_no_training_text(run, text, small_model, pruned_model):
    given = ("--test", text, "--tokenizer", "whitespace", "--model", small_model)
    result = run("compare", *given, "--model", pruned_model)
    assert result.status == 0
    assert result.out.splitlines()[2].startswith("1  model ")
    assert "text.txt: tested on 2,857 words" in result.err


def test_a_data_set_of_one_part_is_split(run, text):
    home = split_file("tinyshakespeare", "all")
    home.parent.mkdir(parents=True, exist_ok=True)
    home.write_bytes(text.read_bytes())
    result = run("compare", "--dataset", "tinyshakespeare", *PAIR)
    assert result.status == 0
    assert "tinyshakespeare: trained on 2,238 words" in result.err
    assert "of every ten stretches" in result.err
    home.unlink()
    refused(
        run("compare", "--dataset", "tinyshakespeare", *PAIR), "lmkit data get tinyshakespeare",
        status=1,
    )  # fmt: skip


def test_an_output_that_cannot_be_made(run, text):
    refused(
        run("compare", text, *PAIR, "--output", text), "cannot make the directory",
        "another --output", status=1,
    )  # fmt: skip


def test_a_model_in_the_place_of_the_text(run, text, small_model):
    refused(run("compare", small_model), "is a model, not text", "--model", status=2)


def test_overlap_is_counted_or_dropped(run, text):
    given = ("--train", text, "--test", text, "--model", "ngram:order=2")
    refused(
        run("compare", *given, "--drop-overlap"), "no test text is left", "another --test", status=1
    )
    lines = sum(line.strip() != b"" for line in text.read_bytes().splitlines())
    said = f"{lines} test lines stand in the training text too (--drop-overlap leaves them out)"
    assert said in run("compare", *given).err


def test_what_fails_is_said_below_the_table(run, text):
    result = run("compare", text, "--model", "ngram:smoothing=stupid-backoff", *PAIR)
    assert result.status == 0
    assert "failed: stupid-backoff 5: this model gives scores" in result.out


def test_where_all_fail_the_status_is_an_error(run, text):
    result = run("compare", text, "--model", "ngram:smoothing=stupid-backoff")
    assert result.status == 1
    assert "Error: none of the models could be compared" in result.err


def test_learning_curves_have_a_table_of_their_own(run, text):
    result = run("compare", text, *PAIR, "--curve", "10%,30%,100%")
    assert re.search(r"^bits/char after +10 % +30 % +100 %  power law", result.out, re.MULTILINE)
    assert re.search(r"n\^-0\.\d{3}", result.out)


def test_the_command_is_kept(run, text):
    run("compare", text, *PAIR, "--seed", "3", "--curve", "30%,100%", "--json")
    with sqlite3.connect(text.parent / "comparison" / "results.db") as database:
        (command,) = database.execute("select command from runs").fetchone()
    assert command == (
        f"lmkit compare {text} --model ngram:order=2 --model ngram:order=3,smoothing=witten-bell"
        " --seed 3 --curve 30%,100%"
    )


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (("text.txt", "--model", "lstn"), ["neither a model file nor a backend", "lstm"], 2),
        (("--train", "text.txt"), ["no test text", "--test FILE"], 2),
        (("--test", "text.txt", "--model", "ngram"), ["no train text", "--train FILE"], 2),
        (("text.txt", "--dataset", "builtin"), ["exclude each other"], 2),
        (("--dataset", "nothing"), ["no data set named 'nothing'"], 2),
        (("missing.txt", "--model", "ngram"), ["cannot read missing.txt"], 1),
        (("empty.txt", "--model", "ngram"), ["the text is empty", "a file with words"], 1),
        (("short.txt", "--model", "ngram"), ["3 lines, too few to be split"], 1),
        (
            ("text.txt", "--suite", "classic", "--time-budget", "2s"),
            ["a time budget of 2 s", "too little", "--time-budget"],
            2,
        ),
        (("text.txt", "--curve", "half", "--model", "ngram"), ["not a list of parts"], 2),
        (("text.txt", "--curve", "120%", "--model", "ngram"), ["at most 100 %"], 2),
        (("text.txt", "--tokenizer", "char"), ["--model lstm:tokenizer=char"], 2),
        (("text.txt", "--model", "ngram", "--markdown", "--csv"), ["exclude each other"], 2),
    ],
)
def test_bad_input_is_one_clear_line(run, text, words, said, status):
    (text.parent / "empty.txt").write_bytes(b"")
    (text.parent / "short.txt").write_text("a\nb\nc\n")
    result = run("compare", *words)
    assert result.status == status
    assert result.out == ""
    last = result.err.splitlines()[-1]
    assert last.startswith("Error: ")
    for part in said:
        assert part in last


def test_networks_without_a_suite_train_as_long_as_their_preset_says():
    from lmkit.cli.compared_models import with_times
    from lmkit.evaluate.comparison.specs import parse_specs

    texts = SimpleNamespace(facts=SimpleNamespace(train=SimpleNamespace(tokens=1000)))
    (spec,) = with_times(parse_specs(["lstm"]), None, texts, {"seeds": 1})
    assert "time_budget" not in spec.options
    (spec,) = with_times(parse_specs(["lstm"]), "quick", texts, {"seeds": 1})
    assert 29 < spec.options["time_budget"] <= 30


def test_models_of_other_vocabularies_are_not_mixed(run, text):
    result = run(
        "compare", text, "--model", "ngram:order=2", "--model", "ngram:order=1,min-count=3",
        "--model", "mix:of=all",
    )  # fmt: skip
    assert "failed: mixture of all: there are not two models above it" in result.out


def row(name: str, rank: int, **values) -> ModelResult:
    return ModelResult(name, name, "ngram", rank=rank, **values)


def test_cells_by_hand():
    split = SplitFacts("test", "t", "0", 1, 2, 3)
    rows = [
        row("one", 1, ngrams=1_234_567, training_seconds=0.04, perplexity=74.701, group="a",
            bits_per_character=1.43891, oovs=202),
        row("two", 2, parameters=999, training_seconds=200.4, perplexity=3.3, group="b",
            bits_per_character=1.5, oovs=0, difference=Difference(0.0611, 0.05, 0.07, 0.0004, 0.1)),
        row("three", 3, bits_per_character=float("inf"), perplexity=float("inf"), group="a"),
    ]  # fmt: skip
    found = Comparison(CorpusFacts("c", split, None, split, None, 0, False, 10, 12), rows)
    assert comparison_table.table(found, 80)[2:] == [
        "1  one    1.23M   0.0s  202  74.70 a     1.4389         best",
        "2  two      999  3m20s    0   3.30 b     1.5000  +0.061±.010  <.001",
        "3  three      -      -    -    inf a        inf            -",
    ]


def test_of_many_crossings_the_first_are_shown():
    split = SplitFacts("test", "t", "0", 1, 2, 3)
    found = Comparison(CorpusFacts("c", split, None, split, None, 0, False, 10, 12), [])
    found.crossings = [Crossing("a", f"b{n}", 1000.0 * n) for n in range(1, 13)]
    lines = comparison_table.crossing_lines(found)
    assert lines[0] == "a overtakes b1 at about 1k characters"
    assert len(lines) == 11
    assert lines[-1] == "and 2 more such places: --json has them all"


def test_names_are_cut_where_nothing_else_can_go():
    split = SplitFacts("test", "t", "0", 1, 2, 3)
    rows = [row("n" * 100, 1, ngrams=5, perplexity=2.0, group="a", bits_per_character=1.0)]
    found = Comparison(CorpusFacts("c", split, None, split, None, 0, False, 10, 12), rows)
    lines = comparison_table.table(found, 80)
    assert max(map(len, lines)) == 80
    assert "size" not in lines[0] and "nnn…" in lines[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no such terminals here")
def test_text_from_standard_input_is_split_too(run, text):
    result = run("compare", "-", *PAIR, stdin=text.read_bytes())
    assert result.status == 0
    assert "standard input: trained on" in result.err
