"""Gradients of several workers, of which some matrices have few rows, add up to the whole one."""

from __future__ import annotations

import numpy as np
import pytest

from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.language import Network, Objective, Stretch
from lmkit.neural.noise import Dropout
from lmkit.neural.optimizers.adam import Adam
from lmkit.neural.parameters import Gradients, Parameters, summed
from lmkit.neural.training.stepper import Stepper, without
from lmkit.neural.tree import named
from lmkit.threads import Team, parts

VOCABULARY, STEPS, BATCH = 400, 5, 6


@pytest.mark.parametrize("softmax", ["full", "sampled", "nce", "adaptive"])
@pytest.mark.parametrize("tied", [True, False])
def test_gradients_of_workers_add_up_step_after_step(softmax: str, tied: bool) -> None:
    options = {"samples": 20} if softmax in ("sampled", "nce") else {}
    network = Network(
        Architecture(
            VOCABULARY, hidden=8, embedding=8, tied=tied, softmax=softmax, softmax_options=options
        )
    )
    parameters = Parameters(network.shapes(), np.float64)
    rng = np.random.default_rng(0)
    network.initialise(parameters.views, rng.integers(1, 9, VOCABULARY), rng)
    optimizer = Adam()
    optimizer.start(parameters.flat)
    seeds = np.random.SeedSequence(0).spawn(2)
    with Team(2) as team:
        stepper = Stepper(network, parameters, optimizer, team, seeds, dropout=Dropout(),
                          objective=Objective(), clip=0.1)  # fmt: skip
        twins = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        for _ in range(4):
            ids = rng.integers(2, VOCABULARY, (STEPS + 1, BATCH))
            stretch = Stretch(ids[:-1], ids[1:])
            states = [network.start(3, np.dtype(float)) for _ in range(2)]
            expected = np.zeros_like(parameters.flat)
            for k, part in enumerate(parts(BATCH, 2)):
                flat = np.full_like(parameters.flat, np.nan)
                views = parameters.gradients_of(flat)
                network.train(parameters.views, stretch.columns(part), states[k], views, twins[k],
                              scale=1 / ids[1:].size)  # fmt: skip
                for name in views:
                    expected[parameters.place(name)] += flat[parameters.place(name)]
            stepper.loss(stretch, states)
            norm = stepper.norm()
            assert stepper.gradient == pytest.approx(expected, abs=1e-12)
            assert norm == pytest.approx(np.linalg.norm(expected))
            before = parameters.flat.copy()
            stepper.update(0.01, norm)
            assert np.abs(parameters.flat - before).max() > 0
            # What is not clipped in place must stay fit to be blanked by rows.
            assert stepper.gradient == pytest.approx(expected, abs=1e-12)


def test_clipping_scales_what_the_optimizer_sees() -> None:
    rng = np.random.default_rng(0)
    weights, gradient = rng.standard_normal(50), rng.standard_normal(50)
    clipped, whole = weights.copy(), weights.copy()
    one, other = Adam(), Adam()
    one.start(clipped)
    other.start(whole)
    for optimizer in (one, other):
        optimizer.begin()
    one.update(clipped, gradient, 0.1, 0, 50, factor=0.25)
    other.update(whole, 0.25 * gradient, 0.1, 0, 50)
    assert clipped == pytest.approx(whole, abs=1e-15)


def blank_gradients() -> Gradients:
    return Gradients({"w": np.full((5, 2), np.nan), "b": np.full(5, np.nan)})


A, B = np.array([[1.0], [2], [0], [1], [3]]), np.array([[1.0, -1]])


def test_the_first_touch_of_a_step_writes_and_later_ones_add() -> None:
    gradients = blank_gradients()
    for _ in range(2):
        gradients.begin()
        gradients.product("w", A, B)
        gradients.add("b", np.arange(5))
        gradients.settle()
        assert np.array_equal(gradients["w"], A @ B)
    gradients.begin()
    gradients.product("w", A, B)
    gradients.product("w", 2 * A, B)
    gradients.product("w", A, B, np.array([[0.0, 1]]))
    gradients.add("w", np.ones((5, 2)))
    gradients.add_rows("w", np.array([0, 4]), np.full((2, 2), 10.0))
    gradients.settle()
    expected = 3 * A @ B + A @ B * [0, 1] + 1
    expected[[0, 4]] += 10
    assert np.array_equal(gradients["w"], expected)
    assert gradients["b"].tolist() == [0] * 5  # untouched in this step
    assert gradients.rows == {}


