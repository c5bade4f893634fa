"""``lmkit score``: rows a line and a token, and the filter."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

import lmkit

from .support import refused

TEXT = b"w1 w2 nosuch\n\nw3\n"


@pytest.fixture
def rows(run):
    def score(*words, **settings):
        result = run("score", *words, "--jsonl", **settings)
        assert result.status == 0, result.err
        return [json.loads(line) for line in result.out.splitlines()]

    return score


def test_a_row_a_line(rows, small_model):
    scored = rows(small_model, stdin=TEXT)
    assert list(scored[0]) == ["line", "tokens", "oovs", "log10_probability", "perplexity", "text"]
    assert [row["line"] for row in scored] == [1, 2, 3]
    assert [row["tokens"] for row in scored] == [4, 1, 2]
    assert [row["oovs"] for row in scored] == [1, 0, 0]
    assert [row["text"] for row in scored] == ["w1 w2 nosuch", "", "w3"]
    for row in scored:
        assert row["perplexity"] == pytest.approx(10 ** (-row["log10_probability"] / row["tokens"]))


def test_the_lines_add_up_to_the_text(rows, run, small_model, small_text):
    scored = rows(small_model, small_text)
    whole = lmkit.load(small_model).perplexity(small_text)
    assert len(scored) == whole.sentences
    assert sum(row["tokens"] for row in scored) == whole.tokens
    total = sum(row["log10_probability"] for row in scored)
    assert total == pytest.approx(whole.log10_probability)


def test_a_row_a_token(rows, small_model):
    scored = rows(small_model, "--per-token", stdin=TEXT)
    assert list(scored[0]) == ["line", "token", "id", "log10_probability", "order", "oov"]
    assert [(row["line"], row["token"]) for row in scored] == [
        *((1, "w1"), (1, "w2"), (1, "nosuch"), (1, "</s>")),
        (2, "</s>"),
        *((3, "w3"), (3, "</s>")),
    ]
    assert [row["oov"] for row in scored] == [False, False, True, False, False, False, False]
    assert [row["id"] for row in scored if row["oov"]] == [0]
    assert {row["id"] for row in scored if row["token"] == "</s>"} == {2}
    # After an unknown word no longer n-gram can match.
    assert scored[2]["order"] == scored[3]["order"] == 1
    assert all(1 <= row["order"] <= 3 for row in scored)


def test_the_tokens_add_up_to_the_lines(rows, small_model):
    lines = rows(small_model, stdin=TEXT)
    tokens = rows(small_model, "--per-token", stdin=TEXT)
    for line in lines:
        of_line = [row["log10_probability"] for row in tokens if row["line"] == line["line"]]
        assert sum(of_line) == pytest.approx(line["log10_probability"])


def test_empty_lines_have_rows_without_tokens_where_training_skipped_them(rows, skipping_model):
    assert [row["tokens"] for row in rows(skipping_model, stdin=b"w1\n\nw2\n")] == [2, 0, 2]


def test_total_is_said_beside_the_rows(run, small_model):
    result = run("score", small_model, "--total", "--tsv", stdin=TEXT)
    assert result.err.startswith("3 lines, 7 tokens, 1 oovs, log10 probability -")
    assert ", perplexity " in result.err
    assert len(result.out.splitlines()) == 4
    assert run("score", small_model, "--total", "--quiet", stdin=TEXT).err == ""


def test_no_text_has_no_rows(run, rows, small_model):
    assert rows(small_model, stdin=b"") == []
    assert run("score", small_model, "--json", stdin=b"").out == "[]\n"
    assert run("score", small_model, "--total", stdin=b"").err.startswith("0 lines, 0 tokens")


@pytest.mark.parametrize("bound", ["--max-perplexity", "--min-perplexity"])
def test_the_filter_keeps_the_lines_that_score_says(run, rows, small_model, small_text, bound):
    scored = rows(small_model, small_text)
    middle = sorted(row["perplexity"] for row in scored)[150]
    kept = run("score", small_model, small_text, bound, str(middle)).out.splitlines()
    within = {"--max-perplexity": lambda x: x <= middle, "--min-perplexity": lambda x: x >= middle}
    expected = [row["text"] for row in scored if within[bound](row["perplexity"])]
    # The bound itself is one of the lines, whose logarithm may round to either side.
    assert abs(len(kept) - len(expected)) <= 1
    assert set(kept) <= {row["text"] for row in scored}
    assert 100 < len(kept) < 200
    assert [line for line in expected if line in kept] == kept or len(kept) > len(expected)


def test_both_bounds_are_a_band(run, rows, small_model, small_text):
    scored = rows(small_model, small_text)
    out = run(
        *("score", small_model, small_text, "--min-perplexity", "20", "--max-perplexity", "50")
    ).out
    assert out.splitlines() == [row["text"] for row in scored if 20 <= row["perplexity"] <= 50]


def test_filtered_lines_come_out_as_they_went_in(run, small_model):
    text = ' w1\tw2  "quoted" \n\nünïcødé\u2028 東京 \n'.encode()
    result = run("score", small_model, "--max-perplexity", "inf", stdin=text)
    assert result.out.encode() == text
    assert result.err == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        b"w1 w2\r\n\r\nnosuch\r\nno end",
        b"w1\rw2\r\n\n\r\r\nw3\r",
        b"\xef\xbb\xbfw1\nw2\n",
        b"w1 \xff\xfe\xc3\n\xe2\x82w2\r\nw3",
    ],
)
def test_the_filter_gives_every_byte_back(process, small_model, tmp_path, text):
    path = tmp_path / "text.txt"
    path.write_bytes(text)
    for source in (path, "-"):
        result = process(
            *("score", small_model, source, "--max-perplexity", "inf", "--errors", "replace"),
            input=text,
            encoding=None,
        )
        assert result.stdout == text


def test_lines_left_out_take_nothing_of_their_neighbours_with_them(run, rows, small_model):
    text = b"w1 w2\r\nw1 nosuch \xff nosuch\rw3\nw1"
    bound = "60"
    scored = rows(small_model, "--errors", "replace", stdin=text)
    kept = [row["perplexity"] <= float(bound) for row in scored]
    assert sorted(set(kept)) == [False, True]
    lines = text.splitlines(keepends=True)
    expected = b"".join(line for line, keep in zip(lines, kept, strict=True) if keep)
    out = run(
        *("score", small_model, "--max-perplexity", bound, "--errors", "replace"), stdin=text
    ).out
    assert out.encode() == expected


def test_the_filter_writes_text_and_no_rows(run, small_model):
    for extra in ("--json", "--per-token", "--total"):
        result = run("score", small_model, "--max-perplexity", "9", extra, stdin=TEXT)
        assert result.status == 2
        assert "write lines of text, not rows" in result.err


@pytest.mark.parametrize("bound", ["0", "-5", "nan"])
def test_a_bound_that_is_no_perplexity_is_a_wrong_call(run, small_model, bound):
    result = run("score", small_model, "--max-perplexity", bound, stdin=TEXT)
    assert result.status == 2
    assert "must be above 0" in result.err


def test_scores_that_are_no_probabilities_can_be_listed_but_do_not_filter(run, rows, stupid_model):
    scored = rows(stupid_model, stdin=TEXT)
    assert [row["perplexity"] for row in scored] == [None, None, None]
    assert all(row["log10_probability"] < 0 for row in scored)
    result = run("score", stupid_model, "--max-perplexity", "9", stdin=TEXT)
    assert result.status == 1
    assert "scores, not probabilities" in result.err
    assert "perplexity" not in run("score", stupid_model, "--total", "--csv", stdin=TEXT).err


@pytest.mark.slow
def test_a_literal_end_of_sentence_is_named_by_its_line_in_the_whole_text(run, rows, small_model):
    text = b"w1\n" * 25_000 + b"w2 </s>\n"
    result = run("score", small_model, "--tsv", stdin=text)
    assert result.status == 1
    assert "a stream, line 25001: " in result.err
    assert rows(small_model, "--special-tokens", "unknown", stdin=text)[-1]["oovs"] == 1


@pytest.mark.parametrize("how", [["--tsv"], ["--per-token"], ["--max-perplexity", "9"]])
def test_a_literal_end_of_sentence_is_named_by_its_file(run, small_model, tmp_path, how):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"w1\nw2 <s> w3\n")
    result = run("score", small_model, path, *how)
    assert result.status == 1
    assert result.err.startswith(f"Error: {path}, line 2: the text has a literal <s>")


def test_invalid_utf_8_is_replaced_and_said(run, small_model):
    result = run("score", small_model, "--errors", "replace", "--csv", stdin=b"w\xff1\n")
    assert result.out.splitlines()[1].endswith("w\ufffd1")
    assert result.err == "1 invalid sequences of bytes were read as U+FFFD\n"


def test_a_line_is_answered_before_the_next_one_comes(small_model, environment):
    words = [sys.executable, "-m", "lmkit", "score", str(small_model), "--jsonl"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for number in (1, 2):
            running.stdin.write(b"w1 w2\n")
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["line"] == number
        running.stdin.close()
        assert running.wait(30) == 0


MEASURE = """
import resource, sys
from lmkit.cli.main import main
status = main(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak // (1024 if sys.platform == "darwin" else 1), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [["--max-perplexity", "50"], ["--csv"], ["--max-difference", "0"]])
def test_memory_does_not_grow_with_the_text(
    how, small_model, skipping_model, small_text, tmp_path, environment
):
    peaks = []
    if "--max-difference" in how:
        how = [*how, "--against", str(skipping_model), "--difference-per", "character"]
    for times in (100, 400):
        text = tmp_path / "long.txt"
        text.write_bytes(small_text.read_bytes() * times)
        ended = subprocess.run(
            [sys.executable, "-c", MEASURE, "score", str(small_model), str(text), *how],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            check=True,
        )
        peaks.append(int(ended.stderr.split()[-1]))
    assert peaks[1] < peaks[0] * 1.15


def test_a_closed_pipe_behind_score_is_quiet(small_model, small_text, tmp_path, environment):
    text = tmp_path / "long.txt"
    text.write_bytes(small_text.read_bytes() * 100)
    with subprocess.Popen(
        [sys.executable, "-m", "lmkit", "score", str(small_model), str(text), "--csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith(b"line,")
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 0


def test_perplexities_are_finite_for_the_models_own_text(rows, small_model, small_text):
    assert all(math.isfinite(row["perplexity"]) for row in rows(small_model, small_text))


def test_a_line_has_its_difference_from_another_model(run, rows, small_model, skipping_model):
    found = run("score", small_model, "--against", skipping_model, "--jsonl", stdin=TEXT)
    scored = [json.loads(line) for line in found.out.splitlines()]
    assert list(scored[0])[-2:] == ["difference", "text"]
    assert found.err == "difference in bits per token: the models have the same tokens\n"
    other = rows(skipping_model, stdin=TEXT)
    for one, two in zip(scored, other, strict=True):
        more = (two["log10_probability"] - one["log10_probability"]) / one["tokens"]
        assert one["difference"] == pytest.approx(more * math.log2(10))


def test_the_filter_keeps_the_lines_of_a_difference(run, small_model, skipping_model, small_text):
    words = ("score", small_model, small_text, "--against", skipping_model)
    words += ("--difference-per", "character")
    found = run(*words, "--jsonl")
    assert found.err == ""
    scored = [json.loads(line) for line in found.out.splitlines()]
    for bound, within in (("max", lambda x: x <= -0.25), ("min", lambda x: x >= -0.25)):
        kept = run(*words, f"--{bound}-difference", "-0.25").out.splitlines()
        assert kept == [row["text"] for row in scored if within(row["difference"])]
        assert 20 < len(kept) < 280


def test_a_difference_needs_another_model(run, small_model, small_text):
    for words in (["--max-difference", "0"], ["--difference-per", "token"]):
        result = run("score", small_model, small_text, *words)
        refused(result, "needs a model to differ from. Try: --against OTHER.lm", status=2)
    refused(
        run("score", small_model, small_text, "--against", small_model, "--per-token"),
        "--against compares lines, not tokens, so --per-token cannot show it",
        status=2,
    )
    refused(run("score", small_model, "--against", "nosuch.lm", stdin=TEXT), "nosuch", status=1)
