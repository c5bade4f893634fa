"""No command writes over a file that it reads, whatever the file is called."""

from __future__ import annotations

import inspect
import os
import shutil
from pathlib import Path

import click
import pytest

import lmkit
import lmkit.channel.making
from lmkit.cli.main import cli
from lmkit.cli.paths import InputPath, OutputFolder, OutputPath
from lmkit.errors import UsageError
from lmkit.mixture import making

from .support import run_python

COMMANDS = {name: cli.get_command(None, name) for name in cli.table}

REFUSED = [
    ("train a.txt -o a.txt", "TEXT"),
    ("train b.txt a.txt -o a.txt", "TEXT"),
    ("train hard.txt -o a.txt", "TEXT (hard.txt)"),
    ("train a.txt -o hard.txt", "TEXT (a.txt)"),
    ("train soft.txt -o a.txt", "TEXT (soft.txt)"),
    ("train a.txt -o soft.txt", "TEXT (a.txt)"),
    ("train a.txt -o folder/../a.txt", "TEXT (a.txt)"),
    ("train a.txt --valid b.txt -o b.txt", "--valid"),
    ("train a.txt --vocabulary b.txt -o b.txt", "--vocabulary"),
    ("train --from m.lm -o m.lm", "--from"),
    ("train a.txt --from lstm.lm -o lstm.lm", "--from"),
    ("train a.txt --append m.lm -o a.txt", "TEXT"),
    ("train b.txt --backend lstm --teacher m.lm -o m.lm", "--teacher"),
    ("train a.txt.checkpoint --backend lstm --epochs 1 -o a.txt", "texts"),
    ("train --backend noisy-channel --source m.lm -o m.lm", "--source"),
    ("train --backend noisy-channel --source m.lm --pairs p.tsv -o p.tsv", "--pairs"),
    ("train --backend noisy-channel --source m.lm --noisy a.txt -o a.txt", "--noisy"),
    ("train --backend noisy-channel --source m.lm --lexicon b.txt -o b.txt", "--lexicon"),
    ("train --backend noisy-channel --source mix.lm -o m.lm", "a part of mix.lm"),
    ("mix m.lm o.lm --valid a.txt -o m.lm", "MODEL"),
    ("mix m.lm o.lm --valid a.txt -o a.txt", "--valid"),
    ("mix mix.lm o.lm --embed --valid a.txt -o m.lm", "a part of mix.lm"),
    ("quantize lstm.lm -o lstm.lm", "MODEL"),
    ("quantize lstm.lm --valid a.txt -o a.txt", "--valid"),
    ("import m.arpa -o m.arpa", "FILE"),
    ("import counts.tsv --valid a.txt -o a.txt", "--valid"),
    ("import web1t --format web1t -o web1t/1gms/vocab", "FILE (web1t)"),
    ("export m.lm -o m.lm", "MODEL"),
    ("export mix.lm -o m.lm", "a part of mix.lm"),
    ("export mix.lm --valid a.txt -o a.txt", "--valid"),
    ("correct c.lm a.txt -o c.lm", "MODEL"),
    ("correct c.lm a.txt -o m.lm", "a part of c.lm"),
    ("correct c.lm a.txt -o b.txt --lexicon b.txt", "--lexicon"),
    ("correct c.lm a.txt -o b.txt --dictionary b.txt", "--dictionary"),
    ("correct c.lm a.txt --in-place --lexicon a.txt", "--lexicon"),
    ("correct c.lm --tune c.lm a.txt", "--tune"),
    ("correct c.lm a.txt --interactive --dictionary a.txt", "TEXT"),
    ("correct c.lm a.txt --interactive --dictionary m.lm", "a part of c.lm"),
    ("compare a.txt --model ngram:order=2 --report a.txt", "CORPUS"),
    ("compare --train a.txt --test b.txt --model ngram:order=2 --report b.txt", "--test"),
    ("compare --train a.txt --valid v.txt --test b.txt --model m.lm --report v.txt", "--valid"),
    ("compare a.txt --model m.lm --report m.lm", "--model"),
    ("compare a.txt --model mix.lm --report m.lm", "a part of mix.lm"),
    ("compare a.txt --model ngram:order=2,vocabulary=b.txt --report b.txt", "--model"),
    ("compare kept/corpus/train.txt --model m.lm -o kept", "CORPUS"),
    ("compare linked.txt --model m.lm -o kept", "CORPUS (linked.txt)"),
    (
        "compare --train kept/corpus/train.reference.txt --test b.txt --model m.lm -o kept",
        "--train",
    ),
    ("compare a.txt --model m.lm -o kept --report kept/results.db", "a file of --output"),
    ("compare a.txt --model m.lm -o kept --report kept/models/old.lm", "a file of --output"),
    ("compare a.txt --model kept/models/old.lm -o kept --force", "--model"),
]

