"""`lmkit score` and `lmkit perplexity` have the same totals, however a text is read."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

import lmkit

NASTY = (
    b"\xef\xbb\xbfHello World. Wie geht es?\r\n\r\n  \t \r\n"
    b"Zwei W\xc3\xb6rter <s> hier </s> da.\r\n"
    b"\xc3\x84 b c. D e f! N\xc3\xa4chste\nletzte  Zeile. ohne Ende"
)
TRAINED = "The cat sat. The dog sat.\nhier da . ohne Ende\n\nWie geht es ?\na b c d e f\n"
SEGMENTS = ("line", "sentence", "paragraph")


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    path = tmp_path / "nasty.txt"
    path.write_bytes(NASTY)
    return path


def trained(folder: Path, **settings: object) -> Path:
    text, path = folder / "trained.txt", folder / "m.lm"
    text.write_text(TRAINED)
    lmkit.train(text, output=path, order=2, settings=lmkit.TextSettings(**settings))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["word", "char", "byte", "whitespace"])
def test_totals_agree(run, tmp_path, nasty, tokenizer):
    for segment, skip in itertools.product(SEGMENTS, (False, True)):
        model = trained(tmp_path, tokenizer=tokenizer, segment=segment, skip_empty_lines=skip)
        for special in ("word", "unknown", "drop"):
            words = (model, nasty, "--json", "--special-tokens", special)
            (whole,) = json.loads(run("perplexity", *words).out)
            lines = json.loads(run("score", *words).out)
            tokens = json.loads(run("score", *words, "--per-token").out)
            assert [row["line"] for row in lines] == [1, 2, 3, 4, 5, 6]
            assert sum(row["tokens"] for row in lines) == len(tokens) == whole["tokens"]
            assert sum(row["oovs"] for row in lines) == whole["oovs"]
            for rows in (lines, tokens):
                total = sum(row["log10_probability"] for row in rows)
                assert total == pytest.approx(whole["log10_probability"], rel=1e-9)


def test_a_line_without_tokens_has_no_difference_per_token(run, tmp_path, nasty):
    (tmp_path / "other").mkdir()
    skips = trained(tmp_path, tokenizer="char", skip_empty_lines=True)
    reads = trained(tmp_path / "other", tokenizer="char")
    words = ("score", skips, nasty, "--against", reads, "--special-tokens", "drop")
    words = (*words, "--difference-per", "token")
    rows = json.loads(run(*words, "--json").out)
    assert [row["difference"] is None for row in rows] == [False, True, True] + [False] * 3
    # A line costs nothing under MODEL if it does not read it: no reason to keep it.
    assert len(run(*words, "--max-difference", "1000").out.splitlines()) == 4
