"""What every layer of a network promises (`lmkit.neural.layer`), in float64.

A new layer is a line in `LAYERS`; a new cell is there by itself.
"""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import lmkit.neural
from lmkit.neural import tree
from lmkit.neural.arrays import Array, Room, Weights
from lmkit.neural.cells.base import Cell
from lmkit.neural.layer import Layer, Pass
from lmkit.neural.layers.attention import SelfAttention
from lmkit.neural.layers.compose import Around, ByStream, Prenorm, Residual, Serial
from lmkit.neural.layers.dropout import Drop
from lmkit.neural.layers.embedding import Embedding
from lmkit.neural.layers.feed_forward import ACTIVATIONS, FeedForward
from lmkit.neural.layers.linear import Linear
from lmkit.neural.layers.normalisation import LayerNorm
from lmkit.neural.layers.positions import ALiBi, Buckets, Learnt, Relative, Rotary, Sinusoidal
from lmkit.neural.layers.recurrent import Recurrent, turned
from lmkit.neural.layers.rms_norm import RMSNorm
from lmkit.neural.noise import Dropout, Noise
from lmkit.neural.parameters import Gradients, Parameters
from lmkit.neural.tree import State
from lmkit.registry import names, resolve

D, T, B = 5, 4, 3
W = 8
"""The width of layers with heads."""
WORDS, MANY_WORDS = 9, 400


def cell(name: str, hidden: int = 6, prefix: str = "c.", **options: bool) -> Cell:
    made: Cell = resolve("cell", name)(D, hidden, prefix, **options)
    return made


def heads(positions: type[Relative], window: int = 9, bias: bool = False) -> SelfAttention:
    return SelfAttention(W, 2, window, "a.", positions, bias)


LAYERS: dict[str, Callable[[], Layer]] = {
    "embedding": lambda: Embedding("e", WORDS, D, 2.0),
    "embedding of many words": lambda: Embedding("e", MANY_WORDS, D),
    "dropout": Drop,
    "dropout of inputs": lambda: Drop(first=True),
    "layer norm": lambda: LayerNorm(D, "n."),
    "rms norm": lambda: RMSNorm(D, "n."),
    "projection": lambda: Linear("p", D, 7),
    "projection with a bias": lambda: Linear("p", D, 7, True, 0.02),
    **{
        f"feed-forward {name}": lambda name=name: FeedForward(D, 6, name, "f.", name == "gelu")
        for name in ACTIVATIONS
    },
    "sinusoidal": lambda: Sinusoidal(D),
    "learnt positions": lambda: Learnt(D, 12, "l"),
    **{
        f"attention, {kind.__name__}": lambda kind=kind: heads(kind)
        for kind in (Relative, Rotary, ALiBi, Buckets)
    },
    "attention in a narrow window": lambda: heads(Rotary, 3, True),
    "attention to itself alone": lambda: heads(Relative, 1),
    "transformer": lambda: ByStream(
        Serial(
            Learnt(W, 12, "l"),
            Drop(),
            Residual(Serial(RMSNorm(W, "n."), heads(Buckets, 4), Drop())),
            Residual(Serial(LayerNorm(W, "m."), FeedForward(W, 6, "gelu", "f."), Drop())),
        )
    ),
    **{name: lambda name=name: Recurrent(cell(name)) for name in names("cell")},
    "lstm with peepholes": lambda: Recurrent(cell("lstm", peepholes=True)),
    "from the last step": lambda: Recurrent(cell("gru"), reverse=True),
    "nothing": Serial,
    "one after the other": lambda: Serial(
        Drop(first=True),
        Residual(Prenorm(LayerNorm(D, "n."), Recurrent(cell("lstm", D)))),
        Drop(),
        Serial(Recurrent(cell("gru", 6, "d.")), Linear("p", 6, 4)),
    ),
    "from words": lambda: Serial(Embedding("e", WORDS, D), Recurrent(cell("rnn"))),
    "weights used twice": lambda: Serial(Linear("p", D, D), Residual(Linear("p", D, D))),
}

