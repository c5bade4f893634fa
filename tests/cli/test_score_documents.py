"""``lmkit score --jsonl-field``: documents in JSON lines."""

from __future__ import annotations

import gzip
import json
import lzma

import pytest

import lmkit
from lmkit.text.ccnet import normalized
from lmkit.text.settings import TextSettings

from .support import refused

DOCUMENTS = [
    '{"id": 1.50, "text": "w1 w2\\nw3 w4 nosuch", "x": [1e400, "\\u00e9é"]}',
    '{"text":"w5"}',
    '{"text": ""}',
    '{"text": "w1\\n\\n", "perplexity": "old"}',
]
TEXT = "".join(f"{line}\n" for line in DOCUMENTS).encode()
BAD = [
    (b"no json", "no JSON"),
    (b"[1]", "not an object"),
    (b'{"a": 1}', "there is no field 'text'"),
    (b'{"text": 1}', "not a text but a number"),
    (b'{"text": "\\udc80"}', "lone surrogate U+DC80"),
    (b'{"text": "a", "b": NaN}', "NaN"),
    (b'{"text": "a <s> b"}', "the text has a literal <s>"),
]


def score(run, model, *words, stdin=TEXT, status=0):
    result = run("score", model, "--jsonl-field", "text", *words, stdin=stdin)
    assert result.status == status, result.err
    return result


def test_an_object_has_the_figures_of_its_text_as_a_file(run, small_model, tmp_path):
    lines = score(run, small_model).out.splitlines()
    assert len(lines) == 4
    for line, document in zip(lines, DOCUMENTS, strict=True):
        found = json.loads(line)
        path = tmp_path / "document.txt"
        path.write_text(json.loads(document)["text"], encoding="utf-8")
        figures = lmkit.load(small_model).perplexity(path)
        assert list(found)[-4:] == ["perplexity", "log10_probability", "tokens", "oovs"]
        assert (found["tokens"], found["oovs"]) == (figures.tokens, figures.oovs)
        assert found["log10_probability"] == pytest.approx(figures.log10_probability)
        if figures.tokens:
            assert found["perplexity"] == pytest.approx(figures.perplexity)
        else:
            assert found["perplexity"] is None
    assert lines[0].startswith(DOCUMENTS[0][:-1] + ", ")
    assert '"old"' not in lines[3]


@pytest.mark.parametrize("segment", ["sentence", "paragraph"])
def test_sentences_are_those_of_the_model_and_go_over_no_document(run, tmp_path, segment):
    lmkit_text = tmp_path / "text.txt"
    lmkit_text.write_text("One is. Two is\nnot. Three\n\nFour was.\n" * 5, encoding="utf-8")
    settings = TextSettings(segment=segment)
    model = lmkit.train(lmkit_text, output=tmp_path / "m.lm", order=2, settings=settings)
    texts = ["One is. Two is\nnot", "Three\n\nFour was. One", " ", "Two"]
    stdin = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    rows = [json.loads(row) for row in score(run, tmp_path / "m.lm", stdin=stdin).out.splitlines()]
    for text, row in zip(texts, rows, strict=True):
        figures = model.perplexity(text)
        assert row["tokens"] == figures.tokens
        assert row["log10_probability"] == pytest.approx(figures.log10_probability)


def test_names_have_the_prefix(run, small_model):
    found = json.loads(score(run, small_model, "--prefix", "lm_", stdin=b'{"text": "w1"}').out)
    assert list(found) == ["text", *(f"lm_{name}" for name in NAMES)]


NAMES = ["perplexity", "log10_probability", "tokens", "oovs"]


def test_a_filter_keeps_whole_objects(run, small_model):
    rows = [json.loads(row) for row in score(run, small_model).out.splitlines()]
    bound = sorted(row["perplexity"] for row in rows if row["perplexity"])[1]
    kept = score(run, small_model, "--max-perplexity", str(bound)).out.splitlines()
    assert [json.loads(row) for row in kept] == [
        row for row in rows if row["perplexity"] and row["perplexity"] <= bound
    ]
    rest = score(run, small_model, "--min-perplexity", str(bound * (1 + 1e-9))).out.splitlines()
    assert len(kept) == 2 and len(rest) == 1


def test_the_difference_is_that_of_the_whole_text(run, small_model, skipping_model):
    stdin = b'{"text": "w1 w2 w3"}\n{"text": "w1\\nw2 w3"}\n'
    words = ("--against", skipping_model, "--difference-per", "character")
    out = score(run, small_model, *words, stdin=stdin).out
    rows = [json.loads(row) for row in out.splitlines()]
    plain = run("score", small_model, *words, "--jsonl", stdin=b"w1 w2 w3\nw1\nw2 w3\n")
    lines = [json.loads(row) for row in plain.out.splitlines()]
    assert rows[0]["difference"] == pytest.approx(lines[0]["difference"])
    sums = (lines[1]["difference"] * 3 + lines[2]["difference"] * 6) / 9
    assert rows[1]["difference"] == pytest.approx(sums)
    kept = score(run, small_model, *words, "--max-difference", "-99", stdin=stdin)
    assert kept.out == ""


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_line_ends_it_and_says_its_number(run, small_model, line, reason):
    result = score(run, small_model, stdin=b'{"text": "w1"}\n' + line + b"\n", status=1)
    refused(result, "line 2: ", reason, "--rejected", status=1)


