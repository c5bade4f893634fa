"""Hand-derived gradients against finite differences, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from lmkit.model import BOS
from lmkit.neural import tree
from lmkit.neural.layer import Pass
from lmkit.neural.losses import base, unnormalised
from lmkit.neural.losses.targets import Targets
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.language import Network, Objective, Stretch
from lmkit.neural.noise import Dropout, Noise
from lmkit.neural.parameters import Parameters
from lmkit.registry import names

STEPS, BATCH = 5, 3
LOCKED = Dropout(0.3, 0.2, 0.2, 0.3, 0.3, True)
FRESH = Dropout(0.3, 0.2, 0.2, 0.3, 0.3, False)
PENALTIES = Objective(0.5, 0.7, 0.1)

ARCHITECTURES = {
    "tied": {},
    "projected": {"embedding": 5, "layer_norm": True},
    "separate": {"tied": False, "embedding": 5},
    "residual": {"residual": True, "layers": 3, "layer_norm": True},
    "many-words": {"vocabulary": 400, "layers": 1},
    "adaptive": {
        "vocabulary": 40,
        "softmax": "adaptive",
        "softmax_options": {"cutoffs": [9, 20]},
    },
}


class Check:
    """A small random network and a stretch of random text."""

    def __init__(self, cell: str, dropout: Dropout, objective: Objective, **shape: object) -> None:
        settings = {"vocabulary": 11, "hidden": 6, "layers": 2, "embedding": 6, **shape}
        self.network = Network(Architecture(cell=cell, **settings))  # type: ignore[arg-type]
        self.parameters = Parameters(self.network.shapes(), np.float64)
        self.dropout, self.objective = dropout, objective
        self.rng = rng = np.random.default_rng(1)
        vocabulary = self.network.architecture.vocabulary
        self.network.initialise(self.parameters.views, rng.integers(1, 9, vocabulary), rng)
        self.parameters.flat += 0.1 * rng.standard_normal(len(self.parameters.flat))
        ids = rng.integers(2, vocabulary, (STEPS + 1, BATCH))
        ids[2] = ids[1]  # repeated words: their gradients add up
        weights = np.ones((STEPS, BATCH))
        if not objective.activation:
            weights[3:, 1] = 0  # padding
        self.stretch = Stretch(ids[:-1], ids[1:], weights)
        self.states = tree.mapped(
            lambda leaf: 0.5 * rng.standard_normal(leaf.shape), self.network.start(BATCH, float)
        )
        self.scale = 1 / ids[1:].size

    def noise(self) -> Noise:
        return Noise(self.dropout, np.random.default_rng(5))

    def loss(self) -> float:
        views, noise = self.parameters.views, self.noise()
        pass_ = Pass(STEPS, True, noise)
        ready = self.network.ready(views, pass_)
        h, _, _ = self.network.forward(ready, self.stretch.inputs, self.states, pass_)
        assert self.stretch.weights is not None
        losses, _ = self.network.softmax.train(
            views,
            self.network.project(views, h),
            Targets(self.stretch.targets.reshape(-1), self.scale, self.objective.smoothing),
            self.parameters.gradients_of(self.parameters.empty_like()),
            np.random.default_rng(0),
        )
        penalty = self.network.penalty(h, STEPS, self.objective, self.scale)
        return float((losses * self.stretch.weights.reshape(-1)).sum() * self.scale + penalty)

    def gradients(self) -> dict[str, np.ndarray]:
        flat = self.parameters.empty_like()
        views = self.parameters.gradients_of(flat)
        for view in views.values():
            view[...] = np.nan  # whatever a layer forgets to write stays visible
        self.network.train(
            self.parameters.views,
            self.stretch,
            self.states,
            views,
            np.random.default_rng(0),
            self.noise(),
            self.objective,
            self.scale,
        )
        return views

    def compare(self) -> None:
        found = self.gradients()
        for name, view in self.parameters.views.items():
            weights, gradient = view.reshape(-1), found[name].reshape(-1)
            assert np.isfinite(gradient).all(), name
            for k in self.rng.choice(len(weights), min(6, len(weights)), replace=False):
                expected = self.difference(weights, k)
                assert gradient[k] == pytest.approx(expected, rel=1e-5, abs=1e-9), (name, k)

    def difference(self, weights: np.ndarray, k: int, step: float = 1e-5) -> float:
        before = weights[k]
        weights[k] = before + step
        above = self.loss()
        weights[k] = before - step
        below = self.loss()
        weights[k] = before
        return (above - below) / (2 * step)


@pytest.mark.parametrize("cell", names("cell"))
@pytest.mark.parametrize("shape", ARCHITECTURES)
def test_gradients_of_every_cell_and_shape(cell: str, shape: str) -> None:
    Check(cell, Dropout(), Objective(), **ARCHITECTURES[shape]).compare()


@pytest.mark.parametrize("cell", names("cell"))
@pytest.mark.parametrize("dropout", [FRESH, LOCKED], ids=["fresh", "locked"])
@pytest.mark.parametrize("shape", ["projected", "separate", "residual", "many-words"])
def test_gradients_under_every_regulariser(cell: str, dropout: Dropout, shape: str) -> None:
    Check(cell, dropout, PENALTIES, **ARCHITECTURES[shape]).compare()


@pytest.mark.parametrize("dropout", [Dropout(), LOCKED], ids=["plain", "locked"])
def test_gradients_of_peepholes(dropout: Dropout) -> None:
    Check("lstm", dropout, Objective(), cell_options={"peepholes": True}).compare()


def test_gradients_of_the_adaptive_softmax_under_dropout() -> None:
    Check("gru", LOCKED, Objective(0.5, 0.7), **ARCHITECTURES["adaptive"]).compare()


@pytest.mark.parametrize("softmax", ["sampled", "nce"])
@pytest.mark.parametrize("tied", [True, False])
def test_gradients_of_softmaxes_that_draw(softmax: str, tied: bool) -> None:
    Check("lstm", Dropout(), Objective(), vocabulary=50, softmax=softmax, tied=tied,
          softmax_options={"samples": 20}).compare()  # fmt: skip


def softmax_of(name: str, **options: object) -> tuple[Network, Parameters, np.ndarray]:
    shape = Architecture(30, hidden=8, embedding=8, tied=False, softmax=name,
                         softmax_options=dict(options))  # fmt: skip
    network = Network(shape)
    parameters = Parameters(network.shapes(), np.float64)
    rng = np.random.default_rng(2)
    network.initialise(parameters.views, rng.integers(1, 100, 30), rng)
    return network, parameters, rng.standard_normal((8, 17))


@pytest.mark.parametrize("name", names("softmax"))
@pytest.mark.parametrize("size", [1.0, 300.0, 3000.0], ids=["usual", "large", "overflowing"])
def test_every_softmax_sums_to_one(name: str, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network, parameters, h = softmax_of(name)
    h *= size
    views = parameters.views
    log_probs = network.softmax.log_probs(views, h)
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (log_probs[:, BOS] == -np.inf).all()
    targets = np.arange(17) + 3
    asked = network.softmax.log_prob(views, h, targets)
    assert asked == pytest.approx(log_probs[np.arange(17), targets], rel=1e-9)
    tokens = np.random.default_rng(1).integers(0, 30, (17, 4))
    tokens[:, 0] = BOS
    expected = np.take_along_axis(log_probs, tokens, axis=1)
    for whole in (1 << 23, 70):
        # All at once, or two or three columns at a time.
        monkeypatch.setattr(base, "WHOLE", whole)
        monkeypatch.setattr(unnormalised, "WHOLE", whole)
        some = network.softmax.log_probs_of(views, h, tokens)
        np.testing.assert_allclose(some, expected, rtol=1e-9, atol=1e-9)
    assert network.softmax.log_probs_of(views, h, tokens[:, :0]).shape == (17, 0)


def test_the_loss_is_right_where_exp_overflows() -> None:
    network, parameters, h = softmax_of("full")
    views = parameters.views
    gradients = parameters.gradients_of(parameters.empty_like())
    targets = np.arange(17) + 3
    losses, dh = network.softmax.train(
        views, 3000 * h, Targets(targets), gradients, np.random.default_rng(0)
    )
    expected = -network.softmax.log_probs(views, 3000 * h)[np.arange(17), targets]
    assert losses == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(dh).all()


def test_the_softmax_in_several_stretches_is_the_softmax_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, parameters, h = softmax_of("full")
    targets = np.arange(17) + 3
    results = []
    for whole in (1 << 23, 30 * 4):
        monkeypatch.setattr("lmkit.neural.losses.unnormalised.WHOLE", whole)
        flat = parameters.empty_like()
        losses, dh = network.softmax.train(
            parameters.views,
            h,
            Targets(targets, np.linspace(0, 1, 17), 0.1),
            parameters.gradients_of(flat),
            np.random.default_rng(0),
        )
        results.append(np.concatenate((losses, dh.reshape(-1), flat)))
    assert results[0] == pytest.approx(results[1], abs=1e-12)


def test_sampling_every_word_is_the_full_softmax() -> None:
    # With so many samples every token is among them, and log p(among them) is nearly 0.
    network, parameters, h = softmax_of("sampled", samples=100_000)
    targets = np.arange(17) + 3
    gradients = parameters.gradients_of(parameters.empty_like())
    losses, _ = network.softmax.train(
        parameters.views, h, Targets(targets), gradients, np.random.default_rng(0)
    )
    exact = -network.softmax.log_prob(parameters.views, h, targets)
    assert losses == pytest.approx(exact, abs=1e-6)


def test_dropout_keeps_the_mean() -> None:
    noise = Noise(Dropout(0.25), np.random.default_rng(0))
    mask = noise.activations(np.ones((500, 400), np.float32), 4)
    assert mask is not None
    assert set(np.unique(mask)) == {np.float32(0), np.float32(4 / 3)}
    assert mask.mean() == pytest.approx(1, abs=0.01)


def test_a_locked_mask_is_the_same_at_every_step() -> None:
    noise = Noise(Dropout(0.5, variational=True), np.random.default_rng(0))
    mask = noise.activations(np.ones((50, 4 * 7), np.float32), 4)
    assert mask is not None and mask.shape == (50, 1, 7)