USE = Pass(T)
NOISES = {
    "plain": Dropout(),
    "fresh masks": Dropout(0.3, 0.2, 0.2, 0.3, 0.3),
    "locked masks": Dropout(0.3, 0.2, 0.2, 0.3, 0.3, variational=True),
}


def parts(layer: Layer) -> Iterator[Layer]:
    """All that a layer is made of, in its order, and then itself."""
    inner = layer.layers if isinstance(layer, Serial) else ()
    for part in (layer.layer,) if isinstance(layer, Around) else inner:
        yield from parts(part)
    yield layer


class Case:
    """A layer with random weights, inputs and a state that is not its first one."""

    def __init__(self, name: str, dtype: type = np.float64) -> None:
        self.layer = LAYERS[name]()
        self.rng = rng = np.random.default_rng(3)
        self.parameters = Parameters(self.layer.shapes(), dtype)
        self.layer.initialise(self.parameters.views, rng)
        self.parameters.flat += (0.2 * rng.standard_normal(len(self.parameters.flat))).astype(dtype)
        first = next(parts(self.layer))
        self.words = first.vocabulary if isinstance(first, Embedding) else 0
        self.width = W if any(isinstance(part, SelfAttention) for part in parts(self.layer)) else D
        self.x = self.inputs(T, B).astype(int if self.words else dtype)
        before = self.inputs(3, B).astype(self.x.dtype)
        self.state = self.run(before, self.layer.start(B, dtype), Pass(3))[1]

    def inputs(self, steps: int, streams: int) -> Array:
        """Some, of which two steps are alike, so that gradients of words add up."""
        shape = (steps * streams,) if self.words else (self.width, steps * streams)
        x = self.rng.standard_normal(shape)
        if self.words:
            x = self.rng.integers(0, self.words, shape)
        x[..., streams : 2 * streams] = x[..., :streams]
        return x

    @property
    def weights(self) -> Weights:
        return self.parameters.views

    def run(
        self, x: Array | None = None, state: State | None = None, pass_: Pass = USE
    ) -> tuple[Array, State]:
        """A pass forward; the result in memory of its own."""
        x = self.x if x is None else x
        state = self.state if state is None else state
        y, last, _ = self.layer.forward(self.layer.ready(self.weights, pass_), x, pass_, state)
        return y.copy(), tree.kept(last)

    def gradients(self, pass_: Pass, dy: Array) -> tuple[Array, Gradients]:
        """Those of the input and of the weights, for the gradient ``dy`` of the result."""
        ready = self.layer.ready(self.weights, pass_)
        _, _, backward = self.layer.forward(ready, self.x, pass_, self.state)
        gradients = self.parameters.gradients_of(np.full_like(self.parameters.flat, np.nan))
        gradients.begin()
        dx = backward(dy.copy(), gradients).copy()
        return dx, gradients


