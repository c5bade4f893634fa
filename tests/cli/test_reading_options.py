"""``--encoding`` and ``--errors`` on every command that reads text, other formats of files, and
options that are given twice."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import click
import pytest

import lmkit
from lmkit.cli.main import cli
from lmkit.text.settings import TextSettings

from .support import refused

RUSSIAN = [
    "и вот что он сказал на это",
    "она не ответила и вышла из комнаты",
    "на улице было темно и холодно",
    "он сказал что она не ответила",
]
TEXT = "".join(f"{line}\n" for line in RUSSIAN * 5)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with one text in two encodings, and models of it."""
    folder = tmp_path_factory.mktemp("koi8")
    (folder / "utf8.txt").write_text(TEXT, encoding="utf-8")
    (folder / "koi8.txt").write_bytes(TEXT.encode("koi8-r"))
    (folder / "list.txt").write_bytes("сказал,4\nона,3\nвышла,2\n".encode("koi8-r"))
    (folder / "pairs.txt").write_bytes("сказла\tсказал\nвышлa\tвышла\n".encode("koi8-r", "replace"))
    lmkit.train(folder / "utf8.txt", output=folder / "m.lm", order=2)
    lmkit.train(
        folder / "utf8.txt", output=folder / "lstm.lm", backend="lstm", hidden=4, epochs=1, seed=1
    )
    lmkit.train_channel(
        folder / "m.lm", output=folder / "c.lm", pairs=folder / "pairs.txt", encoding="koi8-r"
    )
    return folder


COMMANDS = [
    "train koi8.txt --valid koi8.txt --vocabulary list.txt -o x.lm",
    "train koi8.txt --append m.lm -o x.lm",
    "train koi8.txt --from lstm.lm --epochs 1 -o x.lm",
    "train --from m.lm --valid koi8.txt --smoothing jelinek-mercer -o x.lm",
    "train --backend noisy-channel --source m.lm --pairs pairs.txt --lexicon list.txt -o x.lm",
    "train --backend noisy-channel --source m.lm --noisy koi8.txt -o x.lm",
    "mix m.lm --cache --valid koi8.txt -o x.lm",
    "quantize lstm.lm --valid koi8.txt -o x.lm",
    "perplexity m.lm koi8.txt --json",
    "perplexity lstm.lm koi8.txt --tune-cache koi8.txt",
    "score m.lm koi8.txt",
    "score m.lm koi8.txt --max-perplexity 1e9",
    "compare koi8.txt --model ngram:order=1 -o x",
    "compare --train koi8.txt --test koi8.txt --model ngram:order=1 -o x",
    "correct c.lm koi8.txt --lexicon list.txt --dictionary list.txt",
    "correct c.lm --evaluate koi8.txt koi8.txt",
    "correct c.lm --evaluate-pairs pairs.txt",
    "suggest m.lm сказла --lexicon list.txt",
    "import list.txt --format counts -o x.lm",
]


def words_of(line: str, place: Path, out: Path) -> list[str]:
    return [
        str((out if word.startswith("x") else place) / word)
        if word.startswith("x") or (place / word).exists()
        else word
        for word in line.split()
    ]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_reads_it_with_its_encoding_only(run, place, line, tmp_path) -> None:
    if line.startswith("import"):
        (place / "counts.txt").write_bytes("он сказал\t4\n".encode("koi8-r"))
        line = line.replace("list.txt", "counts.txt")
    words = words_of(line, place, tmp_path)
    result = run(*words)
    assert result.status == 1
    assert "not valid UTF-8" in result.err
    result = run(*words, "--encoding", "KOI8-R")
    assert result.status == 0, result.err


def test_the_figures_are_those_of_utf_8(run, place) -> None:
    here = run("perplexity", place / "m.lm", place / "utf8.txt", "--json")
    there = run("perplexity", place / "m.lm", place / "koi8.txt", "--json", "--encoding", "koi8-r")
    assert json.loads(here.out) == json.loads(there.out)
    data = (place / "koi8.txt").read_bytes()
    piped = run("perplexity", place / "m.lm", "--json", "--encoding", "koi8-r", stdin=data)
    assert json.loads(here.out) == json.loads(piped.out)
    both = (place / "m.lm", place / "lstm.lm")
    assert run("perplexity", *both, "--encoding", "koi8-r", stdin=data).status == 0


def test_lines_that_are_filtered_come_out_in_utf_8(run, place) -> None:
    words = ("score", place / "m.lm", place / "koi8.txt", "--encoding", "koi8-r")
    assert run(*words, "--max-perplexity", "1e9").out == TEXT


