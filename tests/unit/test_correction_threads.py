"""Correction by several threads: the same answers, in order, and errors that come through."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.channel.candidates import finder
from lmkit.channel.corrector import Corrector
from lmkit.channel.edits.damerau import Damerau

TEXT = """the cat sat on the mat .
the cat ate the rat , and the rat did not like that .
I think of the house of the man ; the man is in the house .
they went there with their cat from the house .
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> lmkit.LanguageModel:
    path = tmp_path_factory.mktemp("source") / "text.txt"
    path.write_text(TEXT * 12)
    return lmkit.train(path, order=3)


@pytest.fixture(autouse=True)
def little_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "FEWEST_AT_ONCE", 4)


def typed(lines: int) -> list[str]:
    """Lines with errors of one kind or another, some of them empty."""
    channel, generator = Damerau(keep=0.6), np.random.default_rng(3)
    clean = [*TEXT.splitlines(), "", "The Cat , ofthe man"]
    return [
        " ".join(channel.draw(word, generator) for word in clean[n % len(clean)].split())
        for n in range(lines)
    ]


class TestAnswers:
    @pytest.mark.parametrize("threads", [2, 3, 8])
    @pytest.mark.parametrize("batch_tokens", [20, 20_000])
    def test_they_do_not_depend_on_the_threads(
        self, source: lmkit.LanguageModel, threads: int, batch_tokens: int
    ) -> None:
        lines = typed(80)
        alone, together = (
            Corrector(source, channel=Damerau(), threads=n, batch_tokens=batch_tokens)
            for n in (1, threads)
        )
        expected = alone.correct(lines)
        assert together.correct(lines) == expected
        assert [one.line for one in expected] == lines
        assert sum(bool(one.changes) for one in expected) > 20

    def test_a_file_is_read_by_threads_as_by_one(
        self, source: lmkit.LanguageModel, tmp_path: Path
    ) -> None:
        source.save(tmp_path / "model.lm")
        alone, together = (
            Corrector(lmkit.load(tmp_path / "model.lm"), channel=Damerau(), threads=n)
            for n in (1, 4)
        )
        assert together.correct(typed(40)) == alone.correct(typed(40))


def test_what_fails_in_a_thread_is_raised(source: lmkit.LanguageModel) -> None:
    failed = threading.Event()

    class Failing(Damerau):
        """Fails in any thread but the main one, which waits for that."""

        def log_probs(self, typed: Any, intended: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                failed.set()
                raise RuntimeError("no more")
            assert failed.wait(60)
            return super().log_probs(typed, intended)

    failing = Corrector(source, channel=Failing(), threads=2)
    with pytest.raises(RuntimeError, match="no more"):
        failing.correct(typed(200))


INTERRUPTED = """
import itertools, os, signal, sys, threading
import lmkit
from lmkit.channel.candidates import finder
from lmkit.channel.corrector import Corrector
from lmkit.channel.edits.damerau import Damerau
signal.signal(signal.SIGINT, signal.default_int_handler)
finder.FEWEST_AT_ONCE = 4

helped = threading.Event()

class Interrupting(Damerau):
    def log_probs(self, typed, intended):
        if threading.current_thread() is threading.main_thread():
            helped.wait(60)
        elif not helped.is_set():
            helped.set()
            os.kill(os.getpid(), signal.SIGINT)
        return super().log_probs(typed, intended)

correct = Corrector(lmkit.load(sys.argv[1]), channel=Interrupting(), threads=2)
lines = ["".join(letters) for letters in itertools.product("aehst", repeat=4)]
try:
    correct.correct(lines)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.slow
def test_ctrl_c_ends_the_work(source: lmkit.LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    source.save(path)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == "interrupted\n"
    assert done.stderr == ""
