"""Smaller networks, and looking into them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lmkit
from lmkit.errors import ModelFileError, UsageError
from lmkit.neural import tree
from lmkit.neural.losses.targets import Targets
from lmkit.neural.parameters import Gradients
from lmkit.neural.tools.compression import pruned, quantized, to_int8
from lmkit.neural.tools.inspection import gates, neighbours
from lmkit.neural.use.model import NeuralModel

from ..fuzz.sealing import change


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    lines = ["the cat sat on the mat", "the dog sat on the rug", "a cat ran", "a dog ran"]
    path.write_text("".join(f"{line}\n" for line in lines * 60), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(text: Path) -> NeuralModel:
    return train(text, "lstm")


def train(text: Path, cell: str, **options: object) -> NeuralModel:
    quick = {"hidden": 24, "batch_size": 8, "bptt": 12, "epochs": 20, "workers": 1, "dropout": 0.0}
    model = lmkit.train(text, backend=cell, **{**quick, **options})
    assert isinstance(model, NeuralModel)
    return model


def test_int8_of_a_row() -> None:
    # The largest entry, 2.54, becomes 127, so the scale is 0.02, and 0.05 / 0.02 = 2.5 -> 2.
    q, scales = to_int8(np.array([[2.54, -1.0, 0.05], [0, 0, 0]], np.float32))
    assert scales[:, 0] == pytest.approx([0.02, 1])
    assert q.tolist() == [[127, -50, 2], [0, 0, 0]]


def test_a_quantized_model_is_small_and_nearly_the_same(
    model: NeuralModel, text: Path, tmp_path: Path
) -> None:
    small = quantized(model)
    lines = text.read_text(encoding="utf-8")
    assert small.perplexity(lines).perplexity == pytest.approx(
        model.perplexity(lines).perplexity, rel=0.03
    )
    small.save(tmp_path / "q.lm")
    loaded = lmkit.load(tmp_path / "q.lm")
    assert (loaded.score("the cat sat")[0] == small.score("the cat sat")[0]).all()
    assert loaded.describe()["parameters"]["quantized"] == "int8"
    stored = sum(array.nbytes for array in small.stored_tensors().values())
    assert stored < 0.4 * sum(array.nbytes for array in model.stored_tensors().values())


def test_a_pruned_model_is_sparse(model: NeuralModel, tmp_path: Path) -> None:
    sparse = pruned(model, 0.5)
    matrices = [view for view in sparse.parameters.views.values() if view.ndim == 2]
    for view in matrices:
        assert (view == 0).mean() == pytest.approx(0.5, abs=0.02)
    before = model.parameters.views["layer0.u"]
    after = sparse.parameters.views["layer0.u"]
    assert np.abs(before[after == 0]).max() <= np.abs(after[after != 0]).min()
    sparse.save(tmp_path / "p.lm")
    loaded = lmkit.load(tmp_path / "p.lm")
    assert isinstance(loaded, NeuralModel)
    assert (loaded.parameters.flat == sparse.parameters.flat).all()
    stored = sum(array.nbytes for array in sparse.stored_tensors().values())
    assert stored < 0.65 * sum(array.nbytes for array in model.stored_tensors().values())
    both = quantized(sparse)
    both.save(tmp_path / "pq.lm")
    loaded = lmkit.load(tmp_path / "pq.lm")
    assert isinstance(loaded, NeuralModel)
    assert (loaded.parameters.flat == both.parameters.flat).all()
    alone = sum(array.nbytes for array in quantized(model).stored_tensors().values())
    assert sum(array.nbytes for array in both.stored_tensors().values()) < 0.85 * alone
    with pytest.raises(UsageError, match="sparsity"):
        pruned(model, 1.0)


def test_a_student_learns_from_its_teacher(model: NeuralModel, text: Path, tmp_path: Path) -> None:
    student = train(text, "gru", hidden=8, teacher=model, distillation=1.0, epochs=30)
    # It has seen no target but the teacher's distributions.
    lines = text.read_text(encoding="utf-8")
    assert student.perplexity(lines).perplexity < 4
    with pytest.raises(UsageError, match="only a neural model"):
        train(text, "gru", teacher=lmkit.train(text, order=2))
    other = tmp_path / "other.txt"
    other.write_text("other words\n" * 30, encoding="utf-8")
    with pytest.raises(UsageError, match="another vocabulary"):
        train(other, "gru", teacher=model)
    with pytest.raises(UsageError, match="nor a teacher"):
        train(text, "gru", teacher=model, softmax="adaptive")


def test_the_teachers_gradient_is_that_of_its_cross_entropy() -> None:
    from lmkit.neural.losses.unnormalised import Unnormalised

    rng = np.random.default_rng(0)
    w, b, h = rng.standard_normal((7, 5)), rng.standard_normal(7), rng.standard_normal((5, 4))
    targets = np.array([0, 3, 3, 6])
    soft = rng.dirichlet(np.ones(7), 4).T

    def loss(h: np.ndarray) -> float:
        log_probs = Unnormalised().log_probs(w, b, h)
        hard = log_probs[np.arange(4), targets]
        return -float((0.7 * hard + 0.3 * (soft.T * log_probs).sum(axis=1)).sum())

    gradients = Gradients({"w": np.empty_like(w), "b": np.empty_like(b)})
    mixed = Targets(targets, soft=(soft, 0.3))
    _, dh = Unnormalised().train(w, b, h, mixed, gradients, ("w", "b"))
    for place in np.ndindex(h.shape):
        change = np.zeros_like(h)
        change[place] = 1e-6
        expected = (loss(h + change) - loss(h - change)) / 2e-6
        assert dh[place] == pytest.approx(expected, abs=1e-6)


def test_words_used_alike_are_neighbours(model: NeuralModel) -> None:
    found = neighbours(model, "cat", 20)
    assert found == sorted(found, key=lambda pair: -pair[1])
    assert all(-1.001 <= cosine <= 1.001 for _, cosine in found)
    assert "cat" not in [word for word, _ in found]
    with pytest.raises(UsageError, match="does not know 'cow'"):
        neighbours(model, "cow")


@pytest.mark.parametrize("cell, count", [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_gates_are_what_the_equations_say(text: Path, cell: str, count: int) -> None:
    model = train(text, cell, layers=2, epochs=1)
    tokens, found = gates(model, "the cat")
    assert tokens == ["</s>", "the", "cat"]
    assert len(found) == 2 * count
    first = {gate.name: gate.values for gate in found if gate.layer == 0}
    assert all(values.shape == (3, 24) for values in first.values())
    for name in model.network.cells[0].half:
        assert (first[name] >= 0).all() and (first[name] <= 1).all()
    if cell == "lstm":
        # By hand, from zero states: i = sigma(w_i x + b_i) for the first token.
        views = model.parameters.views
        x = views["embedding"][2] * np.sqrt(24)
        z = (
            views["layer0.w"] @ x
            + views["layer0.b"]
            + views["layer0.u"] @ next(tree.leaves(model.before_start))[:, 0]
        )
        assert first["i"][0] == pytest.approx(1 / (1 + np.exp(-z[24:48])), abs=1e-5)
        assert first["g"][0] == pytest.approx(np.tanh(z[72:]), abs=1e-5)


def test_scales_of_another_shape_are_damage(model: NeuralModel, tmp_path: Path) -> None:
    path = tmp_path / "q.lm"
    quantized(model).save(path)
    change(path, "UPDATE tensors SET shape = '[1, 96]' WHERE name = 'layer0.u.scales'")
    with pytest.raises(ModelFileError, match=r"scales of the weights 'layer0.u'"):
        lmkit.load(path)
