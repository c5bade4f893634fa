"""The training loop: it learns, resumes exactly, ends in time, and stops when it must."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.errors import ExitCode, LmkitError, ModelFileError, UnsupportedError, UsageError
from lmkit.model import UNK
from lmkit.neural.backend import LSTMBackend
from lmkit.neural.training.course import Diverged, Interrupted, Report
from lmkit.neural.training.feed import Unknowns
from lmkit.neural.training.glance import glance
from lmkit.neural.training.options import PRESETS, Options, make_options, suitable_preset
from lmkit.neural.training.schedules import Cosine, OneCycle, Plateau
from lmkit.neural.use.model import NeuralModel
from lmkit.registry import names, resolve
from lmkit.text.corpus import Corpus, build_corpus
from lmkit.text.settings import TextSettings

QUICK = {"hidden": 12, "batch_size": 6, "bptt": 8, "epochs": 2, "dropout": 0.2, "workers": 1}
SETTINGS = TextSettings(tokenizer="whitespace")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, zipf_lines: list[str]) -> Path:
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[:300]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def corpus(text: Path) -> Corpus:
    return build_corpus([text], SETTINGS)


def train(corpus: Corpus, **options: Any) -> NeuralModel:
    return LSTMBackend.train(corpus, **{**QUICK, **options})


class Stop(Exception):
    """Ends a training from within, as a crash would."""


def stop_after(updates: int) -> Any:
    seen = 0

    def watch(report: Report) -> None:
        nonlocal seen
        seen += 1
        if seen == updates:
            raise Stop

    return watch


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_every_cell_learns_a_text_that_repeats(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "abc.txt"
    path.write_text("a b c d e f g h\nd c b a\n" * 200, encoding="utf-8")
    model = lmkit.train(path, backend=cell, hidden=24, batch_size=8, bptt=16, epochs=15, seed=1)
    assert model.perplexity("a b c d e f g h\n").perplexity < 1.5


@pytest.mark.parametrize("optimizer", names("optimizer"))
def test_every_optimizer_learns(optimizer: str, tmp_path: Path) -> None:
    path = tmp_path / "abc.txt"
    path.write_text("a b c d e f g h\nd c b a\n" * 200, encoding="utf-8")
    model = lmkit.train(
        path, backend="rnn", optimizer=optimizer, hidden=24, batch_size=8, bptt=16, epochs=6
    )
    assert model.perplexity("a b c d e f g h\n").perplexity < 4  # of 9 tokens, about alike


@pytest.mark.parametrize("schedule", names("schedule"))
def test_every_schedule_trains(corpus: Corpus, schedule: str) -> None:
    assert train(corpus, schedule=schedule).facts["training"]["epochs"] == 2


@pytest.mark.slow
def test_a_seed_decides_everything(corpus: Corpus) -> None:
    for workers in (1, 2):
        first, again, other = (train(corpus, seed=s, workers=workers) for s in (3, 3, 4))
        assert (first.parameters.flat == again.parameters.flat).all()
        assert (first.parameters.flat != other.parameters.flat).any()


def test_workers_share_the_work_alike(corpus: Corpus) -> None:
    one, two = (train(corpus, workers=w, dropout=0.0, epochs=1) for w in (1, 2))
    assert one.parameters.flat == pytest.approx(two.parameters.flat, abs=2e-3)


RESUMED: dict[str, dict[str, Any]] = {
    "plain": {},
    "workers": {"workers": 2},
    "sentences": {"by_sentence": True},
    "random-bptt": {"random_bptt": True, "variational": True, "weight_drop": 0.2},
    "asgd": {"optimizer": "asgd", "learning_rate": 1.0, "optimizer_options": {"average_after": 9}},
    "plateau": {"optimizer": "sgd", "learning_rate": 5.0, "schedule": "plateau"},
    "adaptive": {"softmax": "adaptive", "optimizer": "adagrad", "learning_rate": 0.1},
    "sampled": {"softmax": "sampled", "optimizer": "adamw", "weight_decay": 0.01},
}


def test_a_training_that_ends_before_its_first_checkpoint_leaves_none(
    corpus: Corpus, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "m.lm.checkpoint"
    with pytest.raises(Stop):
        train(corpus, checkpoint=checkpoint, checkpoint_every=0, watch=stop_after(1))
    assert not checkpoint.exists()


@pytest.mark.slow
@pytest.mark.parametrize("case", RESUMED)
def test_a_resumed_training_ends_bit_identical(corpus: Corpus, tmp_path: Path, case: str) -> None:
    options = {**RESUMED[case], "hold_out": 0.2, "validate_every": 600}
    whole = train(corpus, **options)
    checkpoint = tmp_path / "m.lm.checkpoint"
    for stop in (40, 75):
        with pytest.raises(Stop):
            train(
                corpus, **options, checkpoint=checkpoint, checkpoint_every=0, watch=stop_after(stop)
            )
        resumed = train(corpus, **options, checkpoint=checkpoint, resume=True)
        assert (resumed.parameters.flat == whole.parameters.flat).all()
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in resumed.log]
        assert rows == [{k: v for k, v in row.items() if k != "seconds"} for row in whole.log]


SCRIPT = """
import sys
import lmkit
lmkit.train(sys.argv[1], backend="lstm", hidden=24, batch_size=4, bptt=4, epochs=1, seed=5,
            checkpoint=sys.argv[2] + ".checkpoint", checkpoint_every=0.0, output=sys.argv[2],
            resume="resume" in sys.argv, watch=lambda report: print("update", flush=True))
