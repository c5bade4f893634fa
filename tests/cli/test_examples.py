"""Every example in every ``--help`` runs, in a directory with a small model and a text."""

from __future__ import annotations

import shlex

import pytest

from .test_frame import COMMANDS

NEEDS_NETWORK = {"lmkit data get wikitext-2 --split test", "lmkit serve model.lm --port 8000"}
"""Run by the tests of the data sets, against a server of their own, and by those of serving."""


def test_what_is_left_out_is_an_example():
    assert {line for one in COMMANDS.values() for line in one.example} >= NEEDS_NETWORK


@pytest.fixture
def workplace(tmp_path, small_model, skipping_model, small_text, monkeypatch):
    """A directory with what the examples name: a text and more of it, a model and another one,
    and that model in the formats of other programs."""
    (tmp_path / "text.txt").write_bytes(small_text.read_bytes())
    (tmp_path / "more.txt").write_bytes(small_text.read_bytes())
    (tmp_path / "docs.jsonl").write_text('{"text": "w1 w2"}\n', encoding="utf-8")
    for label in ("one", "two"):
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{label}.txt").write_text(f"{label} w1 w2\n" * 9, encoding="utf-8")
    (tmp_path / "model.lm").write_bytes(small_model.read_bytes())
    pair = '{"sentence_good": "w1 w2", "sentence_bad": "w2 w1", "field": "order"}\n'
    (tmp_path / "pairs.jsonl").write_text(pair, encoding="utf-8")
    (tmp_path / "words.txt").write_text("w1\nw2\nw3\n", encoding="utf-8")
    (tmp_path / "pairs.tsv").write_text("w1x\tw1\nw22\tw2\t3\n", encoding="utf-8")
    (tmp_path / "other.lm").write_bytes(skipping_model.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_run_one_after_the_other(name, run, workplace):
    given = {"model.arpa": "arpa", "counts.tsv": "counts"}
    for line in COMMANDS[name].example:
        words = shlex.split(line)
        assert words[0] == "lmkit"
        for file in set(given) & set(words):
            if not (workplace / file).exists() and file != _output(words):
                export = ("export", "model.lm", "--format", given[file], "--output", file)
                assert run(*export).status == 0
        if line in NEEDS_NETWORK:
            continue
        result = run(*words[1:])
        assert result.status == 0, f"{line}\n{result.err}"
        target = _output(words)
        assert result.out or name in SILENT or (target and (workplace / target).exists())


SILENT = {"tables"}
"""Commands that change their file and say so on standard error only."""


def _output(words):
    return words[words.index("--output") + 1] if "--output" in words else None
