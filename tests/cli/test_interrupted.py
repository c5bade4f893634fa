"""Training that is killed or interrupted: the old model stays, and nothing else for long.

No test waits for a moment. A process reads its text from a pipe that is fed part of it, so that
it is surely reading, and not done, when the signal comes; later steps raise it themselves.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys

import pytest

import lmkit

FILES = ["model.lm", "short.txt"]


@pytest.fixture
def place(tmp_path, zipf_lines):
    """A directory with a text and an old model of it."""
    text = "".join(f"{line}\n" for line in zipf_lines)
    (tmp_path / "short.txt").write_text(text, encoding="utf-8")
    lmkit.train(tmp_path / "short.txt", order=2, output=tmp_path / "model.lm")
    return tmp_path


def stopped_while_reading(place, environment, number, times):
    """The exit status of a training that gets the signal ``number`` after it has begun to read
    ``times`` copies of the text, of which there is no end yet."""
    words = [sys.executable, "-m", "lmkit", "train", "-", "-o", place / "model.lm"]
    with subprocess.Popen(
        list(map(str, words)), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        # The text is larger than a pipe: when it is written, most of it has been read.
        running.stdin.write((place / "short.txt").read_bytes() * times)
        running.stdin.flush()
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert b"Traceback" not in said
    return running.returncode


def names(place):
    return sorted(os.listdir(place))


def trained_anew(place, run):
    before = (place / "model.lm").read_bytes()
    result = run("train", place / "short.txt", "--order", "3", "-o", place / "model.lm")
    assert result.status == 0
    assert names(place) == FILES
    assert (place / "model.lm").read_bytes() != before
    assert lmkit.load(place / "model.lm").describe()["order"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("times", [5, 200])
def test_a_killed_training_leaves_the_old_model(place, environment, run, times):
    old = (place / "model.lm").read_bytes()
    status = stopped_while_reading(place, environment, signal.SIGKILL, times)
    assert status == -signal.SIGKILL
    assert (place / "model.lm").read_bytes() == old
    trained_anew(place, run)


@pytest.mark.slow
@pytest.mark.parametrize("times", [5, 200])
def test_an_interrupted_training_leaves_the_old_model_and_nothing_else(
    place, environment, run, times
):
    old = (place / "model.lm").read_bytes()
    assert stopped_while_reading(place, environment, signal.SIGINT, times) == 130
    assert (place / "model.lm").read_bytes() == old
    assert names(place) == FILES
    trained_anew(place, run)


STEPS = {
    "counting": "lmkit.ngram.counting:count_ngrams",
    "smoothing": "lmkit.ngram.building:smooth",
    "a temporary file is there": "lmkit.store.modelfile:ModelWriter._prepare",
    "half written": "lmkit.store.modelfile:ModelWriter.column",
    "all written": "lmkit.store.modelfile:ModelWriter._finish",
    "before the sync": "os:fsync",
    "before the rename": "os:replace",
}


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupt_at_a_step_leaves_the_old_model_and_nothing_else(
    place, run, monkeypatch, step
):
    module, _, name = STEPS[step].partition(":")
    owner = importlib.import_module(module)
    for part in name.split(".")[:-1]:
        owner = getattr(owner, part)

    def interrupt(*_, **__):
        signal.raise_signal(signal.SIGINT)
        pytest.fail("nothing was interrupted")

    old = (place / "model.lm").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(owner, name.split(".")[-1], interrupt)
        result = run("train", place / "short.txt", "-o", place / "model.lm")
    assert (result.status, result.err.splitlines()[-1]) == (130, "Interrupted.")
    assert (place / "model.lm").read_bytes() == old
    assert names(place) == FILES
    trained_anew(place, run)
