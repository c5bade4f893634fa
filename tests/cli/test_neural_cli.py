"""Networks on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .support import Result

Run = Callable[..., Result]
QUICK = ["--hidden-size", "12", "--epochs", "2", "--bptt", "8", "--workers", "1"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    lines = ["the cat sat on the mat", "the dog sat on the rug", "a cat ran", "a dog ran"]
    path.write_text("".join(f"{line}\n" for line in lines * 20), encoding="utf-8")
    return path


@pytest.fixture
def model(run: Run, text: Path, tmp_path: Path) -> Path:
    path = tmp_path / "m.lm"
    result = run("train", text, "--backend", "lstm", *QUICK, "--seed", "4", "--output", path)
    assert result.status == 0, result.err
    assert not Path(f"{path}.checkpoint").exists()
    return path


def test_what_only_networks_show_names_the_backend_of_another_model(
    run: Run, model: Path, text: Path, tmp_path: Path
) -> None:
    mixture = tmp_path / "mix.lm"
    assert run("mix", model, model, "--valid", text, "--output", mixture).status == 0
    for option in (["--neighbours", "cat"], ["--gates", "the cat"], ["--curve"]):
        result = run("info", mixture, *option)
        assert result.status == 1 and not result.out
        assert "networks only, and this model is of the backend 'mixture'" in result.err


def test_a_network_answers_every_command(run: Run, model: Path, text: Path) -> None:
    facts = json.loads(run("info", model, "--json").out)
    assert facts["backend"] == "lstm" and facts["hidden"] == 12
    assert facts["history"][0]["seed"] == 4
    assert run("generate", model, "-n", "2", "--seed", "1").out
    assert run("score", model, text).status == 0


def test_perplexity_carries_the_state_unless_told(run: Run, model: Path, text: Path) -> None:
    def figure(*options: str) -> float:
        found: float = json.loads(run("perplexity", model, text, "--json", *options).out)[0][
            "perplexity"
        ]
        return found

    assert figure() == figure("--state", "carry") != figure("--state", "line")
    assert figure("--cache", "50") != figure()
    assert figure("--dynamic", "0.5") < figure()
    assert "need a running text" in run(
        "perplexity", model, text, "--state", "line", "--cache", "5"
    ).err  # fmt: skip


def test_the_figures_say_what_became_of_the_state(run: Run, model: Path, text: Path) -> None:
    for options, state in (([], "carry"), (["--state", "line"], "line")):
        (row,) = json.loads(run("perplexity", model, text, "--json", *options).out)
        assert list(row)[-1] == "state" and row["state"] == state
        last = run("perplexity", model, text, *options).out.splitlines()[-1]
        assert last.split() == ["state", "from", "line", "to", "line", state]


def test_scores_start_anew_on_each_line_unless_told(run: Run, model: Path, text: Path) -> None:
    def scores(*options: str) -> list[float]:
        result = run("score", model, text, "--json", *options)
        assert result.status == 0, result.err
        state = "carry" if options and "line" not in options else "line"
        assert f"state: {state}\n" in result.err
        return [row["log10_probability"] for row in json.loads(result.out)]

    anew = scores()
    assert anew == scores("--state", "line")
    assert anew[0] == pytest.approx(anew[4]), "the same line has the same score"
    carried = scores("--state", "carry")
    (row,) = json.loads(run("perplexity", model, text, "--json").out)
    assert sum(carried) == pytest.approx(row["log10_probability"], rel=1e-5)
    assert carried[4] != pytest.approx(anew[4], rel=1e-3)
    cached, dynamic = scores("--cache", "50"), scores("--dynamic", "0.5")
    for options, found in (("--cache", "50"), cached), (("--dynamic", "0.5"), dynamic):
        (row,) = json.loads(run("perplexity", model, text, "--json", *options).out)
        assert sum(found) == pytest.approx(row["log10_probability"], rel=1e-5)


def test_a_cache_is_fitted_to_held_out_text(run: Run, model: Path, text: Path) -> None:
    result = run("perplexity", model, text, "--tune-cache", text, "--json")
    assert result.status == 0, result.err
    assert "cache of 2,000 tokens: weight" in result.err
    (row,) = json.loads(result.out)
    (plain,) = json.loads(run("perplexity", model, text, "--json").out)
    assert row["perplexity"] < plain["perplexity"]
    result = run("score", model, text, "--tune-cache", text, "--cache", "7")
    assert "cache of 7 tokens" in result.err and "state: carry" in result.err


@pytest.mark.parametrize(
    "options, message",
    [
        (["--cache-weight", "0.2"], "--cache-weight is nothing without --cache"),
        (["--dynamic-decay", "0.2"], "--dynamic-decay is nothing without --dynamic"),
        (["--dynamic-steps", "2"], "--dynamic-steps is nothing without --dynamic"),
        (["--cache-flatness", "1", "--tune-cache", "x"], "finds the flatness of the cache itself"),
        (["--state", "line", "--dynamic", "1"], "need a running text"),
        (["--cache-weight", "1", "--cache", "3"], "not in the range"),
    ],
)
@pytest.mark.parametrize("command", ["score", "perplexity"])
def test_running_options_that_make_no_sense(
    run: Run, model: Path, text: Path, command: str, options: list[str], message: str
) -> None:
    result = run(command, model, text, *options)
    assert result.status == 2 and message in result.err and not result.out
    assert len(result.err.splitlines()) <= 2


def test_models_of_counts_have_no_state(run: Run, text: Path, tmp_path: Path) -> None:
    ngram = tmp_path / "n.lm"
    run("train", text, "--order", "2", "--output", ngram)
    assert "state" not in json.loads(run("perplexity", ngram, text, "--json").out)[0]
    assert run("score", ngram, text).err == ""
    for options in (["--state", "carry"], ["--cache", "5"], ["--tune-cache", text]):
        for command in ("score", "perplexity"):
            result = run(command, ngram, text, *options)
            assert result.status == 1 and "'ngram'" in result.err, result.err


def test_options_of_networks_are_for_networks(run: Run, text: Path, tmp_path: Path) -> None:
    result = run("train", text, "--hidden-size", "5", "--output", tmp_path / "n.lm")
    assert result.status == 2 and "--hidden-size is for neural networks" in result.err
    result = run("train", text, "--backend", "gru", "--peepholes", "--output", tmp_path / "n.lm")
    assert result.status == 2 and "the cell gru has no option peepholes" in result.err
    result = run("train", text, "--backend", "gru", "--resume", "--output", tmp_path / "n.lm")
    assert result.status == 1 and "there is no checkpoint" in result.err


@pytest.mark.parametrize("time", ["0", "soon", "5x"])
def test_a_time_that_is_none(run: Run, text: Path, tmp_path: Path, time: str) -> None:
    result = run("train", text, "--backend", "rnn", "--time-budget", time, "-o", tmp_path / "n")
    assert result.status == 2 and "is not a time" in result.err


def test_training_on(run: Run, model: Path, text: Path, tmp_path: Path) -> None:
    text.write_text("a bird sat\n" * 40, encoding="utf-8")
    output = tmp_path / "on.lm"
    result = run("train", text, "--from", model, "--epochs", "3", "--output", output)
    assert result.status == 0, result.err
    facts: dict[str, Any] = json.loads(run("info", output, "--json").out)
    assert len(facts["history"]) == 2


def test_looking_into_a_network(run: Run, model: Path) -> None:
    assert len(run("info", model, "--neighbours", "cat").out.splitlines()) == 10
    lines = run("info", model, "--gates", "the cat").out.splitlines()
    assert lines[0].split() == ["</s>", "the", "cat"]
    assert [line.split()[2] for line in lines[1:]] == ["o", "i", "f", "g"]
    assert "epochs" in run("info", model, "--curve").out


def test_quantize_measures_before_and_after(
    run: Run, model: Path, text: Path, tmp_path: Path
) -> None:
    output = tmp_path / "q.lm"
    result = run("quantize", model, "--output", output, "--valid", text, "--json")
    before, after = json.loads(result.out)
    assert after["perplexity"] == pytest.approx(before["perplexity"], rel=0.05)
    assert run("quantize", model, "-o", output, "--sparsity", "0.5", "--keep-float").status == 0
    ngram = tmp_path / "n.lm"
    run("train", text, "--order", "2", "--output", ngram)
    error = run("quantize", ngram, "--output", output).err
    assert "networks only, and this model is of the backend 'ngram'" in error


def test_a_student_beside_its_teacher_in_one_table(
    run: Run, model: Path, text: Path, tmp_path: Path
) -> None:
    student = tmp_path / "student.lm"
    result = run(
        *("train", text, "--backend", "gru", "--hidden-size", "6", "--epochs", "6", "--bptt", "8"),
        *("--workers", "1", "--seed", "4", "--teacher", model, "--distillation", "0.9"),
        *("--valid", text, "--output", student),
    )
    assert result.status == 0, result.err
    heading, _, *rows = [line.split() for line in result.out.splitlines()]
    assert heading == ["model", "bytes", "perplexity", "tokens_per_second"]
    for path, row in zip((model, student), rows, strict=True):
        size = path.stat().st_size
        assert row[0] == str(path)
        assert row[1] == (f"{size / 1e6:,.1f}" if size >= 1e5 else f"{size:,}")
        (figures,) = json.loads(run("perplexity", path, text, "--json").out)
        assert float(row[3]) == pytest.approx(figures["perplexity"], rel=1e-3)
        assert float(row[4].replace(",", "")) > 0
    options = json.loads(run("info", student, "--json").out)["training"]["options"]
    assert options["distillation"] == 0.9
    # The teacher has a say: without it the same training ends elsewhere.
    alone = tmp_path / "alone.lm"
    words = ("train", text, "--backend", "gru", "--hidden-size", "6", "--epochs", "6")
    run(*words, "--bptt", "8", "--workers", "1", "--seed", "4", "--valid", text, "-o", alone)
    found = [json.loads(run("perplexity", p, text, "--json").out) for p in (student, alone)]
    assert found[0][0]["perplexity"] != pytest.approx(found[1][0]["perplexity"], rel=1e-4)


def test_a_teacher_of_another_vocabulary_or_none(
    run: Run, model: Path, text: Path, tmp_path: Path
) -> None:
    other, output = tmp_path / "other.txt", tmp_path / "s.lm"
    other.write_text("quite other words\n" * 50, encoding="utf-8")
    student = ("--backend", "gru", *QUICK, "--output", output)
    result = run("train", other, *student, "--teacher", model)
    assert result.status == 2 and "the teacher has another vocabulary" in result.err
    result = run("train", text, *student, "--teacher", tmp_path / "missing.lm")
    assert result.status == 1 and "missing.lm" in result.err
    assert len(result.err.strip().splitlines()) == 1
    ngram = tmp_path / "n.lm"
    run("train", text, "--order", "2", "--output", ngram)
    result = run("train", text, *student, "--teacher", ngram)
    assert result.status == 2 and "only a neural model can be the teacher" in result.err
    assert not output.exists()
