"""Cells, losses and optimizers against PyTorch's own, over several steps of training."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lmkit.model import BOS
from lmkit.neural import tree
from lmkit.neural.layer import Pass
from lmkit.neural.losses.targets import Targets
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.language import Network, Objective, Stretch
from lmkit.neural.noise import Dropout, Noise
from lmkit.neural.parameters import Gradients, Parameters
from lmkit.registry import resolve

V, D, H, LAYERS, STEPS, BATCH = 23, 7, 9, 2, 6, 4

# In which order PyTorch has the blocks of rows: of the input matrix, of the recurrent one.
ORDERS = {"rnn": ([0], [0]), "lstm": ([1, 2, 3, 0], [1, 2, 3, 0]), "gru": ([1, 2, 0], [0, 1, 2])}


def blocks(array: np.ndarray, order: list[int]) -> np.ndarray:
    return np.concatenate([array[k * H : (k + 1) * H] for k in order])


class Twin:
    """The same network here and in PyTorch."""

    def __init__(self, torch: ModuleType, cell: str) -> None:
        self.torch, self.cell = torch, cell
        self.network = Network(Architecture(V, cell, H, LAYERS, D, tied=False))
        self.parameters = Parameters(self.network.shapes(), np.float64)
        rng = np.random.default_rng(3)
        self.network.initialise(self.parameters.views, rng.integers(1, 50, V), rng)
        self.parameters.flat += 0.1 * rng.standard_normal(len(self.parameters.flat))
        kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
        self.embedding = torch.nn.Embedding(V, D).double()
        self.recurrent = kind(D, H, LAYERS).double()
        self.output = torch.nn.Linear(H, V).double()
        self.modules = torch.nn.ModuleList([self.embedding, self.recurrent, self.output])
        with torch.no_grad():
            for name, value in self.translated(self.parameters.views).items():
                dict(self.modules.named_parameters())[name].copy_(torch.from_numpy(value))
        self.ids = rng.integers(2, V, (5, STEPS + 1, BATCH))

    def translated(self, views: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Weights (or gradients) from here under the names that they have there."""
        found = {
            "0.weight": views["embedding"],
            "2.weight": views["output.w"],
            "2.bias": views["output.b"],
        }
        first, second = ORDERS[self.cell]
        for k in range(LAYERS):
            found[f"1.weight_ih_l{k}"] = blocks(views[f"layer{k}.w"], first)
            found[f"1.weight_hh_l{k}"] = blocks(views[f"layer{k}.u"], second)
            found[f"1.bias_ih_l{k}"] = blocks(views[f"layer{k}.b"], first)
            hidden = np.zeros(len(first) * H)
            if self.cell == "gru":
                hidden[2 * H :] = views[f"layer{k}.b_m"]
            found[f"1.bias_hh_l{k}"] = hidden
        return found

    def loss(self, ids: np.ndarray, state: Any) -> tuple[Any, Any]:
        torch = self.torch
        x = self.embedding(torch.from_numpy(ids[:-1]))
        y, last = self.recurrent(x, state)
        logits = self.output(y).reshape(-1, V)
        banned = torch.zeros(V, dtype=torch.float64)
        banned[BOS] = -torch.inf
        targets = torch.from_numpy(ids[1:].reshape(-1))
        return torch.nn.functional.cross_entropy(logits + banned, targets), last

    def torch_gradients(self) -> dict[str, np.ndarray]:
        found = {}
        for name, parameter in self.modules.named_parameters():
            gradient = parameter.grad
            if "bias_hh" in name:
                # There the second bias is redundant but for the new gate of the GRU: held still.
                gradient[: 2 * H if self.cell == "gru" else None] = 0
            found[name] = gradient.numpy().copy()
        return found


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_five_steps_of_training_with_carried_state(torch: ModuleType, cell: str) -> None:
    twin = Twin(torch, cell)
    optimizer = resolve("optimizer", "adam")()
    optimizer.start(twin.parameters.flat)
    other = torch.optim.Adam(twin.modules.parameters(), 0.01)
    states = twin.network.start(BATCH, np.float64)
    other_state = None
    for ids in twin.ids:
        flat = twin.parameters.empty_like()
        views = twin.parameters.gradients_of(flat)
        total, states = twin.network.train(
            twin.parameters.views,
            Stretch(ids[:-1], ids[1:]),
            states,
            views,
            np.random.default_rng(0),
            Noise(Dropout(), np.random.default_rng(0)),
            Objective(),
        )
        other.zero_grad()
        loss, last = twin.loss(ids, other_state)
        loss.backward()
        other_state = tuple(s.detach() for s in last) if cell == "lstm" else last.detach()
        assert total / ids[1:].size == pytest.approx(loss.item(), abs=1e-5)
        theirs = twin.torch_gradients()
        for name, mine in twin.translated(views).items():
            np.testing.assert_allclose(mine, theirs[name], atol=1e-5, err_msg=name)
        outputs = other_state[0] if cell == "lstm" else other_state
        top = list(tree.leaves(states))[-2 if cell == "lstm" else -1]
        np.testing.assert_allclose(top, outputs[-1].numpy().T, atol=1e-5)
        optimizer.step(twin.parameters.flat, flat, 0.01)
        other.step()
    parameters = dict(twin.modules.named_parameters())
    for name, mine in twin.translated(twin.parameters.views).items():
        theirs_now = parameters[name].detach().numpy()
        np.testing.assert_allclose(mine, theirs_now, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "name, options, other, their_options",
    [
        ("sgd", {}, "SGD", {}),
        ("sgd", {"momentum": 0.9}, "SGD", {"momentum": 0.9}),
        ("adam", {"beta2": 0.99}, "Adam", {"betas": (0.9, 0.99)}),
        ("adamw", {}, "AdamW", {}),
        ("adagrad", {}, "Adagrad", {}),
    ],
)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_optimizers_step_as_theirs(
    torch: ModuleType,
    name: str,
    options: dict[str, Any],
    other: str,
    their_options: dict[str, Any],
    decay: float,
) -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(70_000)
    theirs = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    mine = resolve("optimizer", name)(weight_decay=decay, **options)
    mine.start(weights)
    twin = getattr(torch.optim, other)([theirs], lr=0.02, weight_decay=decay, **their_options)
    for _ in range(6):
        gradient = rng.standard_normal(len(weights))
        theirs.grad = torch.from_numpy(gradient.copy())
        twin.step()
        mine.step(weights, gradient, 0.02)
    np.testing.assert_allclose(weights, theirs.detach().numpy(), atol=1e-9)


