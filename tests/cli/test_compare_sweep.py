"""``lmkit compare --sweep``: the table, the formats, the picture, and what is not trained again."""

from __future__ import annotations

import csv
import io
import json
import sqlite3

import pytest

SWEEP = ("--model", "ngram:order=2", "--sweep", "tokenizer=bpe:260..520")


@pytest.fixture
def text(tmp_path, small_text, monkeypatch):
    (tmp_path / "text.txt").write_bytes(small_text.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "text.txt"


def test_a_sweep_is_a_table_of_its_own(run, text):
    result = run("compare", text, *SWEEP)
    assert result.status == 0
    lines = result.out.splitlines()
    start = lines.index("tokenizer  mod. Kneser-Ney 2 bpe")
    assert [line.split()[0] for line in lines[start + 2 : start + 4]] == ["260", "520"]
    best = min(lines[start + 2 : start + 4], key=lambda line: float(line.split()[1]))
    number, bits = best.split()
    assert lines[start + 4] == f"mod. Kneser-Ney 2 bpe: best at {number}, {bits} bits/char"
    again = run("compare", text, *SWEEP, "--markdown")
    assert "trained in" not in again.err
    tail = again.out.splitlines()[-4:]
    assert tail[0] == "| tokenizer | mod. Kneser-Ney 2 bpe |"
    assert tail[2].split(" | ")[1] == f"{lines[start + 2].split()[1]} |"


def test_formats_and_the_database_have_the_place_of_each_model(run, text):
    rows = json.loads(run("compare", text, *SWEEP, "--model", "ngram:tokenizer=char", "--json").out)
    places = {
        row["name"]: (row["sweep"], row["sweep_line"], row["sweep_value"], row["sweep_number"])
        for row in rows
    }
    assert places == {
        "mod. Kneser-Ney 2 bpe:260": ("tokenizer", "mod. Kneser-Ney 2 bpe", "bpe:260", 260),
        "mod. Kneser-Ney 2 bpe:520": ("tokenizer", "mod. Kneser-Ney 2 bpe", "bpe:520", 520),
        "mod. Kneser-Ney 5 char": (None, None, None, None),
    }
    one = list(csv.DictReader(io.StringIO(run("compare", text, *SWEEP, "--csv").out)))
    assert {row["sweep_value"] for row in one} == {"bpe:260", "bpe:520"}
    connection = sqlite3.connect("comparison/results.db")
    with connection:
        found = connection.execute(
            "select sweep_number from models where run = 2 order by sweep_number"
        ).fetchall()
    connection.close()
    assert found == [(260.0,), (520.0,)]


@pytest.mark.slow
def test_the_picture_of_a_comparison_with_a_sweep_is_the_sweep(run, text):
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    smoothing = ("--model", "ngram", "--sweep", "smoothing=katz,witten-bell")
    result = run("compare", text, *smoothing, "--sweep", "order=1..2", "--report", "s.svg")
    assert result.status == 0
    picture = (text.parent / "s.svg").read_text()
    assert "Bits per character by smoothing" in picture and "at witten-bell" in picture
    assert run("compare", text, *SWEEP, "--report", "page.html").status == 0
    page = (text.parent / "page.html").read_text()
    assert '<section id="sweep">' in page and "<h2>Sweep of tokenizer</h2>" in page


def test_the_command_line_that_is_kept_has_the_sweep(run, text):
    run("compare", text, *SWEEP)
    connection = sqlite3.connect("comparison/results.db")
    ((command,),) = connection.execute("select command from runs").fetchall()
    connection.close()
    assert "--sweep tokenizer=bpe:260..520" in command


def test_a_sweep_needs_a_model(run, text):
    result = run("compare", text, "--sweep", "order=1..3")
    assert result.status == 2
    assert (
        "there is no --model to sweep. Try: --model ngram:order=5 --sweep order=1..3" in result.err
    )


def test_a_tokenizer_file_is_not_written_over(run, text):
    run("train", text, "--output", "page.html", "--tokenizer", "bpe", "--order", 1)
    result = run("compare", text, "--model", "ngram:tokenizer=page.html", "--report", "page.html")
    assert result.status == 2
    assert "page.html" in result.err


@pytest.mark.slow
def test_the_suite_of_subwords_in_one_table(run, text, monkeypatch):
    monkeypatch.setattr("lmkit.evaluate.comparison.suites.LEAST_SECONDS", 0.1)
    table = run("compare", text, "--suite", "subword", "--time-budget", "2s", width=200,
                stdout_is_terminal=True)  # fmt: skip
    for head in ("size", "chars/s", "tokens", "bits/char", "bits/byte"):
        assert head in table.out.splitlines()[0]
    connection = sqlite3.connect("comparison/results.db")
    rows = connection.execute("select status, unit, characters from models").fetchall()
    connection.close()
    assert len(rows) == 14 and {row[0] for row in rows} == {"ok"}
    assert {row[1] for row in rows} == {"word", "character", "byte", "subword"}
    assert len({row[2] for row in rows}) == 1


def test_a_text_that_makes_fewer_subwords_says_so(run, text):
    out = run("compare", text, "--model", "ngram:order=2", "--sweep", "tokenizer=bpe:300,9000").out
    last = out.splitlines()[-1]
    assert last.startswith("bpe:9000: the text makes ") and last.endswith(" subwords, not 9,000")
    assert "bpe:300: the text" not in out


@pytest.mark.slow
def test_a_sweep_of_networks_in_one_command(run, text):
    """One command writes figures and picture; a second one trains nothing; the time is each's."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    words = ("compare", text, "--model", "ngram:order=2", "--model", "lstm:time-budget=0.2s",
             "--sweep", "tokenizer=bpe:260,300", "--json")  # fmt: skip
    rows = json.loads(run(*words, "--report", "s.svg").out)
    assert {row["status"] for row in rows} == {"ok"}
    networks = [row for row in rows if row["backend"] == "lstm"]
    assert {row["sweep_number"] for row in networks} == {260, 300}
    assert all(row["options"] == {"time_budget": 0.2, "preset": "tiny"} for row in networks)
    assert "LSTM bpe: " in (text.parent / "s.svg").read_text()
    again = json.loads(run(*words).out)
    assert {row["origin"] for row in again if "origin" in row} == {"reused"}
