"""A comparison in ``results.db`` is whole or not there, whoever holds the file; and a model that is
there already is taken only if it says that it is of this text."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import ExitCode, LmkitError
from lmkit.evaluate.comparison import database
from lmkit.evaluate.comparison.corpus import prepare
from lmkit.evaluate.comparison.database import write_results
from lmkit.evaluate.comparison.run import compare
from lmkit.evaluate.comparison.specs import parse_specs
from lmkit.evaluate.results import (
    Comparison,
    CorpusFacts,
    CurvePoint,
    LearningCurve,
    ModelResult,
    SplitFacts,
)
from lmkit.text.settings import TextSettings

LINES = [f"line {number}" for number in range(5)]


def small_comparison() -> Comparison:
    """Two models of five lines, and a curve, without training anything."""
    split = SplitFacts("test", "t.txt", "ab" * 32, 5, 10, 35)
    facts = CorpusFacts("t", split, None, split, None, 0, False, 35, 35)
    rows = [
        ModelResult(name, name, "ngram", rank=rank, log_probabilities=np.full(5, -1.0))
        for rank, name in enumerate(("one", "other"), 1)
    ]
    points = [CurvePoint(share, 1, 10, 2.0, None) for share in (0.1, 0.5)]
    return Comparison(facts, rows, curves=[LearningCurve("one", points, None)])


def sizes(path: Path) -> dict[str, int]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for (name,) in names
        }
    finally:
        connection.close()


WHOLE = {"runs": 1, "models": 2, "scores": 10, "sentences": 5, "curves": 2}
TWICE = {"runs": 2, "models": 4, "scores": 20, "sentences": 5, "curves": 4}

KILLED = """
import json, os, sqlite3, sys
from pathlib import Path
sys.path[:0] = sys.argv[3].split(os.pathsep)
from test_comparison_kept import LINES, small_comparison
from lmkit.evaluate.comparison.database import write_results

path, comparison = Path(sys.argv[1]), small_comparison()
connect = sqlite3.connect

def dies_after(statements):
    left = statements
    def step(*_):
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(9)
    def watched(*words, **settings):
        connection = connect(*words, **settings)
        # What is written reaches the file before the end, as it does in a large transaction; the
        # computer itself goes on, so that nothing need be on disk.
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("PRAGMA synchronous = OFF")
        connection.set_trace_callback(step)
        return connection
    return watched

old = path.read_bytes() if path.exists() else None
number = int(sys.argv[2])
while True:
    process = os.fork()
    if process == 0:
        sqlite3.connect = dies_after(number)
        write_results(comparison, LINES, path)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    database = connect(path)
    names = [n for n, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {n: database.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names}
    database.close()
    print(json.dumps([status, found]), flush=True)
    if status == 0:
        break
    path.unlink()
    if old is not None:
        path.write_bytes(old)
    number += 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", [{}, WHOLE])
def test_killed_at_every_statement_a_run_is_whole_or_not_there(
    tmp_path: Path, before: dict[str, int]
) -> None:
    path = tmp_path / "results.db"
    if before:
        write_results(small_comparison(), LINES, path)
        assert sizes(path) == before
    folders = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    result = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), "0", folders],
        capture_output=True,
        text=True,
        check=True,
    )
    *killed, last = map(json.loads, result.stdout.splitlines())
    after = TWICE if before else WHOLE
    assert len(killed) > 20
    assert all(one in ([9, before], [9, after]) for one in killed)
    assert last == [0, after]
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.db"]


