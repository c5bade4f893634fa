"""``lmkit surprisal`` in its formats; what it says is tested in tests/unit/test_surprisal.py."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import lmkit
from lmkit import TextSettings

from .support import Result, refused

Run = Callable[..., Result]

TEXT = b'The "cat, zat" on NA.\nThe dog.\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.lm"
    lines = b"The cat sat on the mat.\nThe dog, too, sat!\n" * 6 + b"rare\nwords\n"
    lmkit.train(io.BytesIO(lines), output=path, order=3, settings=TextSettings("word"))
    return path


def test_words_as_csv_are_what_python_has(run: Run, model: Path) -> None:
    result = run("surprisal", model, "--words", "--csv", stdin=TEXT)
    assert result.status == 0 and not result.err
    rows = list(csv.DictReader(io.StringIO(result.out)))
    expected = lmkit.surprisals(lmkit.load(model), TEXT.decode())
    assert rows == [{key: str(value) for key, value in row.items()} for row in expected]
    assert [row["word"] for row in rows][:5] == ["The", '"cat,', 'zat"', "on", "NA."]
    assert '"""cat,"' in result.out and "'" not in result.out


def test_tokens_and_the_other_formats(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    words = ("surprisal", model, tmp_path / "text.txt")
    expected = lmkit.surprisals(lmkit.load(model), TEXT.decode(), words=False)
    assert json.loads(run(*words, "--json").out) == expected
    lines = run(*words, "--jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == expected
    head, *rows = run(*words, "--tsv").out.splitlines()
    assert head.split("\t") == list(expected[0]) and len(rows) == len(expected)
    table = run(*words, "--words").out.splitlines()
    assert table[0].split()[:4] == ["line", "sentence", "word_number", "word"]
    assert len(table) == 2 + 9


def test_without_entropy_the_same_but_for_two_columns(run: Run, model: Path) -> None:
    whole = json.loads(run("surprisal", model, "--words", "--json", stdin=TEXT).out)
    fast = run("surprisal", model, "--words", "--no-entropy", "--json", stdin=TEXT)
    for row in whole:
        del row["entropy"], row["rank"]
    assert json.loads(fast.out) == whole


def test_what_is_missing_is_na(run: Run, model: Path, tmp_path: Path) -> None:
    assert run("export", model, "--output", tmp_path / "model.arpa").status == 0
    assert run("import", tmp_path / "model.arpa", "--output", tmp_path / "arpa.lm").status == 0
    for flag, separator in (("--csv", ","), ("--tsv", "\t")):
        result = run("surprisal", tmp_path / "arpa.lm", "--words", flag, stdin=b"The zat\n")
        ends = [line.split(separator)[-2:] for line in result.out.splitlines()]
        assert ends == [["oov", "spelling"], ["False", "0.0"], ["True", "NA"], ["False", "0.0"]]
    result = run("surprisal", tmp_path / "arpa.lm", "--json", stdin=b"zat\n")
    assert json.loads(result.out)[0]["spelling"] is None


def test_letters_pay_for_the_space_before_or_behind(run: Run, tmp_path: Path) -> None:
    text = io.BytesIO(b"the cat sat\nthe dog sat\n" * 5)
    lmkit.train(text, output=tmp_path / "char.lm", order=3, settings=TextSettings("char"))
    found = [
        json.loads(
            run(
                "surprisal", tmp_path / "char.lm", "--words", "--json", *words, stdin=b"the cat\n"
            ).out
        )
        for words in ((), ("--space", "leading"), ("--space", "trailing"))
    ]
    assert found[0] == found[1] != found[2]
    sums = [sum(row["surprisal"] for row in rows) for rows in found]
    assert sums[0] == pytest.approx(sums[2])


def test_bytes_that_are_no_text(run: Run, model: Path) -> None:
    broken = b"The \xff cat\n"
    refused(run("surprisal", model, stdin=broken), "0xff", status=1)
    result = run("surprisal", model, "--words", "--errors", "replace", "--csv", stdin=broken)
    assert result.status == 0 and "1 invalid" in result.err


def test_models_that_cannot(run: Run, model: Path, stupid_model: Path) -> None:
    refused(run("surprisal", stupid_model, stdin=TEXT), "not probabilities", status=1)
    refused(run("surprisal", model, "--state", "carry", stdin=TEXT), "carries no state", status=1)