def test_comparisons_of_both_are_one(run, place, tmp_path) -> None:
    figures = []
    for name, encoding in (("utf8", "utf-8"), ("koi8", "koi8-r")):
        result = run(
            "compare", place / f"{name}.txt", "--model", "ngram:order=2", "--json",
            "--encoding", encoding, "-o", tmp_path / name,
        )  # fmt: skip
        figures.append(json.loads(result.out)[0]["bits_per_character"])
    assert figures[0] == figures[1]


class TestCorrect:
    WRONG = TEXT.replace("сказал", "сказла").encode("koi8-r").replace(b"\n", b"\r\n")

    def test_what_comes_out_is_utf_8(self, run, place, tmp_path) -> None:
        path = tmp_path / "t.txt"
        path.write_bytes(self.WRONG)
        result = run("correct", place / "c.lm", path, "--encoding", "koi8-r")
        assert result.out == TEXT.replace("\n", "\r\n")
        target = tmp_path / "out.txt"
        run("correct", place / "c.lm", path, "--encoding", "koi8-r", "--output", target)
        assert target.read_bytes() == result.out.encode()
        assert path.read_bytes() == self.WRONG

    @pytest.mark.parametrize("how", [["--in-place"], ["--output", "t.txt"]])
    def test_what_is_written_back_keeps_its_encoding(
        self, run, place, tmp_path, monkeypatch, how
    ) -> None:
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "t.txt"
        path.write_bytes(self.WRONG)
        assert run("correct", place / "c.lm", path, "--encoding", "koi8-r", *how).status == 0
        assert path.read_bytes() == TEXT.encode("koi8-r").replace(b"\n", b"\r\n")

    def test_utf_16_keeps_its_mark_and_order(self, run, place, tmp_path) -> None:
        path = tmp_path / "t.txt"
        wrong = "\ufeff" + TEXT.replace("сказал", "сказла")
        path.write_bytes(wrong.encode("utf-16-be"))
        words = ("correct", place / "c.lm", path, "--in-place", "--encoding")
        assert run(*words, "utf-16").status == 0
        assert path.read_bytes() == ("\ufeff" + TEXT).encode("utf-16-be")

    def test_a_word_that_the_encoding_has_not_is_refused(self, run, place, tmp_path) -> None:
        lmkit.train_channel(place / "m.lm", output=tmp_path / "e.lm", lexicon={"café": 1e9})
        path = tmp_path / "t.txt"
        path.write_bytes(b"cafe\n")
        words = ("correct", tmp_path / "e.lm", path, "--in-place", "--encoding", "koi8-r")
        refused(run(*words), "koi8-r has no 'é'", "--output FILE", status=1)
        assert path.read_bytes() == b"cafe\n"

    def test_the_dictionary_is_kept_in_its_encoding(self, run, place, tmp_path) -> None:
        own = tmp_path / "own.txt"
        own.write_bytes("темно\n".encode("koi8-r"))
        path = tmp_path / "t.txt"
        path.write_bytes("она сказла\n".encode("koi8-r"))
        words = ("correct", place / "c.lm", path, "--interactive", "--dictionary", own)
        result = run(*words, "--encoding", "koi8-r", stdin=b"d\n")
        assert result.status == 0, result.err
        assert own.read_bytes() == "темно\nсказла\n".encode("koi8-r")


def test_errors_are_replaced_in_every_encoding(run, place) -> None:
    result = run(
        "score", place / "m.lm", "--encoding", "shift_jis", "--errors", "replace", "--json",
        stdin=b"\x82\xa0\x81\n",
    )  # fmt: skip
    assert "1 invalid sequences of bytes were read as U+FFFD" in result.err
    assert json.loads(result.out)[0]["text"] == "あ\ufffd"


# -- other files ------------------------------------------------------------------------------


def test_plain_text_named_gz(run, place, tmp_path) -> None:
    for name, data in (("t.gz", TEXT.encode()), ("t.txt", gzip.compress(TEXT.encode()))):
        (tmp_path / name).write_bytes(data)
        result = run("perplexity", place / "m.lm", tmp_path / name, "--json")
        assert json.loads(result.out)[0]["sentences"] == 20
    arpa, counts = tmp_path / "a.arpa.gz", tmp_path / "c.gz"
    lmkit.export_model(place / "m.lm", tmp_path / "a.arpa")
    arpa.write_bytes((tmp_path / "a.arpa").read_bytes())
    counts.write_text("a b\t3\n")
    for path in (arpa, counts):
        assert run("import", path, "--output", tmp_path / "x.lm").status == 0
    (tmp_path / "empty.gz").write_bytes(b"")
    result = run("perplexity", place / "m.lm", tmp_path / "empty.gz")
    refused(result, "empty.gz is damaged or not whole: it is empty, which no gzip", status=1)


