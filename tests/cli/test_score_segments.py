"""``lmkit score`` with models whose sentences are not lines: a row a line, the sum of its
sentences, and the same totals as ``lmkit perplexity``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from lmkit.api import load
from lmkit.evaluate.filtering import filter_lines
from lmkit.evaluate.scoring import score_lines
from lmkit.text.by_line import sentences_of, whole_paragraphs
from lmkit.text.reading import LineBlock, TextChunk
from lmkit.text.segmentation import segment
from lmkit.text.settings import TextSettings

TEXT = """\
The cat sat. It saw the
dog. The dog

  ran away! Did it see
the cat? Mr. Fox did.
\t
zebra

The end. And a long
sentence that goes on
over three lines. Yes.
"""
LINES = TEXT.splitlines()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "t.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=["sentence", "paragraph"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["word", "whitespace", "char", "byte"])
def tokenizer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(folder: Path, kind: str, tokenizer: str, run) -> str:
    words = ("--segment", kind, "--tokenizer", tokenizer, "--order", "3", "--min-count", "2")
    assert run("train", "t.txt", *words, "-o", "m.lm").status == 0
    return "m.lm"


def test_totals_are_those_of_perplexity(model: str, run) -> None:
    rows = json.loads(run("score", model, "t.txt", "--json").out)
    whole = json.loads(run("perplexity", model, "t.txt", "--json").out)[0]
    assert [row["line"] for row in rows] == list(range(1, len(LINES) + 1))
    assert [row["text"] for row in rows] == LINES
    for key in ("tokens", "oovs", "log10_probability"):
        assert sum(row[key] for row in rows) == pytest.approx(whole[key])
    assert rows[2] == {"line": 3, "tokens": 0, "oovs": 0, "log10_probability": 0.0,
                       "perplexity": None, "text": ""}  # fmt: skip


def test_tokens_are_those_of_their_lines(model: str, kind: str, run) -> None:
    rows = json.loads(run("score", model, "t.txt", "--per-token", "--json").out)
    lines = json.loads(run("score", model, "t.txt", "--json").out)
    for number, line in enumerate(LINES, 1):
        here = [row for row in rows if row["line"] == number]
        spelt = "".join(row["token"] for row in here if row["token"] != "</s>")
        assert "".join(line.split()) == spelt.replace("<0x20>", " ").replace(" ", "")
        total = sum(row["log10_probability"] for row in here)
        assert total == pytest.approx(lines[number - 1]["log10_probability"])
    ends = [row["line"] for row in rows if row["token"] == "</s>"]
    assert ends == ([1, 2, 2, 4, 5, 5, 7, 9, 11, 11] if kind == "sentence" else [2, 5, 7, 11])


def test_total_and_pictures(model: str, run) -> None:
    whole = json.loads(run("perplexity", model, "t.txt", "--json").out)[0]
    said = run("score", model, "t.txt", "--total").err
    assert f"{len(LINES)} lines, {whole['sentences']} sentences, {whole['tokens']} tokens" in said
    heat = run("score", model, "t.txt", "--heat").out.split("\n")
    assert len(heat) == len(LINES) + 1
    assert heat[2] == "" and heat[6].startswith("z")


def test_filters_keep_whole_lines(model: str, run) -> None:
    rows = json.loads(run("score", model, "t.txt", "--json").out)
    figures = sorted(row["perplexity"] for row in rows if row["perplexity"] is not None)
    middle = figures[len(figures) // 2]
    kept = run("score", model, "t.txt", "--max-perplexity", repr(middle * (1 + 1e-9))).out
    expected = [r["text"] for r in rows if r["tokens"] and r["perplexity"] <= middle]
    assert kept.splitlines() == expected


def test_against_a_model_of_lines_and_the_other_way_round(folder: Path, kind: str, run) -> None:
    assert run("train", "t.txt", "--segment", kind, "-o", "parts.lm").status == 0
    assert run("train", "t.txt", "-o", "lines.lm").status == 0
    one = ("score", "parts.lm", "t.txt", "--against", "lines.lm", "--difference-per", "character")
    other = ("score", "lines.lm", "t.txt", "--against", "parts.lm", "--difference-per", "character")
    there, back = (json.loads(run(*words, "--json").out) for words in (one, other))
    for row, opposite in zip(there, back, strict=True):
        assert row["difference"] == pytest.approx(-opposite["difference"])
    same = json.loads(run("score", "parts.lm", "t.txt", "--against", "parts.lm", "--json").out)
    assert [row["difference"] for row in same if row["tokens"]] == [0.0] * 8


def test_sentences_are_those_of_a_file(kind: str) -> None:
    """The way over lines finds what the way over chunks of a file finds."""
    settings = TextSettings(segment=kind)
    chunk = TextChunk(TEXT.encode(), "", 1)
    expected = b"".join(segment([chunk], settings)).decode().splitlines()
    found = sentences_of(LINES, settings)
    assert [" ".join(text for _, text in parts) for parts in found] == expected


def test_blocks_end_with_paragraphs() -> None:
    def blocks() -> Iterable[LineBlock]:
        for start in range(0, len(LINES), 2):
            lines = LINES[start : start + 2]
            originals = [f"{line}\n".encode() for line in lines]
            yield LineBlock(lines, "t.txt", start + 1, originals)

    found = list(whole_paragraphs(blocks()))
    assert [line for block in found for line in block] == LINES
    assert all(not block[-1].strip() for block in found[:-1])
    for block in found:
        assert isinstance(block, LineBlock) and block.originals is not None
        assert block == LINES[block.first_line - 1 :][: len(block)]
        assert [o.decode().rstrip("\n") for o in block.originals] == block


def test_lines_that_come_one_by_one(folder: Path, kind: str, run) -> None:
    assert run("train", "t.txt", "--segment", kind, "-o", "m.lm").status == 0
    model = load("m.lm")
    whole = [row for scores in score_lines(model, [LINES]) for row in scores.log_probability]
    single = score_lines(model, ([line] for line in LINES))
    assert [row for scores in single for row in scores.log_probability] == pytest.approx(whole)
    kept = list(filter_lines(model, ([line] for line in LINES), max_perplexity=1e9))
    assert [line for block in kept for line in block] == [line for line in LINES if line.strip()]


def test_a_literal_mark_is_found_in_its_line(folder: Path, kind: str, run) -> None:
    assert run("train", "t.txt", "--segment", kind, "-o", "m.lm").status == 0
    refused = run("score", "m.lm", stdin=b"a b\n\nc\nd </s>\n")
    assert refused.status == 1 and "line 4" in refused.err


def test_a_network_carries_its_state(folder: Path, kind: str, run) -> None:
    tiny = ("--epochs", "1", "--hidden-size", "4", "--layers", "1", "--seed", "1")
    command = ("train", "t.txt", "--segment", kind, "--backend", "gru", *tiny, "-o", "m.lm")
    assert run(*command).status == 0
    for state in ("line", "carry"):
        rows = json.loads(run("score", "m.lm", "t.txt", "--state", state, "--json").out)
        whole = json.loads(run("perplexity", "m.lm", "t.txt", "--state", state, "--json").out)[0]
        total = sum(row["log10_probability"] for row in rows)
        assert total == pytest.approx(whole["log10_probability"], rel=1e-5)
