"""A Transformer behind the one interface: what it does otherwise than recurrent networks."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lmkit
from lmkit.errors import ModelFileError, UnsupportedError, UsageError
from lmkit.model import EOS, Batch
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.bodies import NORMS, POSITIONS
from lmkit.neural.networks.language import Network
from lmkit.neural.optimizers.adamw import AdamW
from lmkit.neural.parameters import Parameters
from lmkit.neural.tools.inspection import gates
from lmkit.neural.training.course import Interrupted, Report
from lmkit.neural.training.distillation import Teacher
from lmkit.neural.training.options import make_options
from lmkit.neural.use.model import NeuralModel
from lmkit.text.settings import TextSettings

from ..fuzz.sealing import change

SHAPE = {"hidden": 16, "layers": 2, "batch_size": 4, "epochs": 1, "workers": 1, "dropout": 0.0}
CONTEXT = 8


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, zipf_lines: list[str]) -> Path:
    path = tmp_path_factory.mktemp("text") / "zipf.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines[:120]), encoding="utf-8")
    return path


def train(text: Path, positions: str = "rotary", **options: Any) -> NeuralModel:
    shape = {"context": CONTEXT, "positions": positions, **options.pop("shape", {})}
    model = lmkit.train(
        text,
        backend="transformer",
        settings=TextSettings(tokenizer="whitespace"),
        **{**SHAPE, "cell_options": shape, **options},
    )
    assert isinstance(model, NeuralModel)
    return model


@pytest.fixture(scope="module", params=["rotary", "alibi", "t5", "none", "learnt", "sinusoidal"])
def model(request: pytest.FixtureRequest, text: Path) -> NeuralModel:
    return train(text, request.param)


def ids_of(model: NeuralModel, count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(EOS + 1, len(model.vocabulary), count).astype(np.int32)


def test_what_is_kept_while_generating_gives_the_full_pass(model: NeuralModel) -> None:
    """Token by token, with the keys and values of what was read, as one pass over all of it."""
    ids = ids_of(model, CONTEXT - 1 if model.network.limit else 3 * CONTEXT)
    state, found = model.start(2), []
    for token in ids.tolist():
        found.append(model.next_log_probs(state)[1, token])
        state = model.advance(state, [token, token])
    inputs = np.concatenate(([EOS], ids[:-1]))[:, None]
    h, _ = model.scorer.read(inputs, model.scorer.zero(1))
    assert found == pytest.approx(model.scorer.log_prob(h, ids), abs=1e-4)
    sizes = {leaf.shape[1] for layer in state.layers for leaf in _leaves(layer) if leaf.ndim == 3}
    assert sizes == {CONTEXT - 1}


def _leaves(state: Any) -> Any:
    from lmkit.neural.tree import leaves

    return leaves(state) if isinstance(state, tuple) else [state]


def test_a_running_text_comes_in_any_pieces(model: NeuralModel) -> None:
    ids = ids_of(model, 61)
    whole, _ = model.running().score(Batch(ids, np.array([0, 61])))
    for stride in (None, 3):
        reader, found = model.running(stride=stride), []
        for low, high in ((0, 1), (1, 14), (14, 40), (40, 61)):
            piece = Batch(ids[low:high], np.array([0, high - low]))
            log_probs, state = reader.score(piece)
            found.append(log_probs)
        again, last = model.running(stride=stride).score(Batch(ids, np.array([0, 61])))
        assert np.concatenate(found) == pytest.approx(again, abs=1e-4)
        assert model.next_log_probs(state) == pytest.approx(model.next_log_probs(last), abs=1e-4)
        if stride is None:
            assert again == pytest.approx(whole, abs=1e-6)


def test_windows_score_what_no_window_has_scored(text: Path) -> None:
    """Each token sees at least context - stride tokens, and no more than a context."""
    model = train(text)
    ids = ids_of(model, 40)
    found, _ = model.running(stride=3).score(Batch(ids, np.array([0, 40])))
    inputs = np.concatenate(([EOS], ids[:-1]))
    for place in (0, 2, 5, 20, 39):
        end = (place // 3 + 1) * 3
        window = inputs[max(0, end - CONTEXT) : place + 1]
        h, _ = model.scorer.read(window[:, None], model.scorer.zero(1))
        expected = model.scorer.log_prob(h[:, -1:], ids[place : place + 1])
        assert found[place] == pytest.approx(expected[0], abs=1e-4)


def test_what_windows_are_not_for(text: Path) -> None:
    model = train(text, "learnt")
    with pytest.raises(UsageError, match="windows have 8 tokens"):
        model.running(stride=9)
    with pytest.raises(UsageError, match="windows carry none"):
        model.running(dynamic=0.5)
    recurrent = lmkit.train(text, backend="gru", hidden=4, epochs=1, workers=1)
    with pytest.raises(UsageError, match="for transformers"):
        recurrent.running(stride=3)
    with pytest.raises(UnsupportedError, match="has no gates"):
        gates(model, "w1 w2")


def test_learnt_positions_say_that_they_cannot_grow(text: Path) -> None:
    model = train(text, "learnt")
    with pytest.raises(UsageError, match="learnt for 8 tokens"):
        model.score(" ".join(["w1"] * 20))


def test_a_teacher_whose_positions_end_begins_anew(text: Path) -> None:
    teacher = train(text, "learnt")
    reader = Teacher(teacher, 0.5)
    reader.begin([2])
    inputs = np.stack((ids_of(teacher, 20), ids_of(teacher, 20)[::-1]), axis=1)
    for _ in range(2):
        found, share = reader.targets(0, inputs)
        assert share == 0.5 and found.shape == (len(teacher.vocabulary), 40)
        for low in range(0, 20, CONTEXT):
            part = inputs[low : low + CONTEXT]
            h, _ = teacher.scorer.read(part, teacher.scorer.zero(2))
            expected = teacher.network.softmax.log_probs(teacher.parameters.views, h)
            columns = found[:, 2 * low : 2 * low + part.size]
            np.testing.assert_allclose(columns.T, np.exp(expected), atol=1e-5)
    student = lmkit.train(
        text,
        backend="gru",
        hidden=4,
        epochs=1,
        workers=1,
        bptt=20,
        teacher=teacher,
        settings=TextSettings(tokenizer="whitespace"),
    )
    assert np.isfinite(student.log[-1]["loss"])


def test_weights_whose_products_are_no_numbers(text: Path, tmp_path: Path) -> None:
    model = train(text)
    for name, view in model.parameters.views.items():
        if name.endswith("qkv"):
            view *= np.float32(1e30)
    model.save(tmp_path / "big.lm")
    big = lmkit.load(tmp_path / "big.lm")
    ids = Batch(ids_of(model, 6), np.array([0, 6]))
    state = big.start(1)
    for use in (
        lambda: big.score(ids),
        lambda: big.running().score(ids),
        lambda: big.next_log_probs(big.start(1)),
        lambda: big.log_probs_of(state, np.array([[5, 6]])),
        lambda: big.generate(1, seed=1),
    ):
        with pytest.raises(ModelFileError, match="no numbers"):
            use()


def test_dynamic_evaluation_that_explodes(text: Path) -> None:
    model = train(text)
    with pytest.raises(ModelFileError, match="no numbers") as caught:
        model.running(dynamic=1e30).score(Batch(ids_of(model, 61), np.array([0, 61])))
    assert "--dynamic" in str(caught.value.hint)


def test_a_file_has_all_of_it(model: NeuralModel, tmp_path: Path) -> None:
    model.save(tmp_path / "t.lm")
    again = lmkit.load(tmp_path / "t.lm")
    ids = Batch(ids_of(model, 6), np.array([0, 6]))
    assert np.array_equal(again.score(ids)[0], model.score(ids)[0])
    assert again.describe()["backend"] == "transformer"
    assert again.describe()["parameters"]["context"] == CONTEXT


@pytest.mark.parametrize("positions", ["rotary", "learnt"])
def test_going_on_ends_with_the_same_weights(text: Path, tmp_path: Path, positions: str) -> None:
    checkpoint = tmp_path / "c"
    options = {"epochs": 2, "workers": 2, "dropout": 0.2, "checkpoint": checkpoint}
    whole = train(text, positions, **options)

    def watch(report: Report) -> None:
        if report.epoch > 0.3 and not checkpoint.exists():
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(text, positions, watch=watch, **options)
    found = train(text, positions, resume=True, **options)
    assert np.array_equal(found.parameters.flat, whole.parameters.flat)


@pytest.mark.parametrize("options", [{"new": 1}, {"positions": "new"}, {"heads": 3}])
def test_a_file_of_a_newer_architecture(
    text: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    model = train(text)
    model.save(tmp_path / "t.lm")
    facts = {**model.network.architecture.as_dict()}
    facts["cell_options"] = {**facts["cell_options"], **options}
    change(
        tmp_path / "t.lm",
        f"UPDATE meta SET value = '{json.dumps(facts)}' WHERE key = 'architecture'",
    )
    with pytest.raises(ModelFileError, match="this lmkit does not know") as caught:
        lmkit.load(tmp_path / "t.lm")
    assert caught.value.hint == "pip install --upgrade lmkit"
    assert str(caught.value).count("Try:") == 1


@pytest.mark.parametrize("shape", [{"context": 1 << 17}, {"context": 1}, {"heads": 0}])
def test_what_no_file_could_keep(shape: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"at (most|least)"):
        Network(Architecture(9, "transformer", 8, 1, 8, cell_options=shape))


@pytest.mark.slow
def test_it_learns(text: Path, tmp_path: Path) -> None:
    """A text that only memory of some tokens ago foretells."""
    path = tmp_path / "copies.txt"
    rng = np.random.default_rng(1)
    words = [rng.integers(0, 9, 4) for _ in range(600)]
    lines = (" ".join(f"{a}" for a in (*word, *word)) for word in words)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    options = {"epochs": 10, "hidden": 32, "batch_size": 8, "learning_rate": 0.003}
    model = train(path, shape={"context": 16}, **options)
    # Four of nine tokens have nine equally likely values, which is 0.98 nats a token in all;
    # without memory it would be 1.95.
    assert 0.9 < model.facts["training"]["valid_loss"] < 1.3


def test_decay_leaves_vectors_alone() -> None:
    weights = np.ones(100)
    optimizer = AdamW(weight_decay=0.5)
    optimizer.start(weights)
    optimizer.spared = [slice(0, 5), slice(60, 70)]
    optimizer.begin()
    for low, high in ((0, 62), (62, 100)):
        optimizer.update(weights, np.zeros(100), 0.1, low, high)
    assert set(weights[:5]) | set(weights[60:70]) == {1.0}
    assert set(weights[5:60]) | set(weights[70:]) == {0.95}


@pytest.mark.parametrize(("rule", "deviation"), [("gpt2", 0.02), ("width", 1 / 8)])
def test_first_weights(rule: str, deviation: float) -> None:
    shape = {"heads": 4, "first_weights": rule}
    network = Network(Architecture(50, "transformer", 64, 3, 64, cell_options=shape))
    parameters = Parameters(network.shapes())
    network.initialise(parameters.views, np.ones(50), np.random.default_rng(0))
    for name, view in parameters.views.items():
        if name.endswith(("out", "down")):
            assert view.std() == pytest.approx(deviation / 6**0.5, rel=0.1)
        elif name.endswith(("qkv", "up")):
            assert view.std() == pytest.approx(deviation, rel=0.1)
    assert "output.w" not in parameters.views


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"hidden": 20, "cell_options": {"heads": 3}}, "3 heads do not divide", "--heads 2"),
        ({"cell_options": {"context": 5000}}, "a context of 5,000 tokens is longer", "--context"),
        ({"cell_options": {"positions": "x"}}, "no kind of positions 'x'", ", ".join(POSITIONS)),
        ({"cell_options": {"norm": "x"}}, "no norm 'x'", ", ".join(NORMS)),
        ({"cell_options": {"activation": "x"}}, "no activation 'x'", "swiglu"),
        ({"cell_options": {"peepholes": True}}, "no option peepholes", "heads"),
        ({"embedding": 8}, "as wide as its layers", "--embedding-size"),
        (
            {"bptt": 20, "cell_options": {"context": 16, "positions": "learnt"}},
            "learnt positions end after 16 tokens, and stretches have 20",
            "--bptt 16",
        ),
        (
            {"by_sentence": True, "cell_options": {"positions": "sinusoidal"}},
            "sinusoidal positions end after 64 tokens, and sentences do not",
            "--positions rotary",
        ),
        ({"residual": True}, "residual is for recurrent networks", "--backend lstm"),
    ],
)
def test_bad_input(text: Path, given: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        lmkit.train(text, backend="transformer", **{**SHAPE, **given})
    assert hint in str(caught.value.hint)


def test_a_model_to_begin_with_keeps_its_shape(text: Path) -> None:
    """Its context says how long stretches are, not that of a preset, which its places may not
    reach."""
    base, settings = train(text, "learnt"), TextSettings(tokenizer="whitespace")
    options = {"epochs": 1, "workers": 1, "settings": settings, "base": base}
    further = lmkit.train(text, backend="transformer", **options)
    assert further.facts["training"]["options"]["bptt"] == CONTEXT
    assert further.network.shapes() == base.network.shapes()
    for given, message in (
        ({"cell_options": {"context": 16}}, "begin with has context 8, and its shape stays"),
        ({"cell_options": {"norm": "layer"}}, "begin with has norm rms"),
        ({"bptt": 20}, "positions end after 8 tokens"),
    ):
        with pytest.raises(UsageError, match=message):
            lmkit.train(text, backend="transformer", **given, **options)


def test_options_fit_each_other() -> None:
    chosen = make_options("tiny", {"hidden": 12}, "word", 1000, body="transformer")
    assert chosen.cell_options == {"heads": 3, "context": 64} and chosen.bptt == 64
    assert (chosen.optimizer, chosen.weight_decay) == ("adamw", 0.1)
    chosen = make_options("tiny", {}, "word", 20, body="transformer")
    assert chosen.cell_options["context"] == 20
    chosen = make_options(
        "small", {"cell_options": {"context": 32}}, "word", 9999, body="transformer"
    )
    assert chosen.cell_options == {"heads": 4, "context": 32} and chosen.bptt == 32
