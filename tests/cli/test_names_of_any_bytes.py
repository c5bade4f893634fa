"""Names of files need not be UTF-8: what is made of such files is as of others."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest

import lmkit
from lmkit.store.values import DEEPEST, from_json, to_json

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
ODD = os.fsdecode(b"b\xff")
TEXT = "the cat sat on the mat\nthe dog sat\na cat and a dog\n" * 8


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / f"folder {ODD}"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / f"{ODD}.txt").write_text(TEXT)
    return place


def test_a_model_keeps_the_name_of_its_text(run, folder):
    text, model = f"{ODD}.txt", f"{ODD}.lm"
    assert run("train", text, "-o", model, "--order", "2", "--tables").status == 0
    assert lmkit.load(model).runs[0]["sources"] == [text]
    assert json.loads(run("info", model, "--json").out)["history"][0]["sources"] == [text]
    for words in (
        ["info", model],
        ["train", "--append", model, text, "-o", model],
        ["export", model, "-o", f"{ODD}.arpa"],
        ["import", f"{ODD}.arpa", "-o", f"{ODD}2.lm"],
        ["mix", model, f"{ODD}2.lm", "--valid", text, "-o", f"{ODD}3.lm"],
        ["perplexity", f"{ODD}3.lm", text, "--json"],
    ):
        result = run(*words)
        assert result.status == 0, result.err


def test_a_comparison_of_such_files(run, folder):
    pytest.importorskip("matplotlib")
    text, model, page = f"{ODD}.txt", f"{ODD}.lm", f"{ODD}.html"
    assert run("train", text, "-o", model, "--order", "2").status == 0
    words = ("--model", model, "--model", f"ngram:order=1,name={ODD}1", "--report", page)
    assert run("compare", text, *words, "-o", ODD).status == 0
    with sqlite3.connect(Path(ODD) / "results.db") as database:
        names = {name for (name,) in database.execute("SELECT name FROM models")}
    assert names == {r"b\udcff", r"b\udcff1"}
    assert r"b\udcff1" in Path(page).read_text(encoding="utf-8")


def test_values_of_files_are_utf_8_and_not_too_deep() -> None:
    assert from_json(to_json({"a": [ODD, "ä"]})) == {"a": [ODD, "ä"]}
    assert "ä" in to_json("ä")
    assert from_json("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(ValueError, match="more than 100 deep"):
        from_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))
