"""What a layer is: one contract for word vectors, cells, norms, dropout and stacks of them.

    y, state, backward = layer.forward(weights, x, pass_, state)
    dx = backward(dy, gradients)

Activations are feature-major, ``[features, T * B]``: column ``t * B + b`` is step t of stream b. A
layer holds no weights; it reads them from named views, so that worker threads share them. What it
remembers of each stream is a state (`lmkit.neural.tree`), which goes in and comes out.

`tests/contract/test_layer_contract.py` holds every layer to this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array, Fresh, Room, Weights
from lmkit.neural.noise import SILENT, Noise
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State

Backward = Callable[[Array, Gradients], Array]
"""(gradient of the result, gradients of the weights to add to) -> gradient of the input."""

FRESH = Fresh()


class Pass(NamedTuple):
    """What holds for one pass through all layers.

    ``steps``: T, so that x has T * B columns. ``training``: whether a backward pass may follow.
    ``noise`` draws the masks of dropout; in use it is silent. ``room`` is memory to work in: what a
    pass returns may be there, and lasts until the next one. ``by_stream``: column ``b * T + t`` is
    step t of stream b, so that the steps of a stream lie side by side, as attention reads them
    (`lmkit.neural.layers.compose.ByStream`).
    """

    steps: int = 1
    training: bool = False
    noise: Noise = SILENT
    room: Room = FRESH
    by_stream: bool = False


USE = Pass()
"""For what is the same at every step of a network in use."""


class Layer(ABC):
    """A function of a sequence, with weights that it names."""

    @property
    def causal(self) -> bool:
        """Whether a step is a function of itself and those before it, so that a sequence may be
        read in pieces."""
        return True

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights that the layer needs, by full name."""
        return {}

    # Most layers that have no weights need not say so.
    def initialise(  # noqa: B027
        self, weights: Weights, generator: np.random.Generator
    ) -> None:
        """Set the first weights."""

    def prepare(self, weights: Weights, pass_: Pass) -> Weights:
        """Copies of weights in the form that passes want, under names of their own.

        In training they are made, in the pass's room, before each pass, and masks on weights are
        drawn then; for a model in use they are made once.
        """
        return {}

    def ready(self, weights: Weights, pass_: Pass) -> Weights:
        """``weights`` with what `prepare` makes of them: what `forward` reads."""
        return {**weights, **self.prepare(weights, pass_)}

    def start(self, streams: int, dtype: DTypeLike) -> State:
        """The state of ``streams`` that have read nothing."""
        return ()

    @abstractmethod
    def forward(
        self, weights: Weights, x: Array, pass_: Pass, state: State
    ) -> tuple[Array, State, Backward]:
        """The result for ``x`` [D, T * B], the state after the last step, and the backward pass.

        The state counts as given: no gradient flows into it (truncated backpropagation through
        time). ``x`` is left as it is.
        """
