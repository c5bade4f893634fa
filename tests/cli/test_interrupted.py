"""Training that is killed or interrupted: the old model stays, and nothing else for long."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

import lmkit


@pytest.fixture
def place(tmp_path, zipf_lines):
    """A directory with a text that takes a while to train on and an old model."""
    text = "".join(f"{line}\n" for line in zipf_lines)
    (tmp_path / "text.txt").write_text(text * 500, encoding="utf-8")
    (tmp_path / "short.txt").write_text(text, encoding="utf-8")
    lmkit.train(tmp_path / "short.txt", order=2, output=tmp_path / "model.lm")
    return tmp_path


def stopped(place, environment, number, moment):
    """The exit status of a training that gets the signal ``number`` after ``moment`` seconds."""
    words = [sys.executable, "-m", "lmkit", "train", place / "text.txt", "-o", place / "model.lm"]
    with subprocess.Popen(
        list(map(str, words)), stderr=subprocess.PIPE, env=environment, encoding="utf-8"
    ) as running:
        time.sleep(moment)
        running.send_signal(number)
        _, said = running.communicate(timeout=30)
    assert "Traceback" not in said
    return running.returncode


def names(place):
    return sorted(os.listdir(place))


def trained_anew(place, environment):
    before = (place / "model.lm").read_bytes()
    words = [sys.executable, "-m", "lmkit", "train", place / "short.txt", "--order", "3"]
    subprocess.run(
        [*map(str, words), "-o", str(place / "model.lm")],
        env=environment,
        check=True,
        capture_output=True,
    )
    assert names(place) == ["model.lm", "short.txt", "text.txt"]
    assert (place / "model.lm").read_bytes() != before
    assert lmkit.load(place / "model.lm").describe()["order"] == 3


def test_a_killed_training_leaves_the_old_model(place, environment):
    old = (place / "model.lm").read_bytes()
    for _ in range(3):
        status = stopped(place, environment, signal.SIGKILL, random.uniform(0.1, 0.9))
        assert status == -signal.SIGKILL
        assert (place / "model.lm").read_bytes() == old
    trained_anew(place, environment)


def test_an_interrupted_training_leaves_the_old_model_and_nothing_else(place, environment):
    old = (place / "model.lm").read_bytes()
    for _ in range(3):
        # Before the command line has begun, Python itself answers the signal.
        status = stopped(place, environment, signal.SIGINT, random.uniform(0.4, 0.9))
        assert status == 130
        assert (place / "model.lm").read_bytes() == old
        assert names(place) == ["model.lm", "short.txt", "text.txt"]
    trained_anew(place, environment)