@pytest.fixture(params=LAYERS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def columns(x: Array, streams: list[int]) -> Array:
    """Some of the B streams of ``x`` [..., T * B]."""
    return x.reshape(*x.shape[:-1], -1, B)[..., streams].reshape(*x.shape[:-1], -1)


def alike(some: State, others: State, within: float = 1e-12) -> bool:
    pairs = zip(tree.leaves(some), tree.leaves(others), strict=True)
    return all(a.shape == b.shape and np.abs(a - b).max(initial=0) <= within for a, b in pairs)


def differences(values: Array, loss: Callable[[], float], places: Iterator[int]) -> Iterator:
    """(place, slope of the loss there), by finite differences."""
    flat, step = values.reshape(-1), 1e-5
    for place in places:
        before = flat[place]
        flat[place] = before + step
        above = loss()
        flat[place] = before - step
        below = loss()
        flat[place] = before
        yield place, (above - below) / (2 * step)


def test_every_layer_of_the_package_is_here() -> None:
    for module in pkgutil.walk_packages(lmkit.neural.__path__, "lmkit.neural."):
        importlib.import_module(module.name)

    def kinds(of: type) -> Iterator[type]:
        for kind in of.__subclasses__():
            yield from kinds(kind)
            if not inspect.isabstract(kind) and kind.__module__.startswith("lmkit."):
                yield kind

    here = {type(part) for make in LAYERS.values() for part in parts(make())}
    assert set(kinds(Layer)) <= here


@pytest.mark.parametrize("noise", NOISES)
def test_gradients_are_those_of_finite_differences(case: Case, noise: str) -> None:
    def pass_() -> Pass:
        return Pass(T, True, Noise(NOISES[noise], np.random.default_rng(5)))

    y, _ = case.run(pass_=pass_())
    dy = case.rng.standard_normal(y.shape)
    dx, gradients = case.gradients(pass_(), dy)

    def loss() -> float:
        return float((case.run(pass_=pass_())[0] * dy).sum())

    places = {name: case.rng.permutation(view.size)[:8] for name, view in case.weights.items()}
    for name, view in case.weights.items():
        assert np.isfinite(gradients[name]).all(), f"{name} was not written"
        for place, slope in differences(view, loss, iter(places[name])):
            assert gradients[name].reshape(-1)[place] == pytest.approx(slope, rel=1e-5, abs=1e-8)
    if case.words:
        assert dx.size == 0
        return
    assert dx.shape == case.x.shape
    for place, slope in differences(case.x, loss, iter(case.rng.permutation(case.x.size)[:12])):
        assert dx.reshape(-1)[place] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_gradients_of_two_passes_of_a_step_add_up(case: Case) -> None:
    pass_ = Pass(T, True)
    dy = case.rng.standard_normal(case.run()[0].shape)
    _, once = case.gradients(pass_, dy)
    ready = case.layer.ready(case.weights, pass_)
    twice = case.parameters.gradients_of(case.parameters.empty_like())
    twice.begin()
    for factor in (1, 3):
        _, _, backward = case.layer.forward(ready, case.x, pass_, case.state)
        backward(factor * dy, twice)
    for name in case.weights:
        np.testing.assert_allclose(twice[name], 4 * once[name], atol=1e-10, err_msg=name)


def test_shapes(case: Case) -> None:
    y, last = case.run()
    assert y.shape[1] == T * B
    first = case.layer.start(B, np.float64)
    assert list(tree.named(last, "s")) == list(tree.named(first, "s"))
    for one, other in zip(tree.leaves(last), tree.leaves(first), strict=True):
        assert one.shape[-1] == other.shape[-1] == B and one.dtype == other.dtype
    assert not set(case.layer.prepare(case.weights, Pass(T, True))) & set(case.weights)
    # One stream, one step: what generating is.
    y, last = case.run(case.inputs(2, 1)[..., :1], case.layer.start(1, np.float64), Pass(1))
    assert y.shape[1] == 1 and tree.streams(last) in (0, 1)


def test_step_by_step_is_the_whole(case: Case) -> None:
    if not case.layer.causal:
        pytest.skip("reads what comes later")
    whole, end = case.run()
    state, pieces = case.state, []
    for steps in (slice(0, 1), slice(1, 3), slice(3, 4)):
        here = case.x.reshape(*case.x.shape[:-1], T, B)[..., steps, :]
        count = here.shape[-2]
        y, state = case.run(here.reshape(*case.x.shape[:-1], -1), state, Pass(count))
        pieces.append(y)
    assert np.abs(np.concatenate(pieces, axis=1) - whole).max() < 1e-12
    assert alike(state, end)


def test_a_reverse_layer_reads_the_last_step_first() -> None:
    case = Case("from the last step")
    forward = Recurrent(cell("gru"))
    pass_ = Pass(T)
    ready = forward.ready(case.weights, pass_)
    y, last, _ = forward.forward(ready, turned(case.x, T), pass_, case.state)
    found, end = case.run()
    assert np.array_equal(found, turned(y, T))
    assert alike(end, last, 0)
    assert np.array_equal(turned(case.x, T)[:, :B], case.x[:, -B:])


def test_streams_know_nothing_of_each_other(case: Case) -> None:
    together, last = case.run()
    for stream in range(B):
        one = tree.select(case.state, np.array([stream]))
        alone, end = case.run(columns(case.x, [stream]), one)
        assert np.abs(alone - columns(together, [stream])).max() < 1e-12
        assert alike(end, tree.select(last, np.array([stream])))


def test_selected_streams_go_on_as_they_would_have(case: Case) -> None:
    chosen = [2, 0, 2]
    y, last = case.run()
    state = tree.select(case.state, np.array(chosen))
    found, end = case.run(columns(case.x, chosen), state)
    assert np.abs(found - columns(y, chosen)).max() < 1e-12
    assert alike(end, tree.select(last, np.array(chosen)))


def test_states_of_before_stay_as_they_were(case: Case) -> None:
    """Two texts may go on from one state, whatever was read from it in between."""
    if not case.layer.causal:
        pytest.skip("reads what comes later")
    steps = case.x.reshape(*case.x.shape[:-1], T, B)
    one, two, three = (steps[..., k, :] for k in range(3))
    first = case.run(one, pass_=Pass(1))[1]
    found = [case.run(two, first, Pass(1)), case.run(three, first, Pass(1))]
    case.run(case.x, found[0][1])
    again = [case.run(two, first, Pass(1)), case.run(three, first, Pass(1))]
    for (y, last), (expected, state) in zip(again, found, strict=True):
        assert np.array_equal(y, expected) and alike(last, state, 0)


def test_a_state_comes_back_from_its_arrays_and_from_a_pickle(case: Case) -> None:
    y, last = case.run()
    tensors = tree.named(case.state, "s")
    for state in (
        tree.restored(case.layer.start(B, np.float64), "s", tensors),
        pickle.loads(pickle.dumps(case.state)),
    ):
        assert alike(state, case.state, 0)
        found, end = case.run(state=state)
        assert np.abs(found - y).max() < 1e-12 and alike(end, last)


def test_in_use_it_is_silent(case: Case) -> None:
    """No masks: the same each time, and the same as in a training without dropout."""
    first, again = case.run()[0], case.run()[0]
    assert np.array_equal(first, again)
    quiet = Pass(T, True, Noise(Dropout(), np.random.default_rng(0)))
    assert np.abs(case.run(pass_=quiet)[0] - first).max() < 1e-12


def test_memory_that_is_used_again_changes_nothing(case: Case) -> None:
    expected = case.run()
    pass_ = Pass(T, room=Room())
    dy = case.rng.standard_normal(expected[0].shape)
    wanted = case.gradients(Pass(T, True), dy)
    for _ in range(2):
        y, last = case.run(pass_=pass_)
        assert np.array_equal(y, expected[0]) and alike(last, expected[1], 0)
        dx, gradients = case.gradients(pass_._replace(training=True), dy)
        assert np.array_equal(dx, wanted[0])
        assert all(np.array_equal(gradients[name], wanted[1][name]) for name in case.weights)


def test_what_goes_in_is_left_as_it_is(case: Case) -> None:
    x, state, weights = case.x.copy(), tree.kept(case.state), case.parameters.flat.copy()
    noise = Noise(NOISES["fresh masks"], np.random.default_rng(1))
    y, _ = case.run()
    case.gradients(Pass(T, True, noise, Room()), np.ones_like(y))
    assert np.array_equal(case.x, x) and alike(case.state, state, 0)
    assert np.array_equal(case.parameters.flat, weights)


def test_first_weights_are_drawn_from_the_generator_alone(case: Case) -> None:
    drawn = []
    for filled in (np.nan, 0.0):
        parameters = Parameters(case.layer.shapes())
        parameters.flat[...] = filled
        case.layer.initialise(parameters.views, np.random.default_rng(1))
        drawn.append(parameters.views)
    for name, view in drawn[0].items():
        assert np.isfinite(view).all(), name
        assert np.array_equal(view, drawn[1][name])


@pytest.mark.parametrize("name", LAYERS)
def test_float32_stays_float32(name: str) -> None:
    case = Case(name, np.float32)
    noise = Noise(NOISES["fresh masks"], np.random.default_rng(1))
    y, last = case.run(pass_=Pass(T, True, noise))
    dx, _ = case.gradients(Pass(T, True, noise), np.ones_like(y))
    real = [leaf.dtype for leaf in tree.leaves(last) if leaf.dtype.kind != "i"]
    assert {y.dtype, dx.dtype, *real} == {np.dtype("float32")}