IN_PLACE = [
    "train b.txt --append m.lm -o m.lm",
    "prune m.lm --cutoffs 0,1 -o m.lm",
    "prune m.lm --cutoffs 0,1 -o folder/in-link.lm",
    "tables m.lm",
    "correct c.lm a.txt -o a.txt",
    "correct c.lm a.txt --in-place",
    "correct c.lm a.txt -o hard.txt",
    "mix m.lm o.lm --embed --valid a.txt -o m.lm",
    "train --backend noisy-channel --source m.lm --embed -o m.lm",
    "train --backend noisy-channel --source c.lm --embed -o x.lm",
    "compare a.txt --model kept/models/old.lm --model ngram:order=2 -o kept",
    "compare --train kept/corpus/train.txt --test b.txt --model ngram:order=2 -o kept",
    "train a.txt --valid a.txt -o x.lm",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A directory of files of every kind."""
    place = tmp_path_factory.mktemp("files")
    lines = [f"the cat {number % 7} sat on mat {number % 3}\n" for number in range(40)]
    for name in ("a.txt", "b.txt", "v.txt", "a.txt.checkpoint"):
        (place / name).write_text("".join(lines))
    (place / "p.tsv").write_text("teh\tthe\ncta\tcat\n")
    lmkit.train(place / "a.txt", order=2, output=place / "m.lm")
    lmkit.train(place / "b.txt", order=1, output=place / "o.lm")
    lmkit.train(place / "a.txt", backend="lstm", epochs=1, hidden=4, output=place / "lstm.lm")
    lmkit.mix([place / "m.lm", place / "o.lm"], valid=place / "b.txt", output=place / "mix.lm")
    lmkit.api.train_channel(place / "m.lm", pairs=place / "p.tsv", output=place / "c.lm")
    lmkit.export_model(place / "m.lm", place / "m.arpa")
    lmkit.export_model(place / "m.lm", place / "counts.tsv", "counts")
    for name in ("folder", "web1t/1gms", "kept/corpus", "kept/models"):
        (place / name).mkdir(parents=True)
    (place / "web1t" / "1gms" / "vocab").write_text("a\t3\nb\t2\n")
    for name in ("train.txt", "train.reference.txt"):
        (place / "kept" / "corpus" / name).write_text("".join(lines))
    shutil.copy(place / "m.lm", place / "kept" / "models" / "old.lm")
    lmkit.train(place / "a.txt", order=1, output=place / "kept" / "results.db")
    return place


@pytest.fixture
def place(files, tmp_path, monkeypatch):
    """A copy of `files` with links, to be in."""
    shutil.copytree(files, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    Path("soft.txt").symlink_to("a.txt")
    os.link("a.txt", "hard.txt")
    os.link("kept/corpus/train.txt", "linked.txt")
    Path("folder/in-link.lm").symlink_to("../m.lm")
    return tmp_path / "here"


def contents(place):
    return {
        path: (path.is_symlink(), path.read_bytes()) for path in place.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(("line", "role"), REFUSED)
def test_nothing_that_is_read_is_written_over(run, place, line, role):
    before = contents(place)
    result = run(*line.split())
    assert contents(place) == before
    assert result.status == 2, result.err
    assert result.out == ""
    assert f"would write over {role}, which is read. Try: another name for " in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("line", IN_PLACE)
def test_what_is_meant_to_write_in_place_goes_on(run, place, line):
    if "results" not in line and "compare" in line:
        Path("kept/results.db").unlink()
    result = run(*line.split())
    assert result.status == 0, result.err
    assert Path("soft.txt").is_symlink()


def test_standard_input_from_a_file_is_read_too(place):
    """``lmkit train -o a.txt < a.txt``"""
    for words in (["-"], []):
        with open("a.txt", "rb") as text:
            result = run_python("-m", "lmkit", "train", *words, "-o", "hard.txt", stdin=text)
        assert result.returncode == 2
        assert "--output hard.txt would write over standard input, which is read" in result.stderr
    assert Path("a.txt").read_bytes() == Path("b.txt").read_bytes()


def test_every_parameter_that_names_a_file_says_whether_it_is_written(named_commands):
    """A new command is checked without doing anything for it: so it must say what it does."""
    for name, command in named_commands:
        for parameter in command.params:
            if isinstance(parameter.type, click.Path | click.File):
                kinds = InputPath | OutputPath | OutputFolder
                assert isinstance(parameter.type, kinds), f"{name} {parameter.opts[0]}"
                written = any(word in parameter.opts[0] for word in ("output", "report", "reject"))
                assert isinstance(parameter.type, InputPath) != written, f"{name} {parameter.opts}"


@pytest.fixture
def named_commands():
    found = []
    for name, command in COMMANDS.items():
        found += [(name, command)]
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", one) for inner, one in command.commands.items()]
    return found


# -- the library ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda: lmkit.train("a.txt", output="a.txt"),
        lambda: lmkit.train(Path("soft.txt"), output="hard.txt"),
        lambda: lmkit.train(open("a.txt", "rb"), output="a.txt"),
        lambda: lmkit.train("a.txt", valid="b.txt", output="b.txt"),
        lambda: lmkit.train("a.txt", vocabulary="b.txt", output="b.txt"),
        lambda: lmkit.train("a.txt", backend="lstm", checkpoint="a.txt"),
        lambda: lmkit.train("a.txt", backend="lstm", teacher="m.lm", output="m.lm"),
        lambda: lmkit.api.train_on("lstm.lm", "a.txt", output="lstm.lm"),
        lambda: lmkit.append("m.lm", "b.txt", output="b.txt"),
        lambda: lmkit.api.resmooth("m.lm", output="m.lm"),
        lambda: lmkit.import_model("m.arpa", output="m.arpa"),
        lambda: lmkit.export_model("m.lm", "m.lm"),
        lambda: lmkit.export_model("mix.lm", "m.lm"),
        lambda: lmkit.api.train_channel("m.lm", output="m.lm"),
        lambda: lmkit.mix(["m.lm", "o.lm"], valid="b.txt", output="o.lm"),
        lambda: lmkit.merge("mix.lm", output="m.lm"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_nor_does_the_library(place, call):
    before = contents(place)
    with pytest.raises(UsageError, match="would write over"):
        call()
    assert contents(place) == before


def test_words_that_are_named_as_files_are_no_files(place):
    model = lmkit.train("a.txt", vocabulary=["cat", "b.txt"], output="b.txt")
    assert "b.txt" in model.vocabulary.tokens


def test_every_function_that_writes_a_model_is_checked():
    functions = [
        one
        for module in (lmkit.api, making, lmkit.channel.making)
        for _, one in inspect.getmembers(module, inspect.isfunction)
        if one.__module__ == module.__name__ and not one.__name__.startswith("_")
    ]
    writing = [one for one in functions if "output" in inspect.signature(one).parameters]
    assert len(writing) == 9
    for one in writing:
        assert hasattr(one, "__wrapped__"), one.__name__