def test_google_books(run, tmp_path) -> None:
    (tmp_path / "2.gz").write_bytes(
        gzip.compress(b"the cat\t1950,3,1\t1960,4,2\nthe_DET cat\t1950,9,1\n")
    )
    result = run(
        "import", tmp_path / "2.gz", "--format", "google-books", "--years", "1950-1959",
        "--smoothing", "maximum-likelihood", "--output", tmp_path / "m.lm",
    )  # fmt: skip
    assert "1 lines with tags of parts of speech were passed over" in result.err
    rows = json.loads(run("counts", tmp_path / "m.lm", "the", "--json").out)
    assert [(row["token"], row["count"]) for row in rows] == [("cat", 3)]
    for years in ("1960-1950", "then", "1950-"):
        result = run("import", tmp_path / "2.gz", "--years", years, "-o", tmp_path / "x.lm")
        refused(result, "1950-2000", status=2)


@pytest.mark.parametrize("option", ["--vocabulary", "--lexicon"])
def test_lists_with_commas(run, place, tmp_path, option) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("word,count\nона,3\nсказал,4\n", encoding="utf-8")
    words = ["train", place / "utf8.txt"]
    if option == "--lexicon":
        words = ["train", "--backend", "noisy-channel", "--source", place / "m.lm"]
    assert run(*words, option, listed, "--output", tmp_path / "x.lm").status == 0
    model = lmkit.load(tmp_path / "x.lm")
    if option == "--vocabulary":
        assert model.vocabulary.tokens[3:] == ["она", "сказал"]
    else:
        assert model.describe()["lexicon"]["listed"] == 2
    listed.write_text("она,3\nсказал,4\nи\n", encoding="utf-8")
    result = run(*words, option, listed, "--output", tmp_path / "x.lm")
    refused(result, "list.csv, line 3: 'и' is not a word and its count", status=1)


def test_a_mix_reads_marks_of_sentences_as_it_is_told(run, place, tmp_path) -> None:
    (tmp_path / "marks.txt").write_text(TEXT + "<s> она\n", encoding="utf-8")
    words = ("mix", place / "m.lm", "--cache", "--valid", tmp_path / "marks.txt")
    words += ("--output", tmp_path / "x.lm")
    refused(run(*words), "--special-tokens", status=1)
    assert run(*words, "--special-tokens", "word").status == 0


# -- options given twice ----------------------------------------------------------------------


def single_valued() -> list[tuple[str, str]]:
    """(command, option) of all that take one value, with their longest names."""
    context = click.Context(cli)
    commands = ((name, cli.get_command(context, name)) for name in cli.list_commands(context))
    return [
        (name, max(option.opts, key=len))
        for name, command in commands
        for option in (command.params if command is not None else ())
        if isinstance(option, click.Option) and not option.multiple and not option.is_flag
    ]


@pytest.mark.parametrize(("command", "option"), single_valued())
def test_an_option_with_one_value_is_given_once(run, command, option) -> None:
    values = ["1", "1"] if option in ("--evaluate", "--tune") and command == "correct" else ["1"]
    result = run(command, option, *values, option, *values)
    refused(result, f"{option} is given 2 times and can be given once", status=2)


def test_short_and_long_names_are_one_option(run, small_text, tmp_path) -> None:
    result = run("train", small_text, "-o", tmp_path / "a.lm", "--output", tmp_path / "b.lm")
    refused(result, "--output is given 2 times", status=2)
    assert not list(tmp_path.iterdir())


def test_flags_and_lists_may_be_given_again(run, small_text, tmp_path) -> None:
    words = ("train", small_text, "-o", tmp_path / "a.lm", "--order", "2", "-q", "-q")
    words += ("--smoothing", "absolute-discounting", "--discount", "0.5", "--discount", "0.6")
    assert run(*words, "--lowercase", "--lowercase").status == 0


def test_settings_of_the_tokenizer_stay_with_the_model(run, place, tmp_path) -> None:
    """The encoding is that of files, not of the model: it is not asked for again."""
    path = tmp_path / "x.lm"
    run("train", place / "koi8.txt", "--encoding", "koi8-r", "--output", path)
    assert run("perplexity", path, place / "utf8.txt").status == 0
    assert lmkit.load(path).encoder.settings == TextSettings()


def test_training_and_importing_say_what_was_replaced(run, tmp_path) -> None:
    text, counts, path = tmp_path / "t", tmp_path / "c", tmp_path / "x.lm"
    text.write_bytes(b"one\xff two\xfe\nthree four\n" * 3)
    counts.write_bytes(b"one\xff two\t3\n")
    said = "6 invalid sequences of bytes were read as U+FFFD"
    how = ("--errors", "replace", "--output", path)
    assert said in run("train", text, *how, "--order", "1").err
    assert said in run("train", text, *how, "--append", path).err
    result = run("import", counts, *how, "--smoothing", "witten-bell")
    assert "1 invalid sequences of bytes were read as U+FFFD" in result.err