@contextmanager
def held(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    """Another program that reads or writes ``path``, and takes its time."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        other.execute(how)
        other.execute("SELECT * FROM runs").fetchone()
        yield other
    finally:
        other.close()


@pytest.mark.parametrize("how", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_database_that_is_let_go_is_waited_for(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    path = tmp_path / "results.db"
    write_results(small_comparison(), LINES, path)
    told = threading.Event()
    with held(path, how) as other:

        def let_go() -> None:
            assert told.wait(60)
            other.execute("ROLLBACK")

        thread = threading.Thread(target=let_go)
        thread.start()
        assert write_results(small_comparison(), LINES, path, told.set) == 2
        thread.join(60)
    assert sizes(path) == TWICE


def test_a_database_that_stays_locked_costs_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.0)
    path = tmp_path / "results.db"
    write_results(small_comparison(), LINES, path)
    with held(path, "BEGIN"):
        for number in (1, 2):
            aside = tmp_path / f"results-{number}.db"
            with pytest.raises(LmkitError, match=f"database is locked; .* are in {aside}"):
                write_results(small_comparison(), LINES, path)
            assert sizes(aside) == WHOLE
    assert sizes(path) == WHOLE
    assert write_results(small_comparison(), LINES, path) == 2


def test_who_interrupts_the_waiting_has_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    path = tmp_path / "results.db"
    write_results(small_comparison(), LINES, path)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with held(path, "BEGIN"), pytest.raises(LmkitError, match=r"interrupted; .* are in") as error:
        write_results(small_comparison(), LINES, path, interrupt)
    assert error.value.exit_code == ExitCode.INTERRUPTED
    assert sizes(tmp_path / "results-1.db") == sizes(path) == WHOLE


def test_a_database_of_an_older_version_gets_the_new_columns(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, started TEXT)")
        old.execute("INSERT INTO runs (started) VALUES ('once')")
    old.close()
    assert write_results(small_comparison(), LINES, path) == 2
    assert sizes(path) == {**WHOLE, "runs": 2}


def test_what_is_empty_at_first_is_still_a_number(tmp_path: Path) -> None:
    comparison = small_comparison()
    write_results(comparison, LINES, tmp_path / "results.db")
    comparison.rows[0].parameters, comparison.rows[0].spread = 7, 0.25
    write_results(comparison, LINES, tmp_path / "results.db")
    with sqlite3.connect(tmp_path / "results.db") as connection:
        found = connection.execute(
            "SELECT parameters, typeof(parameters), typeof(spread), typeof(reason) FROM models"
            " WHERE parameters IS NOT NULL"
        ).fetchall()
    connection.close()
    assert found == [(7, "integer", "real", "null")]


# -- models that are there -----------------------------------------------------------------------


def test_a_model_of_another_text_under_this_name_is_not_trusted(
    tmp_path: Path, zipf_text: Path, zipf_lines: list[str]
) -> None:
    specs = parse_specs(["ngram:order=2", "ngram:order=3,tokenizer=char"])

    def bits() -> list[tuple[str, float | None]]:
        corpus = prepare(tmp_path / "corpus", TextSettings(), {"all": zipf_text}, name="zipf")
        found = compare(corpus, specs, tmp_path / "models", resamples=100)
        return [(row.origin, row.bits_per_character) for row in found.rows]

    first = bits()
    assert [origin for origin, _ in first] == ["trained", "trained"]
    again = bits()
    assert [origin for origin, _ in again] == ["reused", "reused"]
    other = tmp_path / "other.txt"
    other.write_text("".join(f"{line.upper()}\n" for line in zipf_lines))
    for path in (tmp_path / "models").glob("*.lm"):
        tokenizer = "char" if "char" in path.name else "word"
        lmkit.train(other, order=2, settings=TextSettings(tokenizer), output=path)
    assert bits() == first


def test_a_text_that_changes_while_it_is_trained_on_is_noticed(
    tmp_path: Path, zipf_text: Path
) -> None:
    (tmp_path / "train.txt").write_bytes(zipf_text.read_bytes())
    texts = {"train": tmp_path / "train.txt", "test": zipf_text}
    corpus = prepare(tmp_path / "corpus", TextSettings(), texts, name="zipf")
    (tmp_path / "train.txt").write_text("something else\n" * 50)
    found = compare(corpus, parse_specs(["ngram:order=2"]), tmp_path / "models", resamples=100)
    assert found.failed[0].reason is not None
    assert "has changed while models were trained on it" in found.failed[0].reason
