"""``lmkit minimal-pairs`` and ``lmkit compare --minimal-pairs``: what they write and refuse."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing

import pytest

import lmkit

from .support import refused

LINES = "the cat sits\nthe cats sit\na cat sits here\ntwo cats sit here\nthe dog sits\n" * 3
PAIRS = [
    ("the cat sits", "the cat sit", "number", "n1"),
    ("the cats sit", "the cats sits", "number", "n2"),
    ("two cats sit", "cats two sit", "order", "o"),
    ("zebra", "lions", "order", "o"),
]


def write_pairs(path, pairs=PAIRS):
    rows = [
        {"sentence_good": good, "sentence_bad": bad, "field": field, "UID": uid}
        for good, bad, field, uid in pairs
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "text.txt").write_text(LINES, encoding="utf-8")
    for order in (1, 3):
        lmkit.train(folder / "text.txt", output=folder / f"m{order}.lm", order=order)
    (folder / "pairs").mkdir()
    write_pairs(folder / "pairs" / "p.jsonl")
    return folder


def test_a_table_has_a_row_a_group_and_the_totals(run, place):
    result = run("minimal-pairs", place / "m3.lm", place / "pairs" / "p.jsonl", "--group", "field")
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["group", "pairs", "m3", "95", "%"]
    assert [line[:-3] for line in lines[2:4]] == [["number"], ["order"]]
    assert lines[4][:-3] == ["mean", "of", "2", "groups"] and lines[5][:-3] == ["all", "pairs"]
    assert lines[2][1:3] == ["2", "1.0000"]
    assert result.err == (
        "m3: 0 of 4 pairs tie and count half; 1 have a word that the model does not know\n"
    )


def test_the_mean_of_one_group_says_so(run, place, tmp_path):
    write_pairs(tmp_path / "one.jsonl", PAIRS[:1])
    result = run("minimal-pairs", place / "m3.lm", tmp_path / "one.jsonl")
    assert result.out.splitlines()[3].startswith("mean of 1 group  ")


def test_models_stand_side_by_side_in_every_format(run, place):
    words = ("minimal-pairs", place / "m3.lm", f"uni={place / 'm1.lm'}", place / "pairs")
    rows = json.loads(run(*words, "--json").out)
    assert [(row["model"], row["total"], row["group"]) for row in rows[:5]] == [
        ("m3", None, "n1"), ("m3", None, "n2"), ("m3", None, "o"), ("m3", "groups", None),
        ("m3", "pairs", None),
    ]  # fmt: skip
    first, second = rows[4], rows[9]
    assert second["model"] == "uni" and first["difference"] is None
    assert second["difference"] == pytest.approx(second["accuracy"] - first["accuracy"])
    assert 0 < second["p_value"] <= 1
    # A unigram model gives two orders of the same words the same probability.
    assert rows[7]["ties"] == 1 and rows[7]["accuracy"] in (0.25, 0.75)
    assert {"accuracy_per_token", "low_per_character", "ties_per_token"} <= set(first)
    assert [json.loads(line) for line in run(*words, "--jsonl").out.splitlines()] == rows
    table = list(csv.DictReader(run(*words, "--csv").out.splitlines()))
    assert [float(row["accuracy"]) for row in table] == [row["accuracy"] for row in rows]
    head = run(*words, "--per", "token").out.splitlines()[0].split()
    assert head == ["group", "pairs", "m3", "95", "%", "uni", "95", "%", "to", "first", "p"]


def test_pairs_come_from_standard_input(run, place):
    stdin = (place / "pairs" / "p.jsonl").read_bytes()
    for words in ((), ("-",)):
        rows = json.loads(run("minimal-pairs", place / "m3.lm", *words, "--json", stdin=stdin).out)
        assert rows[-1]["pairs"] == 4


def test_what_is_wrong_is_one_line(run, place, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"sentence_good": "a", "sentence_bad": "b"}\n{"sentence_good": 1}\n', "utf-8")
    model = place / "m3.lm"
    refused(run("minimal-pairs", model, bad), f"{bad}, line 2: the field 'sentence_good'", status=1)
    refused(run("minimal-pairs", bad), "there is no model among the files", status=2)
    refused(run("minimal-pairs", model, model, place / "pairs"), "m3 is there twice", status=2)
    refused(run("minimal-pairs", model, tmp_path / "no.jsonl"), "no such file", status=1)
    lmkit.export_model(lmkit.load(model), tmp_path / "m.arpa")
    imported = tmp_path / "a.lm"
    lmkit.import_model(tmp_path / "m.arpa", output=imported)
    result = run("minimal-pairs", imported, place / "pairs")
    assert "note: a: no model of how unknown words are spelt" in result.err


def test_compare_has_a_column_and_goes_on(run, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("compare", place / "text.txt", "--model", "ngram:order=1", "--model", "ngram:order=2",
             "--minimal-pairs", place / "pairs")  # fmt: skip
    result = run(*words)
    assert result.status == 0, result.err
    assert "pairs" in result.out.splitlines()[0].split()
    assert "pairs: part of 4 minimal pairs whose good sentence is likelier" in result.out
    again = run(*words, "--json")
    assert "reused" in again.err
    rows = json.loads(again.out)
    for row in rows:
        one = json.loads(run("minimal-pairs", row["file"], place / "pairs", "--json").out)
        assert row["minimal_pairs_accuracy"] == one[-1]["accuracy"]
        kept = [{k: v for k, v in entry.items() if k in row["minimal_pairs"][0]} for entry in one]
        assert row["minimal_pairs"] == kept
    with closing(sqlite3.connect(tmp_path / "comparison" / "results.db")) as database:
        found = database.execute(
            "select minimal_pairs_accuracy, command from models join runs on runs.id = run"
        ).fetchall()
    assert {one for one, _ in found} == {row["minimal_pairs_accuracy"] for row in rows}
    assert f"--minimal-pairs {place / 'pairs'}" in found[0][1]


def test_a_bad_pair_ends_a_comparison_before_it_trains(run, place, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n", "utf-8")
    words = ("--model", "ngram:order=1", "-o", tmp_path / "o", "--minimal-pairs", bad)
    refused(run("compare", place / "text.txt", *words), f"{bad}, line 1: ", status=1)
    assert not (tmp_path / "o").exists()
