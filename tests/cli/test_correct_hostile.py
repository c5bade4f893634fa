"""``lmkit correct`` on hostile text: no line is lost, nothing crashes; and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .support import refused

LINE = "teh old farmer wrote to his freind yesterday .\n"
RIGHT = LINE.replace("freind", "friend").replace("teh", "the")

HOSTILE = [
    "", " ", "\t", "\x00\x01teh\x1b[31m", "teh\u2028teh\x85teh\x0cteh", "\ufeffteh",
    "\u202eteh \u05e9\u05dc\u05d5\u05dd", "e\u0301te\u0301 nai\u0308ve", "\ud7ff\ue000",
    "\U0001f600teh\U0001f600", "a" * 5000, "teh " * 300, "' '' '''", "<s> teh </s> <unk>",
    "teh\u00adteh", "½ ǅ ß İ ı ſ", "_ _ _", "0x7F",
]  # fmt: skip


@pytest.mark.parametrize("line", HOSTILE)
def test_hostile_lines_come_out_as_lines(run, channel_model, line):
    given_ = f"{line}\nteh captain\n{line}".encode()
    result = run("correct", channel_model, stdin=given_)
    assert (result.status, result.err) == (0, "")
    assert result.out.count("\n") == given_.count(b"\n")
    assert result.out.split("\n")[1] == "the captain"


@pytest.mark.parametrize("word", ["ש", "שלום", "мир", "平和", "α", "हिन्दी", "ไทย", "한국어"])
def test_words_of_another_script_are_no_typing_errors(run, channel_model, word):
    line = f"the {word} , a {word} and teh {word}\n"
    assert run("correct", channel_model, stdin=line.encode()).out == line.replace("teh", "the")


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("teh  \t'"),
                        max_size=30), max_size=6))  # fmt: skip
def test_no_line_is_lost(run, channel_model, lines):
    lines = [line.replace("\n", " ").replace("\r", " ") for line in lines]
    given_ = "".join(f"{line}\n" for line in lines).encode()
    result = run("correct", channel_model, stdin=given_)
    assert result.status == 0
    assert result.out.count("\n") == len(lines)
    rows = run("correct", channel_model, "--jsonl", stdin=given_).out.split("\n")[:-1]
    marked = [json.loads(row) for row in rows]
    assert [row["corrected"] for row in marked] == result.out.removeprefix("\ufeff").split("\n")[
        :-1
    ]


def test_invalid_bytes(run, channel_model, tmp_path):
    refused(run("correct", channel_model, stdin=b"teh \xff\n"), "not valid UTF-8", status=1)
    path, target = tmp_path / "bad.txt", tmp_path / "out.txt"
    path.write_bytes(b"\xff\xfe 1\nteh captain\n")
    result = run("correct", channel_model, path, "--errors", "replace", "--output", target)
    assert "U+FFFD" in result.err
    # What is not changed comes back byte for byte, whatever it was read as.
    assert target.read_bytes() == b"\xff\xfe 1\nthe captain\n"


def test_a_line_is_answered_before_the_next_one_comes(channel_model, environment):
    words = [sys.executable, "-m", "lmkit", "correct", str(channel_model)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for name in (b"captain", b"doctor"):
            running.stdin.write(b"teh %s\n" % name)
            running.stdin.flush()
            assert running.stdout.readline() == b"the %s\n" % name
        running.stdin.close()
        assert running.wait(30) == 0


@pytest.mark.slow
def test_a_closed_pipe_ends_quietly(channel_model, environment, tmp_path):
    path = tmp_path / "long.txt"
    path.write_text(LINE * 5000, encoding="utf-8")
    words = f'"{sys.executable}" -m lmkit correct "{channel_model}" "{path}" | head -n 1'
    ended = subprocess.run(
        words, shell=True, env=environment, capture_output=True, encoding="utf-8", timeout=60
    )
    assert (ended.stdout, ended.stderr) == (RIGHT, "")


INTERRUPTIBLE = """
import signal, sys
from lmkit.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
"""Where the tests themselves run with Ctrl-C ignored, their children would too."""


@pytest.mark.slow
def test_interrupted_in_place_leaves_the_file(channel_model, environment, tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("teh captain\n", encoding="utf-8")
    words = [sys.executable, "-c", INTERRUPTIBLE, "correct", str(channel_model), str(path)]
    with subprocess.Popen(
        [*words, "--in-place", "--interactive"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as running:
        assert running.stderr is not None
        said = b""
        while b"[y n" not in said:
            more = running.stderr.read1(4096)  # type: ignore[attr-defined]
            assert more, said
            said += more
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    assert path.read_text(encoding="utf-8") == "teh captain\n"
    assert [one.name for one in tmp_path.iterdir()] == ["long.txt"]