def test_the_adaptive_softmax_is_theirs(torch: ModuleType) -> None:
    cutoffs = [6, 13]
    softmax = resolve("softmax", "adaptive")(V + 1, H, cutoffs=cutoffs, factor=2)
    parameters = Parameters(softmax.shapes(), np.float64)
    rng = np.random.default_rng(4)
    softmax.initialise(parameters.views, rng.integers(1, 9, V + 1), rng)
    for k in range(2):
        parameters.views[f"tail{k}.b"][...] = 0  # theirs has none
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(
        H, V, cutoffs, div_value=2, head_bias=True
    ).double()
    with torch.no_grad():
        theirs.head.weight.copy_(torch.from_numpy(parameters.views["head.w"]))
        theirs.head.bias.copy_(torch.from_numpy(parameters.views["head.b"]))
        for k in range(2):
            theirs.tail[k][0].weight.copy_(torch.from_numpy(parameters.views[f"tail{k}.p"]))
            theirs.tail[k][1].weight.copy_(torch.from_numpy(parameters.views[f"tail{k}.w"]))
    h = rng.standard_normal((H, 40))
    ranks = rng.integers(0, V, 40)
    tokens = np.where(ranks >= BOS, ranks + 1, ranks)  # <s> is no outcome here
    gradients = parameters.gradients_of(parameters.empty_like())
    losses, dh = softmax.train(
        parameters.views, h, Targets(tokens, 1 / 40), gradients, np.random.default_rng(0)
    )
    x = torch.from_numpy(h.T.copy()).requires_grad_()
    output, loss = theirs(x, torch.from_numpy(ranks))
    loss.backward()
    np.testing.assert_allclose(-losses, output.detach().numpy(), atol=1e-9)
    np.testing.assert_allclose(dh.T, x.grad.numpy(), atol=1e-9)
    np.testing.assert_allclose(gradients["head.w"], theirs.head.weight.grad.numpy(), atol=1e-9)
    for k in range(2):
        np.testing.assert_allclose(
            gradients[f"tail{k}.w"], theirs.tail[k][1].weight.grad.numpy(), atol=1e-9
        )


def test_label_smoothing_and_layer_norm_are_theirs(torch: ModuleType) -> None:
    rng = np.random.default_rng(5)
    softmax = resolve("softmax", "full")(V, H)
    parameters = Parameters(softmax.shapes(), np.float64)
    softmax.initialise(parameters.views, rng.integers(1, 9, V), rng)
    h = rng.standard_normal((H, 40))
    targets = rng.integers(2, V, 40)
    gradients = parameters.gradients_of(parameters.empty_like())
    losses, dh = softmax.train(
        parameters.views, h, Targets(targets, 1 / 40, 0.2), gradients, np.random.default_rng(0)
    )
    x = torch.from_numpy(h.T.copy()).requires_grad_()
    keep = [k for k in range(V) if k != BOS]
    w = torch.from_numpy(parameters.views["output.w"][keep])
    b = torch.from_numpy(parameters.views["output.b"][keep])
    loss = torch.nn.functional.cross_entropy(
        x @ w.T + b, torch.from_numpy(targets - 1), label_smoothing=0.2
    )
    loss.backward()
    assert losses.mean() == pytest.approx(loss.item(), abs=1e-9)
    np.testing.assert_allclose(dh.T, x.grad.numpy(), atol=1e-9)

    from lmkit.neural.layers.normalisation import LayerNorm

    norm = LayerNorm(H, "n.")
    weights = {"n.gain": rng.standard_normal(H), "n.shift": rng.standard_normal(H)}
    y, _, backward = norm.forward(weights, h, Pass())
    dy = rng.standard_normal((H, 40))
    dx = backward(dy, Gradients({name: np.empty(H) for name in weights}))
    z = torch.from_numpy(h.T.copy()).requires_grad_()
    theirs = torch.nn.functional.layer_norm(
        z, (H,), torch.from_numpy(weights["n.gain"]), torch.from_numpy(weights["n.shift"])
    )
    theirs.backward(torch.from_numpy(dy.T.copy()))
    np.testing.assert_allclose(y.T, theirs.detach().numpy(), atol=1e-9)
    np.testing.assert_allclose(dx.T, z.grad.numpy(), atol=1e-9)
