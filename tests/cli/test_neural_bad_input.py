"""What cannot be, said in one line, and before the work rather than after it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.neural.use.model import NeuralModel

from .support import Result

Run = Callable[..., Result]
QUICK = ["--hidden-size", "8", "--epochs", "1", "--bptt", "8", "--workers", "1"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat\na dog ran\n" * 40, encoding="utf-8")
    return path


def refused(result: Result, message: str, status: int = 1) -> None:
    assert result.status == status, result.err
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1, result.err
    assert result.err.startswith("Error: ")


def test_a_text_without_tokens(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"")
    output = tmp_path / "m.lm"
    refused(run("train", empty, "--backend", "lstm", "--output", output), "the text is empty")
    assert not output.exists()


def test_a_text_shorter_than_a_batch(run: Run, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("the cat sat on the mat\n" * 3, encoding="utf-8")
    output = tmp_path / "m.lm"
    result = run("train", short, "--backend", "gru", *QUICK, "--output", output)
    assert result.status == 0, result.err
    (note,) = [line for line in result.err.splitlines() if "batches" in line]
    assert note == "note: the text is short: batches of 2, not 16"
    assert run("score", output, short).status == 0


@pytest.mark.parametrize("limit", [[], ["--vocabulary-size", "0"]], ids=["a word", "no word"])
def test_a_vocabulary_of_one(run: Run, tmp_path: Path, limit: list[str]) -> None:
    text = tmp_path / "one.txt"
    text.write_text("one\n" * 40, encoding="utf-8")
    output = tmp_path / "m.lm"
    result = run("train", text, "--backend", "lstm", *QUICK, *limit, "--output", output)
    assert result.status == 0, result.err
    (note,) = [line for line in result.err.splitlines() if "vocabulary of" in line]
    words = "no word" if limit else "one word"
    assert note == f"note: a vocabulary of {words}: a network can only learn how long sentences are"
    assert run("perplexity", output, text).status == 0


def test_a_checkpoint_of_another_architecture(run: Run, text: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.lm"
    command = ("train", text, "--backend", "lstm", *QUICK, "--output", output)
    checkpoint_of(run, command, output)
    other = ["9" if word == "8" else word for word in map(str, command)]
    refused(run(*other, "--resume"), "of another architecture: hidden 8, not 9")
    refused(
        run(*["gru" if word == "lstm" else word for word in map(str, command)], "--resume"),
        "of another architecture: cell lstm, not gru",
    )
    assert run(*command, "--resume").status == 0


def checkpoint_of(run: Run, command: tuple[object, ...], output: Path) -> None:
    """Leave the checkpoint of an interrupted training."""
    from lmkit.neural.training.trainer import Trainer

    def interrupted(self: Trainer) -> None:
        self._one_update()
        self._interrupt()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "run", interrupted)
        result = run(*command)
    assert result.status == 130 and "with --resume, to go on" in result.err
    assert Path(f"{output}.checkpoint").exists() and not output.exists()


@pytest.mark.parametrize("command", ["perplexity", "score", "info", "generate"])
def test_weights_that_are_no_numbers(run: Run, text: Path, tmp_path: Path, command: str) -> None:
    path = tmp_path / "nan.lm"
    assert run("train", text, "--backend", "rnn", *QUICK, "--output", path).status == 0
    model = lmkit.load(path)
    assert isinstance(model, NeuralModel)
    model.parameters.views["layer0.b"][0] = np.nan
    model.save(path)
    words = [command, path, *([text] if command in ("perplexity", "score") else [])]
    refused(run(*words), "the weights 'layer0.b' are not all numbers")


@pytest.mark.parametrize(
    "cell, option",
    [("gru", "--peepholes"), ("rnn", "--peepholes")],
)
def test_an_option_that_the_cell_has_not(
    run: Run, text: Path, tmp_path: Path, cell: str, option: str
) -> None:
    output = tmp_path / "m.lm"
    result = run("train", text, "--backend", cell, option, *QUICK, "--output", output)
    refused(result, f"the cell {cell} has no option peepholes", 2)


@pytest.mark.parametrize("place", ["missing/m.lm", "sealed/m.lm", "."])
def test_where_nothing_can_be_written_is_known_before_training(
    run: Run, text: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lmkit.neural.training.trainer import Trainer

    sealed = tmp_path / "sealed"
    sealed.mkdir()
    if os.geteuid() == 0 and place.startswith("sealed"):
        # Root may write anywhere: what the system would say is said for it.
        def refuse(path: Path) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("lmkit.store.modelfile.Temporary", refuse)
    sealed.chmod(0o500)

    def never(self: Trainer) -> None:
        raise AssertionError("trained for nothing")

    monkeypatch.setattr(Trainer, "run", never)
    result = run("train", text, "--backend", "lstm", *QUICK, "--output", tmp_path / place)
    sealed.chmod(0o700)
    said = {"missing/m.lm": "there is no directory", "sealed/m.lm": "permission denied"}
    refused(result, said.get(place, "is a directory"))


def test_a_training_that_goes_on_takes_nested_options_without_a_backend(
    run: Run, text: Path, tmp_path: Path
) -> None:
    """The model to begin with says what it is; --backend need not."""
    base, more = tmp_path / "base.lm", tmp_path / "more.lm"
    settings = {"backend": "transformer", "hidden": 8, "epochs": 1, "workers": 1}
    shape = {"heads": 2, "context": 8, "positions": "learnt"}
    lmkit.train(text, cell_options=shape, **settings).save(base)
    go_on = ["train", text, "--from", base, "--output", more, "--epochs", "1", "--workers", "1"]
    result = run(*go_on, "--optimizer", "sgd", "--momentum", "0.5", "--context", "8")
    assert result.status == 0, result.err
    refused(run(*go_on, "--context", "16"), "begin with has context 8, and its shape stays", 2)


def test_a_stride_for_lines_says_that_it_is_for_running_text(
    run: Run, text: Path, tmp_path: Path
) -> None:
    model = tmp_path / "m.lm"
    settings = {"backend": "transformer", "hidden": 8, "epochs": 1, "workers": 1}
    lmkit.train(text, cell_options={"heads": 2, "context": 8}, **settings).save(model)
    result = run("score", model, text, "--stride", "3", "--state", "line")
    assert "windows need a running text. Try: --state carry." in result.err
