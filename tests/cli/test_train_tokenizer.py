"""``train-tokenizer`` and ``train --tokenizer``: what is learnt, and what is refused."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from .support import TOKENIZED, Result, ran, said_no

Run = Callable[..., Result]


# -- train-tokenizer -------------------------------------------------------------------------------


def test_a_tokenizer_file_is_rows_for_people(learnt: Path) -> None:
    with sqlite3.connect(learnt / "b.tok") as file:
        assert file.execute("PRAGMA application_id").fetchone() == (0x4C4D4B31,)
        assert file.execute("SELECT count(*) FROM merges").fetchone() == (290 - 256 - 1,)
        tokens = dict(file.execute("SELECT token, count FROM vocabulary"))
        whole = file.execute("SELECT tokens FROM runs WHERE what = 'train'").fetchone()
    assert len(tokens) == 290 and tokens["Ġharbour"] == 9 and tokens["<|x|>"] == 0
    assert whole == (sum(tokens.values()),)
    with sqlite3.connect(learnt / "u.tok") as file:
        rows = dict(file.execute("SELECT piece, log_prob FROM pieces"))
    assert len(rows) == 290 and "▁harbour" in rows
    assert math.isclose(sum(map(math.exp, rows.values())), 1, rel_tol=1e-6)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_the_same_text_gives_the_same_tokenizer(kind: str, folder: Path, run: Run) -> None:
    said = []
    for name, stdin in (("one.tok", b""), ("two.tok", (folder / "a.txt").read_bytes())):
        words = ["--tokenizer", kind, "--vocabulary-size", "280", "-o", name]
        assert run("train-tokenizer", "-" if stdin else "a.txt", *words, stdin=stdin).status == 0
        facts = json.loads(ran(run("info", name, "--json")))
        said.append((facts["tokenizer"], ran(run("tokenize", name, "a.txt", "--ids"))))
    assert said[0] == said[1]


def test_a_small_text_gives_fewer_tokens_and_a_remark(folder: Path, run: Run) -> None:
    made = run("train-tokenizer", "a.txt", "-o", "t.tok")
    size = json.loads(ran(run("info", "t.tok", "--json")))["tokenizer"]["vocabulary"]
    assert 256 < size < 8000
    assert f"too small for 8,000 tokens: the tokenizer bpe has learnt {size:,}" in made.err
    trained = run("train", "a.txt", "--tokenizer", "bpe", "-o", "m.lm")
    assert f"the tokenizer bpe has learnt {size:,}" in trained.err


def test_a_text_in_utf16_is_read_as_bytes_with_a_remark(folder: Path, run: Run) -> None:
    (folder / "wide.txt").write_bytes("the boats\n".encode("utf-16"))
    made = run("train-tokenizer", "wide.txt", "-o", "wide.tok")
    assert made.status == 0 and "wide.txt looks like UTF-16: its bytes are read" in made.err
    read = run("train-tokenizer", "wide.txt", "--encoding", "utf-16", "-o", "read.tok")
    assert read.status == 0 and "looks like" not in read.err


def test_an_empty_text_is_an_error_without_remarks(folder: Path, run: Run) -> None:
    (folder / "blank.txt").write_bytes(b"\n\n")
    refused = run("train-tokenizer", "blank.txt", "-o", "t.tok")
    assert refused.err.startswith("Error: the text is empty: blank.txt.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a.txt -o a.txt", "would write over TEXT"),
        ("--from a.txt -o a.txt", "would write over --from"),
        ("a.txt --tokenizer word -o t", "'word' is not a tokenizer that learns"),
        ("a.txt --vocabulary-size 9 -o t", "too small"),
        ("a.txt --pattern ( -o t", "pattern"),
        ("a.txt --from b.tok -o t", "a.txt would not be read"),
        ("--from b.tok --vocabulary-size 400 -o t", "--vocabulary-size means nothing"),
        ("nosuch.txt -o t", "cannot read nosuch.txt"),
    ],
)
def test_what_cannot_be_learnt(words: str, said: str, learnt: Path, run: Run) -> None:
    said_no(run("train-tokenizer", *words.split()), said)
    assert not (learnt / "t").exists()


# -- train --tokenizer -----------------------------------------------------------------------------


def test_a_model_reads_text_as_its_tokenizer_file_says(learnt: Path, run: Run) -> None:
    (learnt / "A.txt").write_text(TOKENIZED.upper(), encoding="utf-8")
    words = ("--vocabulary-size", 280, "--lowercase", "--normalize", "nfkc", "-o", "low.tok")
    ran(run("train-tokenizer", "a.txt", *words))
    for more in ([], ["--lowercase"], ["--normalize", "nfkc"]):
        ran(run("train", "A.txt", "--tokenizer", "low.tok", "--order", "2", "-o", "m.lm", *more))
        facts = json.loads(ran(run("info", "m.lm", "--json")))
        assert (facts["text"]["lowercase"], facts["text"]["normalize"]) == (True, "nfkc")
        assert facts["unit"] == "subword" and facts["vocabulary"] == 283
    # The ids of a model are three more, for <unk>, <s> and </s>.
    own = ran(run("tokenize", "low.tok", "a.txt", "--ids")).split()
    of_model = ran(run("tokenize", "m.lm", "a.txt", "--ids")).split()
    assert [int(one) + 3 for one in own] == list(map(int, of_model))


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ("--tokenizer b.tok --lowercase", "--lowercase is not what", "leaving out --lowercase"),
        ("--tokenizer b.tok --normalize nfc", "--normalize nfc is not", "--normalize nfc --output"),
        ("--tokenizer b.tok --tokenizer-pattern gpt4", "has learnt already", "train-tokenizer"),
        ("--tokenizer word --tokenizer-vocabulary-size 9", "does not learn", "bpe or unigram"),
        ("--tokenizer-pattern none", "means nothing to the tokenizer word", "bpe or unigram"),
        ("--tokenizer m.lm", "m.lm is a model, not a tokenizer", "train-tokenizer --from m.lm"),
        ("--tokenizer nosuch", "'nosuch' is not one of 'whitespace', 'word'", "train --help"),
        ("--tokenizer bpe --min-count 2", "cannot limit it", "--tokenizer-vocabulary-size"),
        ("--append m.lm --tokenizer b.tok", "--tokenizer cannot be given", "leaving out"),
    ],
)
def test_what_contradicts_a_tokenizer(
    words: str, said: str, hint: str, learnt: Path, run: Run
) -> None:
    ran(run("train", "a.txt", "--order", "1", "-o", "m.lm"))
    result = run("train", "a.txt", *words.split(), "-o", "out.lm")
    said_no(result, said)
    assert hint in result.err
    assert not (learnt / "out.lm").exists()


def test_a_tokenizer_file_is_not_written_over(learnt: Path, run: Run) -> None:
    said_no(run("train", "a.txt", "--tokenizer", "b.tok", "-o", "b.tok"), "over --tokenizer")
    # A name is no file, also where there is one that is called so.
    (learnt / "word").write_bytes(b"")
    ran(run("train", "a.txt", "--tokenizer", "word", "--order", "1", "-o", "word"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("perplexity b.tok a.txt", "b.tok is a tokenizer, not a model"),
        ("score b.tok a.txt", "b.tok is a tokenizer, not a model"),
        ("generate b.tok", "b.tok is a tokenizer, not a model"),
        ("export b.tok --format arpa -o x.arpa", "b.tok is a tokenizer, not a model"),
        ("train a.txt --append b.tok -o x.lm", "b.tok is a tokenizer, not a model"),
        ("train b.tok -o x.lm", "b.tok is a tokenizer, not text"),
        ("info b.tok --curve", "b.tok is a tokenizer, not a network"),
        ("tokenize bpe a.txt", "the tokenizer bpe is learnt from a text"),
    ],
)
def test_a_tokenizer_in_the_place_of_something_else(
    words: str, said: str, learnt: Path, run: Run
) -> None:
    said_no(run(*words.split()), said)


def test_the_tokenizer_of_a_model_becomes_a_file(learnt: Path, run: Run) -> None:
    ran(run("train", "a.txt", "--tokenizer", "u.tok", "--order", "2", "-o", "m.lm"))
    ran(run("train-tokenizer", "--from", "m.lm", "-o", "again.tok"))
    assert ran(run("tokenize", "again.tok", "a.txt")) == ran(run("tokenize", "u.tok", "a.txt"))
    ran(run("train", "a.txt", "--order", "1", "-o", "words.lm"))
    said_no(run("train-tokenizer", "--from", "words.lm", "-o", "w.tok"), "needs no file")
