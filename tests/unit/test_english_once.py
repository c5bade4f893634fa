"""The English model of a machine is made once, however many ask for it at the same time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lmkit import english


def test_whoever_comes_second_waits_for_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMKIT_HOME", str(tmp_path))
    monkeypatch.setattr(english, "_wordfreq_version", lambda: "1")
    begun, go_on, made = threading.Event(), threading.Event(), []

    def make(path: Path, *_: object) -> None:
        begun.set()
        assert go_on.wait(60)
        made.append(path)
        path.write_text("a model")

    monkeypatch.setattr(english, "_make", make)
    found = []

    def ask() -> None:
        found.append(english.english_model().fresh)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [False, False, True] and len(made) == 1
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".lm"]
