"""``--special-tokens drop``: literal <s> and </s> are the marks that are added anyway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmkit.text.segmentation import without_marks

PLAIN = "a b\nc\n\na b c\nb\n"
MARKED = "<s> a b </s>\n<s> c </s>\n<s> </s>\n<s> a b c </s>\n<s> b </s>\n"


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("<s> a b </s>\n", "a b\n"),
        ("<s>a b</s>\n", "a b\n"),
        ("  <s>  a b\t</s>  \n", "a b\n"),
        ("a b </s>\n", "a b\n"),
        ("<s> a b\n", "a b\n"),
        ("<s> <s> a b </s></s>\n", "a b\n"),
        ("<s></s>\n", "\n"),
        # In the middle a mark ends one sentence and begins the next.
        ("<s> a </s> <s> b </s>\n", "a\nb\n"),
        ("<s> a </s> b </s>\nc\n", "a\nb\nc\n"),
        ("a <s> b\n", "a\nb\n"),
        ("a</s><s>b\n", "a\nb\n"),
        # Nothing else changes.
        (" a  b \n<S> <s > s> </ s>\n", " a  b \n<S> <s > s> </ s>\n"),
        ("<s> a </s>\r\n", "a\r\n"),
    ],
)
def test_marks(marked: str, plain: str) -> None:
    assert without_marks(marked.encode()).decode() == plain


def test_many_spaces_take_linear_time() -> None:
    text = (b" " * 200_000 + b"x") * 3 + b"<s" + b" " * 200_000 + b"\n<s>\n"
    assert without_marks(text).endswith(b"\n\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plain.txt").write_text(PLAIN)
    (tmp_path / "marked.txt").write_text(MARKED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_refusal_names_what_works(folder: Path, run) -> None:
    refused = run("train", "marked.txt", "-o", "m.lm")
    assert refused.status == 1
    assert "--special-tokens drop" in refused.err
    assert run("train", "marked.txt", "-o", "m.lm", "--special-tokens", "drop").status == 0


@pytest.mark.parametrize("tokenizer", ["word", "whitespace", "char", "byte"])
def test_a_text_with_marks_is_the_text_without_them(folder: Path, tokenizer: str, run) -> None:
    drop = ("--special-tokens", "drop")
    assert run("train", "plain.txt", "--tokenizer", tokenizer, "-o", "plain.lm").status == 0
    assert run("train", "marked.txt", "--tokenizer", tokenizer, "-o", "m.lm", *drop).status == 0
    for command in ("perplexity", "score"):
        expected = run(command, "plain.lm", "plain.txt", "--json")
        # By the model's own setting, and by that of the command.
        found = run(command, "m.lm", "marked.txt", "--json")
        given = run(command, "plain.lm", "marked.txt", *drop, "--json")
        for result in (found, given):
            assert result.status == 0, result.err
            rows = json.loads(result.out)
            for row, wanted in zip(rows, json.loads(expected.out), strict=True):
                for key in ("tokens", "oovs", "log10_probability", "perplexity"):
                    assert row[key] == wanted[key]


def test_several_sentences_in_a_line(folder: Path, run) -> None:
    (folder / "t.txt").write_text("<s> a b </s> <s> c </s>\n<s> b </s>\n")
    (folder / "lines.txt").write_text("a b\nc\nb\n")
    assert run("train", "plain.txt", "-o", "m.lm").status == 0
    drop = ("--special-tokens", "drop", "--json")
    rows = json.loads(run("score", "m.lm", "t.txt", *drop).out)
    alone = json.loads(run("score", "m.lm", "lines.txt", "--json").out)
    sums = [row["log10_probability"] for row in alone]
    assert [row["tokens"] for row in rows] == [5, 2]
    assert rows[0]["log10_probability"] == pytest.approx(sums[0] + sums[1])
    assert rows[1]["log10_probability"] == pytest.approx(sums[2])
    whole = json.loads(run("perplexity", "m.lm", "t.txt", *drop).out)[0]
    assert whole["sentences"] == 3
    assert whole["log10_probability"] == pytest.approx(sum(sums))
    tokens = json.loads(run("score", "m.lm", "t.txt", "--per-token", *drop).out)
    assert [(row["line"], row["token"]) for row in tokens] == [
        (1, "a"), (1, "b"), (1, "</s>"), (1, "c"), (1, "</s>"), (2, "b"), (2, "</s>"),
    ]  # fmt: skip


def test_filters_and_the_difference_of_two_models(folder: Path, run) -> None:
    for name in ("one", "two"):
        assert run("train", "plain.txt", "--order", "2", "-o", f"{name}.lm").status == 0
    drop = ("--special-tokens", "drop")
    kept = run("score", "one.lm", "marked.txt", "--max-perplexity", "1e9", *drop)
    assert kept.out == MARKED
    rows = run("score", "one.lm", "marked.txt", "--against", "two.lm", *drop, "--json")
    assert [row["difference"] for row in json.loads(rows.out)] == [0.0] * 5


def test_compare(folder: Path, run) -> None:
    (folder / "long.txt").write_text("<s> a b </s> <s> c </s>\n<s> b a c </s>\n" * 40)
    models = ("--model", "ngram:order=2", "--model", "ngram:order=3,tokenizer=char")
    compared = run(
        "compare", "long.txt", *models, "--special-tokens", "drop", "-o", "out", "--json"
    )
    assert compared.status == 0, compared.err


def test_a_mark_that_normalization_makes_is_an_unknown_word(folder: Path, run) -> None:
    (folder / "wide.txt").write_text("a ＜s＞ b\n", encoding="utf-8")
    command = (
        "train",
        "plain.txt",
        "--normalize",
        "nfkc",
        "--special-tokens",
        "drop",
        "-o",
        "m.lm",
    )
    assert run(*command).status == 0
    rows = json.loads(run("score", "m.lm", "wide.txt", "--per-token", "--json").out)
    assert [(row["token"], row["oov"]) for row in rows] == [
        ("a", False), ("<s>", True), ("b", False), ("</s>", False),
    ]  # fmt: skip
