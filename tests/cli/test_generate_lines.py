"""Prompts as they were typed, prompts of several lines, and samples that go on over line ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lmkit.api import load
from lmkit.errors import UnsupportedError, UsageError
from lmkit.model import EOS, LanguageModel

TEXT = "".join(f"ROMEO:\nI say, the {w} is {w}.\n\nJULIET:\nO {w}!\n" for w in "abcdefgh")
TINY = ("--epochs", "2", "--hidden-size", "8", "--layers", "1", "--seed", "1")
KINDS = {
    "word n-gram": ("--order", "3"),
    "char n-gram": ("--order", "4", "--tokenizer", "char"),
    "word lstm": ("--backend", "lstm", *TINY),
    "char gru": ("--backend", "gru", "--tokenizer", "char", *TINY),
    "rnn": (
        "--backend",
        "rnn",
        "--tokenizer",
        "char",
        "--softmax",
        "adaptive",
        *TINY,
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "t.txt").write_text(TEXT)
    return folder


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    """One of each kind, two mixtures and a mixture with a cache."""
    from lmkit.cli.main import main

    from .support import faked_console

    made = {}
    for name, words in KINDS.items():
        made[name] = folder / f"{name.replace(' ', '-')}.lm"
        command = ["train", str(folder / "t.txt"), *words, "-o", str(made[name])]
        assert main(command, faked_console()) == 0
    pair = [str(made["word n-gram"]), str(made["word lstm"]), "--valid", str(folder / "t.txt")]
    mixtures = {
        "mixture": [],
        "mixture with a cache": ["--cache", "--cache-size", "50"],
        "log-linear mixture": ["--kind", "log-linear"],
    }
    for name, words in mixtures.items():
        made[name] = folder / f"{name.replace(' ', '-')}.lm"
        assert main(["mix", *pair, *words, "-o", str(made[name])], faked_console()) == 0
    return made


NAMES = [*KINDS, "mixture", "mixture with a cache", "log-linear mixture"]


@pytest.mark.parametrize("name", NAMES)
def test_samples_of_several_lines(name: str, models: dict[str, Path]) -> None:
    model = load(models[name])
    for lines in (1, 3):
        drawn = model.generate(4, lines=lines, max_tokens=200, seed=3)
        for sample in drawn:
            ends = sample.ids.count(EOS)
            assert ends == lines or (ends < lines and len(sample.ids) == 200)
            assert sample.text.count("\n") == ends - (sample.ids[-1] == EOS)
        assert model.generate(4, lines=lines, max_tokens=200, seed=3) == drawn
    through = model.generate(2, lines=None, max_tokens=60, seed=3)
    assert [len(sample.ids) for sample in through] == [60, 60]


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_carried_as_in_reading(name: str, models: dict[str, Path]) -> None:
    """The log-probability of a sample is what a running text of it costs."""
    model = load(models[name])
    sample = model.generate(1, lines=4, max_tokens=300, seed=1)[0]
    assert sample.ids.count(EOS) == 4
    run = getattr(model, "running", None)
    reader: LanguageModel = model if run is None else run()
    from lmkit.model import Batch

    ids = np.array(sample.ids, np.int32)
    batch = Batch(ids, np.concatenate(([0], np.flatnonzero(ids == EOS) + 1)))
    assert sample.log_probability == pytest.approx(reader.score(batch)[0].sum(), rel=1e-4)
    one, other = model.start(1), reader.start(1)
    for token in sample.ids:
        one, other = model.advance_through(one, [token]), reader.advance_through(other, [token])
    assert np.array_equal(model.next_log_probs(one), reader.next_log_probs(other))


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_of_several_lines_is_read_line_by_line(name: str, models) -> None:
    model = load(models[name])
    prompt = "ROMEO:\nI say"
    ids = model.encoder.encode_prompt(prompt).tolist()
    first = model.encoder.encode(["ROMEO:"]).ids.tolist()
    assert ids == [*first, *model.encoder.encode_prompt("I say").tolist()]
    state = model.start(1)
    for token in ids:
        state = model.advance_through(state, [token])
    expected = model.next_log_probs(state)[0]
    best = int(np.argmax(np.where(np.arange(len(expected)) == 0, -np.inf, expected)))
    found = model.beam_search(1, beam=1, prompt=prompt, max_tokens=1)[0]
    assert found.ids == (*ids, best)
    assert found.log_probability == pytest.approx(expected[best])
    drawn = model.generate(3, prompt=prompt, seed=1, max_tokens=8)
    assert all(sample.text.startswith(prompt) for sample in drawn)


def test_networks_remember_the_line_before_and_ngrams_do_not(models: dict[str, Path]) -> None:
    def after(name: str, prompt: str) -> np.ndarray:
        model = load(models[name])
        state = model.start(1)
        for token in model.encoder.encode_prompt(prompt).tolist():
            state = model.advance_through(state, [token])
        return model.next_log_probs(state)

    for name in ("word n-gram", "char n-gram"):
        assert np.array_equal(after(name, "ROMEO:\n"), after(name, "JULIET:\n"))
        assert np.array_equal(after(name, "ROMEO:\n"), after(name, ""))
    for name in ("word lstm", "char gru"):
        assert not np.allclose(after(name, "ROMEO:\n"), after(name, "JULIET:\n"))


@pytest.mark.parametrize(
    ("prompt", "begins"),
    [
        ("zebras are", "zebras are"),
        ("Zebras  are ", "Zebras  are "),
        ("ROMEO:\nzebras\n", "ROMEO:\nzebras\n"),
        ('say "zebra', 'say "zebra'),
        ("zebra's", "zebra's"),
        ("cafe\u0301", "cafe\u0301"),
        ("a\r\nzebra", "a\r\nzebra"),
        ("\n\n", "\n\n"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("name", ["word n-gram", "char n-gram", "word lstm", "mixture"])
def test_the_prompt_is_printed_as_it_was_typed(name, prompt, begins, models, run) -> None:
    result = run("generate", models[name], "--prompt", prompt, "-n", "3", "--seed", "1", "--json")
    assert result.status == 0, result.err
    for row in json.loads(result.out):
        assert row["text"].startswith(begins)
        assert "<unk>" not in row["text"]
    found = run("generate", models[name], "--prompt", prompt, "--beam", "3", "--json")
    assert json.loads(found.out)[0]["text"].startswith(begins)


def test_no_space_is_doubled_or_lost(models: dict[str, Path]) -> None:
    words, chars = load(models["word n-gram"]), load(models["char n-gram"])
    for prompt in ("the ", "the"):
        text = words.generate(1, prompt=prompt, seed=1)[0].text
        assert text.startswith("the ") and not text.startswith("the  ")
    # To a model of characters a space more is another prompt.
    sample = chars.generate(1, prompt="I say, ", seed=1)[0]
    assert sample.text == "I say, " + chars.encoder.decode(sample.ids[7:])


def test_a_lower_case_model_prints_the_prompt_as_it_was_typed(folder: Path, run) -> None:
    made = folder / "lower.lm"
    assert run("train", folder / "t.txt", "--lowercase", "-o", made).status == 0
    result = run("generate", made, "--prompt", "ROMEO", "--seed", "1", "-n", "1")
    assert result.out.startswith("ROMEO")
    assert "unknown to the model" not in result.err


def test_paragraphs_end_with_an_empty_line(folder: Path, run) -> None:
    made = folder / "paragraphs.lm"
    assert run("train", folder / "t.txt", "--segment", "paragraph", "-o", made).status == 0
    encoder = load(made).encoder
    assert EOS not in encoder.encode_prompt("ROMEO:\nI say")
    assert encoder.encode_prompt("ROMEO:\n\nI").tolist().count(EOS) == 1
    # What was drawn is read again as it was.
    sample = load(made).generate(1, prompt="ROMEO:", lines=3, seed=1)[0]
    assert sample.text.count("\n\n") == 2
    assert encoder.encode_prompt(sample.text).tolist() == list(sample.ids[:-1])


def test_what_is_printed(models: dict[str, Path], run) -> None:
    model = models["char gru"]
    command = ("generate", model, "-n", "2", "--seed", "7", "--lines", "3", "--max-tokens", "400")
    drawn = load(model).generate(2, seed=7, lines=3, max_tokens=400)
    assert run(*command).out == "\n\n".join(sample.text for sample in drawn) + "\n"
    rows = json.loads(run(*command, "--json").out)
    assert [row["text"] for row in rows] == [sample.text for sample in drawn]
    assert [row["tokens"] for row in rows] == [len(sample.ids) for sample in drawn]
    through = ("generate", model, "-n", "1", "--seed", "7", "--through-lines", "--max-tokens", "90")
    assert json.loads(run(*through, "--json").out)[0]["tokens"] == 90


def test_one_line_is_what_it_was(models: dict[str, Path], run) -> None:
    command = ("generate", models["word n-gram"], "--seed", "1", "-n", "4")
    assert run(*command).out == run(*command, "--lines", "1").out
    assert len(run(*command).out.splitlines()) == 4


def test_a_prompt_longer_than_the_context(models: dict[str, Path], run) -> None:
    prompt = "I say, the a is a. " * 40 + "\n" + "the "
    for name in ("word n-gram", "char gru"):
        result = run("generate", models[name], "--prompt", prompt, "-n", "1", "--seed", "1")
        assert result.status == 0 and result.out.startswith(prompt)


def test_options_that_exclude_each_other(models: dict[str, Path], run) -> None:
    model = models["word n-gram"]
    for words in (
        ("--lines", "2", "--through-lines"),
        ("--beam", "3", "--lines", "2"),
        ("--beam", "3", "--through-lines"),
        ("--lines", "0"),
    ):
        assert run("generate", model, *words).status == 2
    with pytest.raises(UsageError, match="lines must be at least 1"):
        load(model).generate(1, lines=0)


def test_a_channel_says_why_not(models: dict[str, Path], folder: Path, run) -> None:
    (folder / "pairs.tsv").write_text("teh\tthe\nsya\tsay\n")
    made = folder / "channel.lm"
    command = ("train", "--backend", "noisy-channel", "--source", models["word n-gram"])
    trained = run(*command, "--pairs", folder / "pairs.tsv", "-o", made)
    assert trained.status == 0, trained.err
    refused = run("generate", made, "--lines", "2")
    assert refused.status == 1 and "types single sentences" in refused.err
    with pytest.raises(UnsupportedError):
        load(made).generate(1, prompt="ROMEO:\nI", seed=1)
    assert run("generate", made, "--prompt", "zebras are", "--seed", "1").out.startswith(
        "zebras are"
    )