def test_a_product_that_is_added_in_pieces_is_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmkit.neural.parameters.PIECE", 1)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((50, 4)), rng.standard_normal((4, 3))
    gradients = Gradients({"w": np.empty((50, 3)), "v": np.empty(50)})
    for _ in range(2):
        gradients.product("w", a, b)
        gradients.product("v", a, b[:, 0])
    assert gradients["w"] == pytest.approx(2 * a @ b)
    assert gradients["v"] == pytest.approx(2 * a @ b[:, 0])


def test_only_rows_that_were_written_are_blanked() -> None:
    gradients = blank_gradients()
    gradients.begin()
    gradients.add_rows("w", np.array([1, 3]), np.full((2, 2), 7.0))
    gradients.add_rows("w", np.array([0, 3]), np.full((2, 2), 1.0))
    assert gradients.rows["w"].tolist() == [0, 1, 3]
    assert gradients["w"][:, 0].tolist() == [1, 7, 0, 8, 0]
    gradients["w"][4] = 9  # not told: stays
    gradients.begin()
    gradients.add_rows("w", np.array([2]), np.full((1, 2), 5.0))
    assert gradients["w"][:, 0].tolist() == [0, 0, 5, 0, 9]
    gradients.begin()
    gradients.settle()
    assert gradients["w"][:, 0].tolist() == [0, 0, 0, 0, 9]
    assert gradients.rows["w"].tolist() == []


def test_a_matrix_may_have_rows_in_one_step_and_be_whole_in_the_next() -> None:
    gradients = blank_gradients()
    for touch_rows_first in (True, False, True):
        gradients.begin()
        if touch_rows_first:
            gradients.add_rows("w", np.array([1]), np.full((1, 2), 7.0))
        gradients.add("w", np.ones((5, 2)))
        assert "w" not in gradients.rows
        gradients.begin()
        gradients.add_rows("w", np.array([2]), np.full((1, 2), 5.0))
        assert gradients["w"][:, 0].tolist() == [0, 0, 5, 0, 0]


def test_values_are_summed_by_id() -> None:
    ids, values = np.array([4, 1, 4, 1, 9]), np.array([[1.0], [2], [3], [4], [5]])
    rows, sums = summed(ids, values)
    assert rows.tolist() == [1, 4, 9]
    assert sums.tolist() == [[6], [4], [5]]


def test_a_stretch_without_its_holes() -> None:
    holes = [slice(2, 4), slice(8, 12)]
    assert without(slice(0, 10), holes) == [slice(0, 2), slice(4, 8)]
    assert without(slice(10, 20), holes) == [slice(12, 20)]
    assert without(slice(3, 4), holes) == []
    assert without(slice(0, 3), []) == [slice(0, 3)]


def test_the_vector_of_all_weights_has_the_order_that_checkpoints_were_written_in() -> None:
    shape = Architecture(9, "lstm", 4, 2, 3, True, True, True, cell_options={"peepholes": True})
    per_layer = ["w", "u", "b", "p", "norm.gain", "norm.shift"]
    assert list(Network(shape).shapes()) == [
        "embedding",
        *(f"layer{k}.{name}" for k in range(2) for name in per_layer),
        *("projection", "output.b"),
    ]
    shape = Architecture(9, "gru", 4, 1, 3, False, softmax="adaptive")
    assert list(Network(shape).shapes()) == [
        *("embedding", "layer0.w", "layer0.u", "layer0.b", "layer0.b_m"),
        *("head.w", "head.b", "tail0.p", "tail0.w", "tail0.b", "tail1.p", "tail1.w", "tail1.b"),
    ]


@pytest.mark.parametrize("residual", [True, False])
def test_states_have_the_names_that_files_have_them_by(residual: bool) -> None:
    shape = Architecture(9, "lstm", 4, 2, 3, residual=residual, layer_norm=residual)
    names = named(Network(shape).start(1, np.float32), "start")
    assert list(names) == ["start.0.0", "start.0.1", "start.1.0", "start.1.1"]
    assert [part.shape for part in names.values()] == [(4, 1)] * 4
