"""Layers made of layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array, Weights
from lmkit.neural.layer import Backward, Layer, Pass
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State


class Serial(Layer):
    """One layer after the other; its state is the tuple of theirs. Without any it changes
    nothing."""

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    @property
    def causal(self) -> bool:
        return all(layer.causal for layer in self.layers)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: shape for layer in self.layers for name, shape in layer.shapes().items()}

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        for layer in self.layers:
            layer.initialise(weights, generator)

    def prepare(self, weights: Weights, pass_: Pass) -> Weights:
        made: Weights = {}
        for layer in self.layers:
            made |= layer.prepare(weights, pass_)
        return made

    def start(self, streams: int, dtype: DTypeLike) -> State:
        return tuple(layer.start(streams, dtype) for layer in self.layers)

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State
    ) -> tuple[Array, State, Backward]:
        after, backwards = [], []
        for layer, before in zip(self.layers, state, strict=True):
            x, last, back = layer.forward(weights, x, pass_, before)
            after.append(last)
            backwards.append(back)

        def backward(dy: Array, gradients: Gradients) -> Array:
            for back in reversed(backwards):
                dy = back(dy, gradients)
            return dy

        return x, tuple(after), backward


class Prenorm(Serial):
    """``layer``, reading what ``norm`` makes of its input. In the vector of all weights the layer's
    stand before the norm's, as in every checkpoint that there is."""

    def __init__(self, norm: Layer, layer: Layer) -> None:
        super().__init__(norm, layer)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        norm, layer = self.layers
        return {**layer.shapes(), **norm.shapes()}


class Around(Layer):
    """What goes around one ``layer``, whose weights and state it has."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    @property
    def causal(self) -> bool:
        return self.layer.causal

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.layer.shapes()

    def initialise(self, weights: Weights, generator: np.random.Generator) -> None:
        self.layer.initialise(weights, generator)

    def prepare(self, weights: Weights, pass_: Pass) -> Weights:
        return self.layer.prepare(weights, pass_)

    def start(self, streams: int, dtype: DTypeLike) -> State:
        return self.layer.start(streams, dtype)


class Residual(Around):
    """y = layer(x) + x, for a layer that keeps the width."""

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State
    ) -> tuple[Array, State, Backward]:
        y, after, back = self.layer.forward(weights, x, pass_, state)
        return y + x, after, lambda dy, gradients: back(dy, gradients) + dy


class ByStream(Around):
    """``layer`` in a pass whose columns stand stream by stream: they are turned once before it and
    once behind it, however deep it is."""

    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State
    ) -> tuple[Array, State, Backward]:
        if pass_.by_stream:
            return self.layer.forward(weights, x, pass_, state)
        steps = pass_.steps
        inside = pass_._replace(by_stream=True)
        y, after, back = self.layer.forward(weights, swapped(x, steps), inside, state)
        streams = y.shape[1] // steps

        def backward(dy: Array, gradients: Gradients) -> Array:
            return swapped(back(swapped(dy, steps), gradients), streams)

        return swapped(y, streams), after, backward


def swapped(x: Array, rows: int) -> Array:
    """Columns ``r * C + c`` of ``x`` [D, R * C] as columns ``c * R + r``, of so many ``rows`` R."""
    columns = x.shape[1] // rows
    if rows == 1 or columns == 1:
        return x
    return np.ascontiguousarray(x.reshape(len(x), rows, columns).swapaxes(1, 2)).reshape(x.shape)