"""


@pytest.mark.slow
def test_kill_9_and_resume(text: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(lmkit.__file__).parent.parent)}
    target = tmp_path / "m.lm"
    checkpoint = Path(f"{target}.checkpoint")
    command = [sys.executable, "-c", SCRIPT, str(text), str(target)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(40):  # each update but the last one is in a checkpoint
            assert process.stdout.readline() == b"update\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not target.exists()
    assert checkpoint.exists()
    rest = subprocess.run([*command, "resume"], env=environment, check=True, capture_output=True)
    assert not checkpoint.exists()
    other = tmp_path / "other.lm"
    again = subprocess.run(
        [*command[:-1], str(other)], env=environment, check=True, capture_output=True
    )
    assert rest.stdout.count(b"\n") < again.stdout.count(b"\n") - 30  # it did not begin anew
    resumed, whole = lmkit.load(target), lmkit.load(other)
    assert isinstance(resumed, NeuralModel) and isinstance(whole, NeuralModel)
    assert (resumed.parameters.flat == whole.parameters.flat).all()
    assert not list(tmp_path.glob("*.partial"))


def test_ctrl_c_saves_and_says_how_to_go_on(corpus: Corpus, tmp_path: Path) -> None:
    checkpoint = tmp_path / "m.lm.checkpoint"

    def watch(report: Report) -> None:
        if report.epoch > 0.3 and not checkpoint.exists():
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        train(corpus, checkpoint=checkpoint, watch=watch)
    assert caught.value.exit_code == ExitCode.INTERRUPTED
    assert "--resume" in str(caught.value) and str(checkpoint) in str(caught.value)
    resumed = train(corpus, checkpoint=checkpoint, resume=True)
    assert (resumed.parameters.flat == train(corpus).parameters.flat).all()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_training_works_outside_the_main_thread(corpus: Corpus) -> None:
    found: list[NeuralModel] = []
    thread = threading.Thread(target=lambda: found.append(train(corpus, epochs=1)))
    thread.start()
    thread.join()
    assert len(found) == 1


@pytest.fixture
def checkpoint(corpus: Corpus, tmp_path: Path) -> Path:
    path = tmp_path / "m.lm.checkpoint"
    with pytest.raises(Stop):
        train(corpus, checkpoint=path, checkpoint_every=0, watch=stop_after(5))
    return path


def test_a_checkpoint_of_another_architecture(corpus: Corpus, checkpoint: Path) -> None:
    with pytest.raises(ModelFileError, match="of another architecture: hidden 12, not 13"):
        train(corpus, hidden=13, embedding=12, checkpoint=checkpoint, resume=True)


def test_a_checkpoint_of_another_text(checkpoint: Path, tmp_path: Path, text: Path) -> None:
    path = tmp_path / "other.txt"
    lines = text.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[1], lines[0], *lines[2:]]) + "\n", encoding="utf-8")
    with pytest.raises(ModelFileError, match="another text"):
        train(build_corpus([path], SETTINGS), checkpoint=checkpoint, resume=True)


def test_a_checkpoint_of_other_workers(corpus: Corpus, checkpoint: Path) -> None:
    with pytest.raises(LmkitError, match="of 1 workers, not 2"):
        train(corpus, workers=2, checkpoint=checkpoint, resume=True)


def test_no_checkpoint_to_resume(corpus: Corpus, tmp_path: Path, text: Path) -> None:
    with pytest.raises(ModelFileError, match="no checkpoint"):
        train(corpus, checkpoint=tmp_path / "none", resume=True)
    with pytest.raises(ModelFileError, match="is not an lmkit model"):
        train(corpus, checkpoint=text, resume=True)


def test_a_checkpoint_is_no_model(checkpoint: Path) -> None:
    with pytest.raises(LmkitError):
        lmkit.load(checkpoint)


def test_a_loss_that_explodes_stops_with_advice(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"diverged.*a lower learning rate"):
        train(corpus, optimizer="sgd", learning_rate=1e6, clip=1e9, epochs=5)


def test_nan_keeps_the_last_good_weights(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "m.lm.checkpoint"
    from lmkit.neural.training.stepper import Stepper

    calls, real = 0, Stepper.loss

    def broken(self: Stepper, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        total, states = real(self, *arguments)
        return (math.nan if calls == 60 else total), states

    monkeypatch.setattr(Stepper, "loss", broken)
    with pytest.raises(Diverged, match=r"NaN.*last good weights are in"):
        train(corpus, checkpoint=checkpoint, checkpoint_every=0, hold_out=0.2, validate_every=600)
    monkeypatch.setattr(Stepper, "loss", real)
    model = train(corpus, checkpoint=checkpoint, resume=True, hold_out=0.2, validate_every=600)
    assert np.isfinite(model.parameters.flat).all()


def test_a_time_budget_is_kept(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmkit.neural.training import trainer as module

    # By a clock that goes on a thousandth of a second whenever it is looked at.
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(ticks) / 1000)
    monkeypatch.setattr(module, "time", clock)
    model = train(corpus, epochs=None, time_budget=1.0, patience=0)
    assert 0.9 < clock.monotonic() < 1.1
    assert model.facts["training"]["epochs"] > 1
    rates = [row["learning_rate"] for row in model.log]
    assert rates[-1] < 0.2 * max(rates)  # the schedule has run its course


@pytest.mark.slow
def test_early_stopping(corpus: Corpus) -> None:
    model = train(
        corpus, epochs=60, optimizer="sgd", learning_rate=1e-9, patience=2, hold_out=0.3,
        schedule="constant",
    )  # fmt: skip
    # Nothing is learnt, so two validations without improvement end it.
    assert model.facts["training"]["epochs"] < 20


@pytest.mark.slow
def test_the_best_epoch_is_kept(corpus: Corpus) -> None:
    model = train(corpus, hold_out=0.2, epochs=40, hidden=48, dropout=0.0, patience=3,
                  schedule="constant", learning_rate=0.01)  # fmt: skip
    losses = [row["valid_loss"] for row in model.log if row["valid_loss"] is not None]
    training = model.facts["training"]
    assert training["valid_loss"] == min(losses) < losses[-1]
    assert training["best_epoch"] < training["epochs"] < 40


def test_unknown_words_are_learnt_from_words_seen_once(corpus: Corpus) -> None:
    ids = np.concatenate(list(corpus.chunks()))
    counts = np.bincount(ids)
    unknowns = Unknowns(ids)
    drawn = unknowns.draw(np.random.default_rng(0))
    assert 0.3 < (drawn == UNK).sum() / (counts == 1).sum() < 0.7
    assert (counts[ids[drawn == UNK]] == 1).all()
    with_literal = np.append(ids, np.int32(UNK))
    assert Unknowns(with_literal).draw(np.random.default_rng(0)) is with_literal
    model = train(corpus, epochs=6)
    log_probs, _ = model.score("never-seen")
    assert log_probs[0] > math.log(1e-4)


@pytest.mark.slow
def test_training_on_with_more_words(corpus: Corpus, tmp_path: Path, text: Path) -> None:
    base = train(corpus)
    path = tmp_path / "more.txt"
    lines = text.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(f"{line} brandnew\n" for line in lines[:150]), encoding="utf-8")
    more = build_corpus([path], SETTINGS, base=base.vocabulary)
    model = LSTMBackend.train(more, base=base, epochs=12, batch_size=6, bptt=8)
    assert len(model.vocabulary) == len(base.vocabulary) + 1
    assert model.parameters.views["layer0.u"].shape == base.parameters.views["layer0.u"].shape
    assert model.perplexity(path).perplexity < 0.7 * base.perplexity(path).perplexity
    with pytest.raises(UsageError, match="backend 'lstm', not 'gru'"):
        resolve("backend", "gru").train(more, base=base)
    adaptive = train(corpus, softmax="adaptive")
    with pytest.raises(UnsupportedError, match="cannot grow"):
        LSTMBackend.train(more, base=adaptive)


@pytest.mark.parametrize("softmax", ["sampled", "nce"])
def test_a_softmax_that_draws_grows_too(corpus: Corpus, tmp_path: Path, softmax: str) -> None:
    base = train(corpus, softmax=softmax, softmax_options={"samples": 30})
    path = tmp_path / "more.txt"
    path.write_text("".join(f"w1 new{k} w2 new{k}\n" for k in range(60)), encoding="utf-8")
    more = build_corpus([path], SETTINGS, base=base.vocabulary)
    model = LSTMBackend.train(more, base=base, epochs=1, batch_size=6, bptt=8)
    assert len(model.vocabulary) == len(base.vocabulary) + 60
    options = model.network.architecture.softmax_options
    assert len(options["counts"]) == len(model.vocabulary)
    assert options["counts"][-1] == 2
    assert np.isfinite(model.score("w1 new59 w2")[0]).all()


def test_what_is_grown_is_what_was_there(corpus: Corpus) -> None:
    from lmkit.neural.tools.growth import grown

    base = train(corpus)
    size = len(corpus.vocabulary)
    counts = np.ones(size + 5)
    network, parameters = grown(base, size + 5, counts, np.random.default_rng(0))
    for name, view in parameters.views.items():
        before = base.parameters.views[name]
        assert (view[tuple(slice(n) for n in before.shape)] == before).all(), name
    assert network.architecture.vocabulary == size + 5


def test_schedules_run_their_course() -> None:
    cosine = Cosine(warmup=0.1, floor=0.0)
    assert cosine.factor(0.05) == pytest.approx(0.5)
    assert cosine.factor(0.1) == pytest.approx(1)
    assert cosine.factor(0.55) == pytest.approx(0.5)
    assert cosine.factor(1) == pytest.approx(0)
    cycle = OneCycle(rise=0.25)
    assert cycle.factor(0) == pytest.approx(0.04)
    assert cycle.factor(0.25) == pytest.approx(1)
    assert cycle.factor(1) == pytest.approx(1e-4)
    plateau = Plateau(decay=2)
    for loss, factor in ((5.0, 1), (4.0, 1), (4.5, 0.5), (3.9, 0.5), (3.9, 0.25)):
        plateau.observe(loss)
        assert plateau.factor(0.5) == factor
    copy = Plateau(decay=2)
    copy.restore(plateau.state())
    assert copy.factor(0) == 0.25 and not copy.exhausted


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_options(preset: str) -> None:
    options = make_options(preset, {"hidden": 99, "layers": None}, "word", 10)
    assert options.hidden == 99
    assert make_options(preset, {"time_budget": 5}, "word", 10).epochs is None


def test_a_text_gets_a_preset_that_suits_it() -> None:
    assert suitable_preset("word", 5_000) == "tiny"
    assert suitable_preset("word", 1_000_000) == "small"
    assert suitable_preset("word", 50_000_000) == "medium"
    assert suitable_preset("character", 1_000_000) == "char"
    assert make_options(None, {"workers": 1}, "character", 10**6) == Options(**PRESETS["char"])


def test_a_large_vocabulary_is_sampled_unless_the_softmax_must_be_whole() -> None:
    def softmax(vocabulary: int, taught: bool = False, **given: object) -> str:
        return make_options("small", given, "word", 10**6, vocabulary, taught).softmax

    assert (softmax(8_000), softmax(8_001)) == ("full", "sampled")
    assert softmax(50_000, taught=True) == softmax(50_000, label_smoothing=0.1) == "full"
    assert softmax(50_000, softmax="adaptive") == "adaptive"


def test_a_training_looks_at_evenly_spaced_parts_of_a_long_held_out_text() -> None:
    ids = np.arange(1_000_000, dtype=np.int32)
    assert len(glance(ids[:20_000], 10**9)) == 20_000
    seen = glance(ids, 25_000)
    assert len(seen) == 40_000 and seen[0] == 0 and seen[-1] == 999_999
    jumps = np.flatnonzero(np.diff(seen) != 1)
    assert len(jumps) == 15 and len(set(np.diff(jumps).tolist())) == 1
    assert np.array_equal(glance(ids, 100), ids)
