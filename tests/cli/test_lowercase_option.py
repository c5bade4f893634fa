"""``--lowercase`` with and without a language: no file name is ever taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., object]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a.txt").write_text("İZMİR IŞIK\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "stored", "tokens"),
    [
        ("--lowercase a.txt -o m", True, ["izmir", "işik"]),
        ("a.txt -o m --lowercase", True, ["izmir", "işik"]),
        ("a.txt --lowercase -o m", True, ["izmir", "işik"]),
        ("-o m --lowercase -- a.txt", True, ["izmir", "işik"]),
        ("--lowercase tr a.txt -o m", "tr", ["izmir", "ışık"]),
        ("a.txt -o m --lowercase az", "az", ["izmir", "ışık"]),
        ("--lowercase=tr a.txt -o m", "tr", ["izmir", "ışık"]),
        ("--lowercase lt a.txt -o m", "lt", ["izmir", "işik"]),
        ("a.txt -o m", False, ["İZMİR", "IŞIK"]),
    ],
)
def test_train(words: str, stored: object, tokens: list[str], folder: Path, run) -> None:
    result = run("train", *words.split())
    assert result.status == 0, result.err
    facts = json.loads(run("info", "m", "--json").out)
    assert facts["text"]["lowercase"] == stored
    rows = json.loads(run("score", "m", "a.txt", "--per-token", "--json").out)
    assert [row["token"] for row in rows] == [*tokens, "</s>"]
    assert not any(row["oov"] for row in rows)


def test_no_such_language(folder: Path, run) -> None:
    refused = run("train", "--lowercase=de", "a.txt", "-o", "m")
    assert refused.status == 2
    assert "'de' is not a language with its own rules for lower case" in refused.err
    # Without = it is a TEXT, as after any flag.
    missing = run("train", "--lowercase", "de", "a.txt", "-o", "m")
    assert missing.status == 1 and "cannot read de" in missing.err


def test_a_file_that_is_called_as_a_language(folder: Path, run) -> None:
    (folder / "tr").write_text("IŞIK\n", encoding="utf-8")
    assert run("train", "--lowercase", "./tr", "-o", "m").status == 0
    assert json.loads(run("info", "m", "--json").out)["text"]["lowercase"] is True


def test_compare_and_import(folder: Path, run) -> None:
    (folder / "t.txt").write_text("IŞIK b\nA IŞIK\n" * 30, encoding="utf-8")
    compared = run("compare", "t.txt", "--lowercase", "--model", "ngram:order=2", "-o", "out")
    assert compared.status == 0, compared.err
    (folder / "c.counts").write_text("a\t1\nb\t2\n")
    imported = run("import", "--lowercase", "tr", "c.counts", "-o", "m")
    assert imported.status == 0, imported.err
    assert json.loads(run("info", "m", "--json").out)["text"]["lowercase"] == "tr"
