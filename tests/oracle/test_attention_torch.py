"""Attention and the blocks of a Transformer against PyTorch's, over several steps of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lmkit.model import BOS
from lmkit.neural.layer import Layer, Pass
from lmkit.neural.layers.attention import BLOCK, SelfAttention, Sight, attend
from lmkit.neural.layers.compose import Residual, Serial
from lmkit.neural.layers.cross_attention import CrossAttention
from lmkit.neural.layers.feed_forward import FeedForward
from lmkit.neural.layers.normalisation import LayerNorm
from lmkit.neural.layers.rms_norm import RMSNorm
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.language import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.tree import State

torch: Any = pytest.importorskip("torch", reason="PyTorch is the other implementation")

D, H, W, T, B = 24, 4, 40, BLOCK + 9, 3
WITHIN = 1e-5


def columns(x: Any) -> np.ndarray:
    """[B, T, D] of PyTorch as [D, T * B]."""
    return np.ascontiguousarray(x.detach().numpy().transpose(2, 1, 0)).reshape(x.shape[2], -1)


class Both:
    """The same layer here and there, with PyTorch's weights; both learn by plain gradient steps."""

    def __init__(self, layer: Layer, module: Any, named: dict[str, str]) -> None:
        self.layer, self.module, self.named = layer, module.double(), named
        self.parameters = Parameters(layer.shapes(), np.float64)
        assert set(named) == set(self.parameters.views)
        with torch.no_grad():
            for tensor in module.parameters():
                tensor += 0.1 * torch.randn(tensor.shape, dtype=torch.float64)
        for name, view in self.parameters.views.items():
            view[...] = self.tensors[named[name]].detach().numpy()

    @property
    def tensors(self) -> dict[str, Any]:
        return dict(self.module.named_parameters())

    def compare(self, there: Callable[[Any], Any], steps: int = 3) -> None:
        """Results, gradients and weights of some steps of training."""
        for _ in range(steps):
            x, goal = (torch.randn(B, T, D, dtype=torch.float64) for _ in "xy")
            x.requires_grad_()
            y = there(x)
            loss = ((y - goal) ** 2).mean()
            self.module.zero_grad()
            loss.backward()
            state: State = self.layer.start(B, np.float64)
            found, _, backward = self.layer.forward(
                self.parameters.views, columns(x), Pass(T, True), state
            )
            gradients = self.parameters.gradients_of(self.parameters.empty_like())
            gradients.begin()
            dx = backward(2 * (found - columns(goal)) / found.size, gradients)
            np.testing.assert_allclose(found, columns(y), atol=WITHIN)
            np.testing.assert_allclose(dx, columns(x.grad), atol=WITHIN)
            with torch.no_grad():
                for name, view in self.parameters.views.items():
                    tensor = self.tensors[self.named[name]]
                    np.testing.assert_allclose(gradients[name], tensor.grad, atol=WITHIN)
                    tensor -= 0.5 * tensor.grad
                    view -= 0.5 * gradients[name]
        for name, view in self.parameters.views.items():
            np.testing.assert_allclose(view, self.tensors[self.named[name]].detach(), atol=WITHIN)


def hidden() -> Any:
    return torch.triu(torch.ones(T, T, dtype=torch.bool), 1)


@pytest.mark.parametrize("window", [None, 11])
@pytest.mark.parametrize("size", [1, 40])
def test_scaled_dot_product_attention(window: int | None, size: float) -> None:
    q, k, v = (torch.randn(B, H, T, 6, dtype=torch.float64) * size for _ in "qkv")
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    if window is not None:
        mask &= torch.ones(T, T, dtype=torch.bool).triu(1 - window)
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    here = [x.transpose(2, 3).contiguous().numpy() for x in (q, k, v)]
    y, _ = attend(*here, Sight(True, window=window))
    np.testing.assert_allclose(y, wanted.transpose(2, 3), atol=WITHIN)


def test_self_attention() -> None:
    module = torch.nn.MultiheadAttention(D, H, batch_first=True)
    names = {
        "a.qkv": "in_proj_weight",
        "a.qkv.b": "in_proj_bias",
        "a.out": "out_proj.weight",
        "a.out.b": "out_proj.bias",
    }
    both = Both(SelfAttention(D, H, T, "a.", bias=True), module, names)
    both.compare(lambda x: module(x, x, x, attn_mask=hidden(), need_weights=False)[0])


def test_cross_attention() -> None:
    module = torch.nn.MultiheadAttention(D, H, batch_first=True).double()
    made = CrossAttention(D, D, H, "", True)
    weight, bias = module.in_proj_weight.detach().numpy(), module.in_proj_bias.detach().numpy()
    weights = {
        "q": weight[:D],
        "kv": weight[D:],
        "q.b": bias[:D],
        "kv.b": bias[D:],
        "out": module.out_proj.weight.detach().numpy(),
        "out.b": module.out_proj.bias.detach().numpy(),
    }
    x, source = torch.randn(B, 5, D).double(), torch.randn(B, 7, D).double()
    lengths = np.array([7, 3, 1])
    absent = torch.arange(7) >= torch.from_numpy(lengths)[:, None]
    wanted, _ = module(x, source, source, key_padding_mask=absent)
    asked, read = (y.permute(2, 0, 1).reshape(D, -1).numpy() for y in (x, source))
    found, _ = made.forward(weights, asked, read, B, lengths)
    there = wanted.permute(2, 0, 1).reshape(D, -1).detach()
    np.testing.assert_allclose(found, there, atol=WITHIN)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("first", [True, False], ids=["pre-norm", "post-norm"])
