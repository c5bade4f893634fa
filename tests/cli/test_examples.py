"""Every example in every ``--help`` runs, in a directory with a small model and a text."""

from __future__ import annotations

import shlex

import pytest

from .test_frame import COMMANDS


def examples() -> list[tuple[str, str]]:
    return [(name, line) for name, one in COMMANDS.items() for line in one.example]


NEEDS_NETWORK = {"lmkit data get wikitext-2 --split test"}
"""Run by the tests of the data sets, against a server of their own."""


def test_what_is_left_out_is_an_example():
    assert {line for _, line in examples()} >= NEEDS_NETWORK


@pytest.mark.parametrize(
    "line", [pytest.param(line, id=line) for _, line in examples() if line not in NEEDS_NETWORK]
)
def test_an_example_runs(line, run, small_model, small_text, tmp_path, monkeypatch):
    (tmp_path / "model.lm").write_bytes(small_model.read_bytes())
    (tmp_path / "text.txt").write_bytes(small_text.read_bytes())
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)
    assert words[0] == "lmkit"
    result = run(*words[1:])
    assert result.status == 0, result.err
    assert result.out or "--output" in words
