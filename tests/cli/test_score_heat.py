"""``lmkit score --heat`` and ``--explain``: what a person sees, with and without colours."""

from __future__ import annotations

import json
import math
import re

import pytest

from lmkit.api import train
from lmkit.cli.heat import SCALE
from lmkit.text.settings import TextSettings

from .support import refused

TEXT = b"w1 w2 nosuch\n\nw3\n"
TERMINAL = {"stdout_is_terminal": True}
CODES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def tokens(run, small_model):
    """Token, bits, order and oov of each token of `TEXT`, as ``--per-token`` says."""
    out = run("score", small_model, "--per-token", "--jsonl", stdin=TEXT).out
    rows = [json.loads(line) for line in out.splitlines()]
    return [
        (r["token"], -r["log10_probability"] * math.log2(10), r["order"], r["oov"]) for r in rows
    ]


def test_without_a_terminal_the_bits_stand_beside_the_tokens(run, small_model, tokens):
    result = run("score", small_model, "--heat", stdin=TEXT)
    assert result.status == 0
    assert "\x1b" not in result.out
    shown = [f"{token}/{bits:.1f}" for token, bits, _, _ in tokens]
    assert result.out.splitlines() == [" ".join(shown[:4]), shown[4], " ".join(shown[5:])]


def test_on_a_terminal_the_text_reads_as_it_is_and_colours_say_the_rest(run, small_model, tokens):
    out = run("score", small_model, "--heat", stdin=TEXT, **TERMINAL).out
    legend, *lines = out.splitlines()
    assert CODES.sub("", legend).split() == [
        *("bits:", "0-1", "1-2", "2-4", "4-6", "6-8", "8-12", "12-16", "16+"),
    ]
    assert [CODES.sub("", line) for line in lines] == ["w1 w2 nosuch </s>", "</s>", "w3 </s>"]
    coloured = re.findall(r"((?:\x1b\[[0-9;]*m)*)([^\x1b ]+)(?:\x1b\[0m)", "\n".join(lines))
    for (codes, shown), (token, bits, _, oov) in zip(coloured, tokens, strict=True):
        assert shown == token
        reached = [ground for least, ground, _ in SCALE if bits >= least]
        grounds = re.findall(r"48;5;(\d+)", codes)
        assert grounds == [str(reached[-1])] if reached else grounds == []
        # Letters never keep the terminal's own colour on a ground of ours.
        assert len(re.findall(r"38;5;(\d+)", codes)) == len(grounds)
        assert ("\x1b[4m" in codes) == oov


@pytest.mark.parametrize("settings", [{"no_color": True, **TERMINAL}, {}])
@pytest.mark.parametrize("how", ["--heat", "--explain"])
def test_no_colours_where_none_are_wanted(run, small_model, settings, how):
    assert "\x1b" not in run("score", small_model, how, stdin=TEXT, **settings).out
    for words in (["--color", "never"],):
        assert "\x1b" not in run("score", small_model, how, *words, stdin=TEXT, **TERMINAL).out
    assert "\x1b" in run("score", small_model, how, "--color", "always", stdin=TEXT).out


def test_the_environment_is_asked(process, small_model):
    result = process("score", small_model, "--heat", input="w1\n", env={"NO_COLOR": "1"})
    assert result.stdout.startswith("w1/")


def test_explained_tokens_have_their_bits_and_orders_below_them(run, small_model, tokens):
    out = run("score", small_model, "--explain", stdin=TEXT).out
    blocks = [block.splitlines() for block in out.split("\n\n")[:-1]]
    assert [len(block) for block in blocks] == [3, 3, 3]
    cells = [list(zip(*map(columns, block), strict=True)) for block in blocks]
    flat = [cell for block in cells for cell in block]
    assert flat == [
        (token, f"{bits:.1f}", f"{order} oov" if oov else str(order))
        for token, bits, order, oov in tokens
    ]


def columns(line):
    return re.split(r"\s{2,}", line.strip())


def test_columns_stand_below_each_other_and_are_folded_at_the_edge(run, small_model):
    text = " ".join(["w1", "w22", "w333", "w1"] * 6).encode() + b"\n"
    out = run("score", small_model, "--explain", stdin=text, width=40, **TERMINAL).out
    rows = CODES.sub("", out).splitlines()[1:-1]
    assert len(rows) % 3 == 0 and len(rows) > 3
    for first in range(0, len(rows), 3):
        assert all(len(row) <= 40 for row in rows[first : first + 3])
        starts = [
            [m.start() for m in re.finditer(r"(?:(?<=  )|^)\S", row)] for row in rows[first:][:3]
        ]
        assert starts[0] == starts[1] == starts[2]
    assert " ".join(" ".join(rows[0::3]).split()) == text.decode().strip() + " </s>"
    wide = run("score", small_model, "--explain", stdin=text).out.splitlines()
    assert len(wide) == 4


def test_characters_stand_side_by_side_in_colour(run, tmp_path):
    (tmp_path / "text.txt").write_text("ab ab ba\n" * 5, encoding="utf-8")
    model = tmp_path / "c.lm"
    train(tmp_path / "text.txt", output=model, order=3, settings=TextSettings("char"))
    coloured = run("score", model, "--heat", stdin=b"ab ba\n", **TERMINAL).out.splitlines()[1]
    assert CODES.sub("", coloured) == "ab ba</s>"
    plain = run("score", model, "--heat", stdin=b"ab ba\n").out.split()
    assert [part.partition("/")[0] for part in plain] == ["a", "b", "␣", "b", "a", "<"]


def test_a_model_without_orders_has_none(run, tmp_path, small_text):
    model = tmp_path / "net.lm"
    train(small_text, output=model, backend="rnn", hidden=4, epochs=1, workers=1, seed=1)
    block = run("score", model, "--explain", stdin=b"w1 w2\n").out.splitlines()
    assert len(block) == 3 and block[2] == ""


def test_what_moves_a_cursor_is_shown_and_not_obeyed(run, small_model):
    out = run("score", small_model, "--explain", stdin=b"w1 \x1b[2J\n", **TERMINAL).out
    assert "\x1b[2J" not in out and r"\x1b[2J" in out


@pytest.mark.parametrize("how", ["--heat", "--explain"])
def test_a_picture_is_no_rows(run, small_model, how):
    for other in ("--json", "--per-token"):
        refused(run("score", small_model, how, other, stdin=TEXT), "no", "not rows", status=2)
    refused(run("score", small_model, how, "--max-perplexity", "9"), "not rows", status=2)
    against = run("score", small_model, how, "--against", small_model)
    refused(against, "compares lines, not tokens", status=2)


def test_the_total_is_said_with_a_picture_too(run, small_model):
    result = run("score", small_model, "--heat", "--total", stdin=TEXT)
    assert result.err.startswith("3 lines, 7 tokens, 1 oovs")