def test_bad_lines_are_kept_where_they_stood(run, small_model):
    bad = b"".join(line + b"\n" for line, _ in BAD)
    result = score(run, small_model, "--errors", "replace", stdin=TEXT + bad + b'{"text": "w1"}')
    assert result.out.encode().splitlines(True)[4:-1] == bad.splitlines(True)
    assert json.loads(result.out.splitlines()[-1])["tokens"] == 2
    assert "7 lines without a text, kept as they are (line 5: no JSON" in result.err
    assert "and 2 more)" in result.err


def test_bad_lines_go_elsewhere_byte_for_byte(run, small_model, tmp_path):
    bad = b"no json\r\n" + b"\xef\xbb\xbf{}\n"
    words = ("--rejected", tmp_path / "bad.gz", "--output", tmp_path / "good.xz")
    result = score(run, small_model, *words, stdin=bad + TEXT)
    assert gzip.decompress((tmp_path / "bad.gz").read_bytes()) == bad
    assert f"2 lines without a text, written to {tmp_path / 'bad.gz'} (line 1: " in result.err
    assert result.out == ""
    assert lzma.open(tmp_path / "good.xz").read().decode() == score(run, small_model).out


def test_empty_lines_are_left_out_and_a_mark_at_the_start_is_none(run, small_model):
    out = score(run, small_model, stdin=b'\xef\xbb\xbf{"text": "w1"}\r\n\r\n \n{"text": "w2"}').out
    assert [json.loads(row)["text"] for row in out.splitlines()] == ["w1", "w2"]


def test_only_a_line_feed_ends_a_line(run, small_model):
    out = score(run, small_model, stdin='{"a": "\u2028\x85",\r"text": "w1"}\n'.encode()).out
    assert out.startswith('{"a": "\u2028\x85",\r"text": "w1", "perplexity": ')


def test_text_is_scored_as_ccnet_writes_it(run, small_model):
    typed = "  W1 w2!\x07 «É» 7\n"
    stdin = json.dumps({"text": typed}).encode() + b"\n"
    found = json.loads(score(run, small_model, "--normalize", "cc-net", stdin=stdin).out)
    assert found["text"] == typed
    plain = json.loads(score(run, small_model, stdin=json.dumps({"text": normalized(typed)})
                             .encode()).out)  # fmt: skip
    assert found["log10_probability"] == plain["log10_probability"]
    assert found["oovs"] == plain["oovs"] == 3
    rows = run("score", small_model, "--normalize", "cc-net", "--tsv", stdin=typed.encode())
    assert f"{found['log10_probability']}" in rows.out
    assert typed.strip("\n") in rows.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prefix", "a"), "--prefix is nothing without documents"),
        (("--rejected", "a"), "--rejected is nothing without documents"),
        (("--jsonl-field", "t", "--tsv"), "--jsonl-field writes objects of JSON"),
        (("--jsonl-field", "t", "--per-token"), "--jsonl-field writes objects of JSON"),
        (("--jsonl-field", "t", "--heat"), "--jsonl-field writes objects of JSON"),
        (("--jsonl-field", "t", "--state", "carry"), "a document has nothing before it"),
        (("--jsonl-field", "t", "--rejected", "x", "-o", "x"), "are both x"),
        (("--jsonl-field", "t", "--rejected", "x", "-o", "./no/../x"), "are both ./no/../x"),
        (("--jsonl-field", "t", "--rejected", "-"), "themselves go to standard output"),
        (("--jsonl-field", "t", "--rejected", "-", "-o", "-"), "are both -"),
        (("--jsonl-field", "tokens"), "take the place of the text in 'tokens'"),
        (("--jsonl-field", "a_oovs", "--prefix", "a_"), "take the place of the text in 'a_oovs'"),
        (("--heat", "-o", "x"), "--heat is a picture for a person"),
    ],
)
def test_what_makes_no_sense_together_is_refused(run, small_model, words, said):
    refused(run("score", small_model, *words, stdin=TEXT), said, status=2)


def test_a_text_called_as_a_score_stays(run, small_model):
    words = ("score", small_model, "--jsonl-field", "tokens", "--prefix", "lm_")
    found = json.loads(run(*words, stdin=b'{"tokens": "w1 w2"}\n').out)
    assert found["tokens"] == "w1 w2"
    assert found["lm_tokens"] == 3


def test_two_names_of_one_file_are_not_two_outputs(run, small_model, tmp_path):
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to("there")
    words = ("--rejected", tmp_path / "link", "-o", tmp_path / "there")
    result = run("score", small_model, "--jsonl-field", "text", *words, stdin=TEXT)
    refused(result, "--rejected and --output are both", status=2)
    words = ("--rejected", "/dev/null", "-o", "/dev/null")
    score(run, small_model, *words)
