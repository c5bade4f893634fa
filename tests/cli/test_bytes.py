"""``--tokenizer byte``: the 256 values of any file, and nothing is decoded."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest

from lmkit.api import load, train
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.byte import TOKENS, ByteTokenizer

from .support import faked_console

TINY = ("--epochs", "1", "--hidden-size", "4", "--layers", "1", "--seed", "1")
LINES = [
    b"\xef\xbb\xbfa byte order mark",
    bytes(b for b in range(256) if b != 10),
    b"",
    b"caf\xc3\xa9 \xff\xfe\r",
    b"\r\r \r",
    b"a\x00b\x0bc\x0cd\x1c\xe2\x80\xa8e",
    *(bytes(random.Random(n).choices(b"ab\xff\x80\r", k=20)) for n in range(20)),
]
DATA = b"".join(line + b"\n" for line in LINES)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bytes") / "data.bin"
    path.write_bytes(DATA)
    return path


@pytest.fixture(scope="module", params=["ngram", "lstm"])
def model(request: pytest.FixtureRequest, data: Path) -> Path:
    path = data.parent / f"{request.param}.lm"
    options = {"epochs": 1, "hidden": 4, "layers": 1, "seed": 1}
    train(
        data,
        output=path,
        backend=request.param,
        settings=TextSettings("byte"),
        **({} if request.param == "ngram" else options),
    )
    return path


def test_every_byte_of_every_line_is_a_token(model: Path, data: Path, run) -> None:
    rows = json.loads(run("score", model, data, "--per-token", "--json").out)
    expected = [t for line in LINES for t in (*(TOKENS[byte] for byte in line), "</s>")]
    assert [row["token"] for row in rows] == expected
    assert not any(row["oov"] for row in rows)
    assert set(load(model).vocabulary.tokens[3:]) == set(TOKENS) - {TOKENS[10]}


def test_score_and_perplexity_agree(model: Path, data: Path, run) -> None:
    scored = json.loads(run("score", model, data, "--json").out)
    assert [row["tokens"] for row in scored] == [len(line) + 1 for line in LINES]
    whole = (
        json.loads(run("perplexity", model, data, "--state", "line", "--json").out)
        if (load(model).backend == "lstm")
        else json.loads(run("perplexity", model, data, "--json").out)
    )
    total = sum(row["log10_probability"] for row in scored)
    assert total == pytest.approx(whole[0]["log10_probability"], rel=1e-6)
    assert whole[0]["tokens"] == len(DATA)


def test_a_filter_writes_lines_as_they_were(model: Path, data: Path) -> None:
    from lmkit.cli.main import main

    console = faked_console()
    words = ["score", str(model), str(data), "--max-perplexity", "1e30"]
    assert main(words, console) == 0
    assert isinstance(console.stdout, io.TextIOWrapper)
    assert console.stdout.buffer.getvalue() == DATA  # type: ignore[attr-defined]


def test_generate_writes_bytes_to_a_pipe_and_escapes_to_a_terminal(model: Path, run) -> None:
    from lmkit.cli.main import main

    drawn = load(model).generate(3, seed=5, max_tokens=40)
    expected = [text.text.encode(errors="surrogateescape") for text in drawn]
    assert any(not line.isascii() for line in expected)
    words = ["generate", str(model), "-n", "3", "--seed", "5", "--max-tokens", "40"]
    console = faked_console()
    assert main(words, console) == 0
    assert isinstance(console.stdout, io.TextIOWrapper)
    console.stdout.flush()
    written = console.stdout.buffer.getvalue()  # type: ignore[attr-defined]
    assert written == b"".join(line + b"\n" for line in expected)
    shown = run(*words, stdout_is_terminal=True).out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert "\\x" in shown
    texts = [row["text"] for row in json.loads(run(*words, "--json").out)]
    assert [text.encode(errors="surrogateescape") for text in texts] == expected


def test_any_bytes_come_through(data: Path) -> None:
    draw = random.Random(2)
    tokenizer = ByteTokenizer()
    for line in [*LINES, *(draw.randbytes(30).replace(b"\n", b"") for _ in range(50))]:
        text = line.decode(errors="surrogateescape")
        tokens = tokenizer.tokenize(text)
        assert tokens == [TOKENS[byte] for byte in line]
        assert tokenizer.join(tokens).encode(errors="surrogateescape") == line


def test_a_prompt_of_bytes(data: Path) -> None:
    model = train(data, settings=TextSettings("byte"))
    prompt = b"\xff\r".decode(errors="surrogateescape")
    assert model.encoder.encode_prompt(prompt).tolist() == [
        model.vocabulary.tokens.index(token) for token in ("<0xFF>", "<0x0D>")
    ]
    drawn = model.generate(1, prompt=prompt, seed=1)[0]
    assert drawn.text.startswith(prompt)


def test_mixture(data: Path, run, tmp_path: Path) -> None:
    one, two, both = (tmp_path / name for name in ("one.lm", "two.lm", "both.lm"))
    assert run("train", data, "--tokenizer", "byte", "--order", "2", "-o", one).status == 0
    command = ("train", data, "--tokenizer", "byte", "--backend", "gru", *TINY, "-o", two)
    assert run(*command).status == 0
    mixed = run("mix", one, two, "--valid", data, "-o", both)
    assert mixed.status == 0, mixed.err
    assert json.loads(run("perplexity", both, data, "--json").out)[0]["tokens"] == len(DATA)


def test_lower_case_and_sentences_leave_other_bytes_alone(tmp_path: Path, run) -> None:
    (tmp_path / "t").write_bytes("A\xc4. ÄB\n\n".encode("latin1") + "É\n".encode())
    for options in (
        ["--lowercase"],
        ["--lowercase", "--normalize", "nfc", "--segment", "sentence"],
    ):
        command = ("train", tmp_path / "t", "--tokenizer", "byte", *options, "-o", tmp_path / "m")
        assert run(*command).status == 0
        rows = json.loads(run("score", tmp_path / "m", tmp_path / "t", "--json", "--per-token").out)
        tokens = [row["token"] for row in rows]
        assert tokens[:3] == ["a", "<0xC4>", "."]
        assert tokens[-3:] == ["<0xC3>", "<0xA9>", "</s>"]


def test_against_a_model_of_text(data: Path, run, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b\nb a\n")
    assert run("train", tmp_path / "t.txt", "-o", tmp_path / "words.lm").status == 0
    assert run("train", data, "--tokenizer", "byte", "-o", tmp_path / "bytes.lm").status == 0
    command = ["score", tmp_path / "bytes.lm", data, "--against", tmp_path / "words.lm", "--json"]
    refused = run(*command)
    assert refused.status == 1
    assert "line 2 has the lone surrogate U+DC80 for the byte 0x80" in refused.err
    replaced = run(*command, "--errors", "replace")  # what the error says to do
    assert replaced.status == 0, replaced.err
    assert len(json.loads(replaced.out)) == len(LINES)


def test_models_trained_before_read_line_ends_as_they_did(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"\xef\xbb\xbfab\r\nc\rd\n")
    old = TextSettings.from_dict({"tokenizer": "byte", "normalize": "none"})
    assert train(path, settings=old).perplexity(path).sentences == 3
    new = train(path, settings=TextSettings("byte"))
    assert new.perplexity(path).sentences == 2
    assert new.perplexity("ab\r\nc\rd\n").sentences == 2
    assert new.vocabulary.tokens[3:] == ["<0xEF>", "<0xBB>", "<0xBF>", "a", "b", "<0x0D>", "c", "d"]


def test_empty_lines_of_bytes_are_skipped_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"a\r \n\n \t\nb\r\n")
    model = train(path, settings=TextSettings("byte", skip_empty_lines=True))
    ids = np.concatenate([batch.ids for batch in model.encoder.encode_file(path)])
    tokens = [model.vocabulary.tokens[n] for n in ids]
    assert tokens == ["a", "<0x0D>", "<0x20>", "</s>", "b", "<0x0D>", "</s>"]


def test_compare_can_keep_what_a_model_of_bytes_draws(tmp_path: Path, run) -> None:
    (tmp_path / "t.txt").write_text("ä ö\nü ß é\n" * 40, encoding="utf-8")
    models = ("--model", "ngram:order=1,tokenizer=byte", "--model", "ngram:order=2")
    made = run("compare", tmp_path / "t.txt", *models, "-o", tmp_path / "out", "--json")
    assert made.status == 0, made.err
    model = train(tmp_path / "t.txt", settings=TextSettings("byte"), order=1)
    from lmkit.evaluate.comparison.run import samples

    drawn = samples(model, 1)
    assert any("\ufffd" in text for text in drawn)
    assert [text.encode() for text in drawn]  # which lone surrogates would not allow


def test_what_a_terminal_may_show() -> None:
    from lmkit.cli.layout import on_terminal, text

    england = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    for whole in (england, "👨\u200d👩\u200d👧", "می\u200cخواهم"):
        assert on_terminal(whole) == text(whole) == whole
    assert on_terminal("a\n\tb\r\x1b[2J\udcff\u202e") == "a\n\tb\\r\\x1b[2J\\xff\\u202e"