def test_encoder_layer(first: bool, activation: str) -> None:
    functional = torch.nn.functional
    curves = {"relu": functional.relu, "gelu": lambda x: functional.gelu(x, approximate="tanh")}
    module = torch.nn.TransformerEncoderLayer(
        D, H, W, 0.0, curves[activation], batch_first=True, norm_first=first
    )
    names = {
        "a.qkv": "self_attn.in_proj_weight",
        "a.qkv.b": "self_attn.in_proj_bias",
        "a.out": "self_attn.out_proj.weight",
        "a.out.b": "self_attn.out_proj.bias",
        "f.up": "linear1.weight",
        "f.up.b": "linear1.bias",
        "f.down": "linear2.weight",
        "f.down.b": "linear2.bias",
        **{f"n{k}.gain": f"norm{k}.weight" for k in (1, 2)},
        **{f"n{k}.shift": f"norm{k}.bias" for k in (1, 2)},
    }
    halves = SelfAttention(D, H, T, "a.", bias=True), FeedForward(D, W, activation, "f.", True)
    norms = LayerNorm(D, "n1."), LayerNorm(D, "n2.")
    parts: list[Layer] = []
    for norm, half in zip(norms, halves, strict=True):
        parts += [Residual(Serial(norm, half))] if first else [Residual(half), norm]
    Both(Serial(*parts), module, names).compare(lambda x: module(x, src_mask=hidden()))


def test_rms_norm() -> None:
    module = torch.nn.RMSNorm(D, eps=1e-5)
    Both(RMSNorm(D, ""), module, {"gain": "weight"}).compare(module)


class GPT2(torch.nn.Module):  # type: ignore[misc]
    """Word and place vectors, pre-norm blocks, a last norm, and output vectors that are the word
    vectors."""

    def __init__(self, vocabulary: int, context: int, layers: int) -> None:
        super().__init__()
        nn = torch.nn
        self.words, self.places = nn.Embedding(vocabulary, D), nn.Embedding(context, D)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                *(D, H, 4 * D, 0.0, lambda x: nn.functional.gelu(x, approximate="tanh")),
                batch_first=True,
                norm_first=True,
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(D)

    def forward(self, ids: Any) -> Any:
        count = ids.shape[1]
        x = self.words(ids) + self.places(torch.arange(count))
        mask = torch.triu(torch.ones(count, count, dtype=torch.bool), 1)
        for block in self.blocks:
            x = block(x, src_mask=mask)
        return self.norm(x) @ self.words.weight.T


def test_gpt2_with_pytorchs_weights() -> None:
    """The same logits, in one pass and token by token with what was kept."""
    vocabulary, context, layers = 31, 48, 3
    twin = GPT2(vocabulary, context, layers).double()
    shape = {"heads": H, "context": context, "positions": "learnt", "norm": "layer"}
    options = {**shape, "activation": "gelu", "bias": True}
    network = Network(
        Architecture(vocabulary, "transformer", D, layers, D, True, cell_options=options)
    )
    there = {name: tensor.detach().numpy() for name, tensor in twin.named_parameters()}
    # Our word vectors are multiplied by sqrt(D) where they are read, so the last norm makes up.
    root = D**0.5
    views = {
        "embedding": there["words.weight"] / root,
        "positions": there["places.weight"],
        "norm.gain": there["norm.weight"] * root,
        "norm.shift": there["norm.bias"] * root,
        "output.b": np.zeros(vocabulary),
    }
    names = {
        "attention.qkv": "self_attn.in_proj_weight",
        "attention.qkv.b": "self_attn.in_proj_bias",
        "attention.out": "self_attn.out_proj.weight",
        "attention.out.b": "self_attn.out_proj.bias",
        "feed_forward.up": "linear1.weight",
        "feed_forward.up.b": "linear1.bias",
        "feed_forward.down": "linear2.weight",
        "feed_forward.down.b": "linear2.bias",
        "attention.norm.gain": "norm1.weight",
        "attention.norm.shift": "norm1.bias",
        "feed_forward.norm.gain": "norm2.weight",
        "feed_forward.norm.shift": "norm2.bias",
    }
    for k in range(layers):
        views |= {f"layer{k}.{mine}": there[f"blocks.{k}.{its}"] for mine, its in names.items()}
    assert set(views) == set(network.shapes())
    ids = np.random.default_rng(2).integers(0, vocabulary, (B, context))
    logits = twin(torch.from_numpy(ids)).detach().numpy()
    logits[..., BOS] = -np.inf
    wanted = torch.from_numpy(logits).log_softmax(2).numpy()

    def log_probs(steps: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        h, last, _ = network.forward(views, steps, state, Pass(len(steps)))
        found = network.softmax.log_probs(views, network.project(views, h))
        return found.reshape(len(steps), B, vocabulary).swapaxes(0, 1), last

    whole, _ = log_probs(ids.T, network.start(B, np.float64))
    np.testing.assert_allclose(whole, wanted, atol=WITHIN)
    state = network.start(B, np.float64)
    for t in range(context):
        found, state = log_probs(ids.T[t : t + 1], state)
        np.testing.assert_allclose(found[:, 0], wanted[:, t], atol=WITHIN)
