"""Commands that are killed leave the old file or the new one, and no litter: see ``kills.py``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

from .support import ROOT, clean_environment, run_python

SCRIPT = str(ROOT / "tests" / "cli" / "kills.py")


@pytest.mark.slow
def test_some_kills_of_every_command():
    """One step of each for each signal; without ``--points`` the script takes all steps."""
    result = run_python(SCRIPT, "--points", "1", timeout=3600)
    assert result.returncode == 0, result.stderr
    kills = [json.loads(line)["kills"] for line in result.stdout.splitlines()]
    # Of 39: a signal within a callback of SQLite is not heard, and a command may take fewer steps.
    assert len(kills) == 13 and sum(kills) >= 10


# A process that says when it is in the middle of writing, and waits there.
WRITING = """
import sys, time
from lmkit.cli.main import main
from lmkit.files.replacing import Temporary

def put(self):
    print("writing", flush=True)
    while True:
        time.sleep(60)

Temporary.put = put
sys.exit(main(sys.argv[1:]))
"""


def writing(place, *words, script=WRITING, **settings):
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=place,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.fixture
def place(tmp_path, small_text, small_model):
    (tmp_path / "text.txt").write_bytes(small_text.read_bytes())
    (tmp_path / "model.lm").write_bytes(small_model.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("train text.txt --order 2 -o model.lm", signal.SIGTERM),
        ("train text.txt --order 2 -o model.lm", signal.SIGHUP),
        ("train text.txt --order 2 --tables -o model.lm", signal.SIGTERM),
        ("export model.lm -o model.arpa", signal.SIGHUP),
        pytest.param(
            "compare text.txt --model ngram:order=1 --report r.html",
            signal.SIGTERM,
            marks=pytest.mark.skipif(
                find_spec("matplotlib") is None, reason="reports need matplotlib: make report"
            ),
        ),
    ],
)
def test_a_signal_cleans_up_and_is_what_the_process_dies_of(place, line, number):
    before = sorted(os.listdir(place))
    with writing(place, *line.split()) as process:
        assert sorted(os.listdir(place)) != before
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == -number
    assert "Traceback" not in said and "Error" not in said
    assert sorted(set(os.listdir(place)) - {"comparison"}) == before
    assert not [name for _, _, names in os.walk(place) for name in names if name[0] == "."]


def test_who_ignores_hangups_is_not_ended_by_one(place):
    """As under ``nohup``."""

    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with writing(place, "export", "model.lm", "-o", "a.arpa", preexec_fn=ignore) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


def test_a_second_signal_ends_what_will_not_end(place):
    stubborn = """
import sys, time
from lmkit.cli.main import main
from lmkit.files.replacing import Temporary

def put(self):
    try:
        print("writing", flush=True)
        time.sleep(600)
    finally:
        print("cleaning", flush=True)
        time.sleep(600)

Temporary.put = put
sys.exit(main(sys.argv[1:]))
"""
    words = ("export", "model.lm", "-o", "a.arpa")
    with writing(place, *words, script=stubborn) as process:
        process.terminate()
        assert process.stdout.readline() == "cleaning\n"
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert sorted(os.listdir(place)) == ["model.lm", "text.txt"]


def test_a_signal_that_python_loses_ends_the_process_too(place):
    """What is raised within a ``__del__`` comes to nobody."""
    deaf = """
import sys, time
from lmkit.cli import ending
from lmkit.cli.main import main
from lmkit.files.replacing import Temporary

class Deaf:
    def __del__(self):
        print("writing", flush=True)
        time.sleep(600)

def put(self):
    Deaf()
    while True:
        time.sleep(600)

ending.PATIENCE = 0.1
Temporary.put = put
sys.exit(main(sys.argv[1:]))
"""
    with writing(place, *"export model.lm -o a.arpa".split(), script=deaf) as process:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert sorted(os.listdir(place)) == ["model.lm", "text.txt"]


def test_what_sigkill_leaves_is_swept_by_whoever_writes_there_next(run, place, tiny_text):
    before = set(os.listdir(place))
    with writing(place, *"train text.txt --order 2 -o model.lm".split()) as process:
        process.kill()
    left = sorted(set(os.listdir(place)) - before)
    assert [name.rpartition(".")[2] for name in left] == ["lock", "partial"]
    assert run("train", tiny_text, "-o", place / "other.lm").status == 0
    assert set(os.listdir(place)) == {*before, "other.lm"}


def test_the_same_target_is_refused_to_a_second_command(run, place, monkeypatch):
    """The second would lose what the first has done, or the first what the second has."""
    monkeypatch.chdir(place)
    old = (place / "model.lm").read_bytes()
    with writing(place, *"train text.txt --order 2 -o model.lm".split()) as process:
        for line in (
            "train text.txt --append model.lm -o model.lm",
            "tables model.lm",
            "prune model.lm --cutoffs 0,1 -o model.lm",
            "train text.txt -o model.lm",
            "correct model.lm --tune text.txt text.txt",
        ):
            result = run(*line.split())
            assert result.status == 1
            assert f"process {process.pid} is at work on model.lm" in result.err
            assert result.err.count("\n") == 1
        assert run("prune", "model.lm", "--cutoffs", "0,1", "-o", "other.lm").status == 0
        process.terminate()
        process.communicate(timeout=60)
    assert (place / "model.lm").read_bytes() == old
    assert run("tables", "model.lm").status == 0


def test_the_same_folder_is_refused_to_a_second_comparison(run, place, monkeypatch):
    monkeypatch.chdir(place)
    line = "compare text.txt --model ngram:order=1 -o kept"
    with writing(place, *line.split()) as process:
        (place / "other.txt").write_text("another text\n" * 100)
        result = run("compare", "other.txt", "--model", "ngram:order=1", "-o", "kept")
        assert result.status == 1
        assert f"process {process.pid} is at work on kept" in result.err
        assert run("compare", "other.txt", "--model", "ngram:order=1", "-o", "else").status == 0
        process.terminate()
        process.communicate(timeout=60)
    assert run(*line.split()).status == 0
    assert sorted(os.listdir("kept")) == ["corpus", "models", "results.db"]
