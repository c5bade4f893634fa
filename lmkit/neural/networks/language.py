"""The network: word vectors, a body of layers, softmax; one pass over a stretch of text.

It holds no weights. A pass reads them from named views and writes gradients into others, so that
worker threads share the weights and have gradients of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array, Room, Weights
from lmkit.neural.layer import FRESH, USE, Backward, Pass
from lmkit.neural.layers.compose import Serial
from lmkit.neural.layers.dropout import Drop
from lmkit.neural.layers.embedding import Embedding
from lmkit.neural.layers.linear import Linear
from lmkit.neural.losses.base import Softmax
from lmkit.neural.losses.targets import Targets
from lmkit.neural.networks.architecture import Architecture
from lmkit.neural.networks.bodies import make_body
from lmkit.neural.noise import SILENT, Noise
from lmkit.neural.parameters import Gradients
from lmkit.neural.tree import State, kept
from lmkit.registry import resolve

EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class Objective:
    """What is added to the loss, or done to it, in training.

    ``activation``: alpha of alpha * mean(m * h^2) over the dropped output h of the last layer;
    ``temporal``: beta of beta * mean((h_t - h_{t-1})^2) (Merity et al. 2018); ``smoothing``:
    label smoothing.
    """

    activation: float = 0.0
    temporal: float = 0.0
    smoothing: float = 0.0


@dataclass(slots=True)
class Stretch:
    """Some steps of ``B`` streams: ``inputs`` and ``targets`` [T, B].

    ``weights`` [T, B] says how much each target counts (0 for padding); None: 1 each.
    """

    inputs: Array
    targets: Array
    weights: Array | None = None

    @property
    def steps(self) -> int:
        return len(self.inputs)

    def columns(self, part: slice) -> Stretch:
        """Some of the streams."""
        weights = None if self.weights is None else self.weights[:, part]
        return Stretch(self.inputs[:, part], self.targets[:, part], weights)


class Network:
    """Layers of an `Architecture`: ``body`` from ids [N] to vectors [H, N], ``top``, which brings
    those to the width of the output vectors, and the softmax. ``cells``, ``context`` and ``limit``
    are those of the `Body`."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = a = architecture
        softmax = resolve("softmax", a.softmax)
        tied = a.tied and softmax.can_tie
        inner = make_body(a)
        self.cells = inner.cells
        self.context = inner.context
        self.limit = inner.limit
        scale = float(np.sqrt(a.embedding)) if tied else 1.0
        self.body = Serial(
            Embedding(EMBEDDING, a.vocabulary, a.embedding, scale), Drop(first=True), *inner.layers
        )
        self.top = Serial()
        if tied and a.hidden != a.embedding:
            self.top = Serial(Linear("projection", a.hidden, a.embedding))
        self._top_state = self.top.start(1, np.float32)
        self.softmax: Softmax = softmax(
            a.vocabulary,
            a.embedding if tied else a.hidden,
            EMBEDDING if tied else "output.w",
            **a.softmax_options,
        )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """All weights."""
        return self.body.shapes() | self.top.shapes() | self.softmax.shapes()

    def initialise(self, weights: Weights, counts: Array, generator: np.random.Generator) -> None:
        """Set the first weights; ``counts`` [V] are the unigram counts."""
        self.body.initialise(weights, generator)
        self.top.initialise(weights, generator)
        self.softmax.initialise(weights, counts, generator)

    def start(self, streams: int, dtype: DTypeLike) -> State:
        """The state of ``streams`` that have read nothing."""
        return self.body.start(streams, dtype)

    def ready(self, weights: Weights, pass_: Pass = USE) -> Weights:
        """``weights`` with the copies that passes read; see `Layer.ready`."""
        return self.top.ready(self.body.ready(weights, pass_), pass_)

    def forward(
        self, weights: Weights, inputs: Array, state: State, pass_: Pass
    ) -> tuple[Array, State, Backward]:
        """The vectors [H, N] of the last layer (dropped, but not yet as `project` gives them), for
        ``inputs`` [T, B], the state after them, and the backward pass."""
        ids = np.ascontiguousarray(inputs).reshape(-1)
        return self.body.forward(weights, ids, pass_, state)

    def project(self, weights: Weights, h: Array) -> Array:
        """The last layer's vectors [H, N] as the softmax reads them."""
        return self.top.forward(weights, h, USE, self._top_state)[0]

    def train(
        self,
        weights: Weights,
        stretch: Stretch,
        state: State,
        gradients: Gradients,
        generator: np.random.Generator,
        noise: Noise = SILENT,
        objective: Objective = Objective(),
        scale: float | None = None,
        soft: tuple[Array, float] | None = None,
        room: Room = FRESH,
    ) -> tuple[float, State]:
        """One pass forward and back: writes the gradients of ``scale`` times the summed loss
        (``scale`` None: of the mean). ``soft``: see `Targets`. ``room`` is memory to work in.

        Returns the summed cross-entropy in nats, without what `Objective` adds, and the state
        after the stretch.
        """
        pass_ = Pass(stretch.steps, True, noise, room)
        ids = np.ascontiguousarray(stretch.targets).reshape(-1)
        scale = 1 / len(ids) if scale is None else scale
        counted = None if stretch.weights is None else stretch.weights.reshape(-1)
        gradients.begin()
        ready = self.ready(weights, pass_)
        h, last, backward = self.forward(ready, stretch.inputs, state, pass_)
        read, _, top_backward = self.top.forward(ready, h, pass_, self._top_state)
        scales = scale if counted is None else counted * h.dtype.type(scale)
        targets = Targets(ids, scales, objective.smoothing, soft)
        losses, dh = self.softmax.train(weights, read, targets, gradients, generator)
        dh = top_backward(dh, gradients)
        self._regularise(h, dh, stretch.steps, objective, scale)
        backward(dh, gradients)
        gradients.settle()
        total = losses if counted is None else losses * counted
        return float(total.sum(dtype=np.float64)), kept(last)

    def _regularise(
        self, h: Array, dh: Array, steps: int, objective: Objective, scale: float
    ) -> None:
        """Add the gradients of the activation penalties to ``dh`` [H, N]: with a mean loss,
        ``scale`` is 1 / N, and the penalties are means over the entries of h."""
        if objective.activation:
            dh += (2 * objective.activation * scale / len(h)) * h
        if objective.temporal and steps > 1:
            factor = 2 * objective.temporal * scale / len(h)
            batch = h.shape[1] // steps
            change = factor * (h[:, batch:] - h[:, :-batch])
            dh[:, batch:] += change
            dh[:, :-batch] -= change

    def penalty(self, h: Array, steps: int, objective: Objective, scale: float) -> float:
        """What the activation penalties add to the loss; `train` adds their gradients."""
        batch = h.shape[1] // steps
        change = h[:, batch:] - h[:, :-batch]
        return float(
            scale
            / len(h)
            * (objective.activation * (h * h).sum() + objective.temporal * (change * change).sum())
        )
