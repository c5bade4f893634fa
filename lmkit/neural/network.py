"""The network: word vectors, recurrent layers, softmax; one pass over a stretch of text.

It holds no weights. A pass reads them from named views and writes gradients into others, so that
worker threads share the weights and have gradients of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.architecture import Architecture
from lmkit.neural.arrays import Array, Room, Weights
from lmkit.neural.cells.base import Cell
from lmkit.neural.dropout import Drop, unchanged
from lmkit.neural.embedding import Embedding
from lmkit.neural.layer import FRESH, Backward, Pass
from lmkit.neural.noise import SILENT, Noise
from lmkit.neural.normalisation import LayerNorm
from lmkit.neural.parameters import Gradients
from lmkit.neural.projection import Projection
from lmkit.neural.softmax.base import Softmax
from lmkit.neural.tree import State, kept
from lmkit.registry import resolve

EMBEDDING = "embedding"

USE = Pass()
"""For what is the same at every step of a network in use."""


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
    """Layers of an `Architecture`."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = a = architecture
        softmax = resolve("softmax", a.softmax)
        tied = a.tied and softmax.can_tie
        scale = float(np.sqrt(a.embedding)) if tied else 1.0
        self.embedding = Embedding(EMBEDDING, a.vocabulary, a.embedding, scale)
        cell = resolve("cell", a.cell)
        widths = [a.embedding, *[a.hidden] * a.layers]
        self.cells: list[Cell] = [
            cell(widths[k], widths[k + 1], f"layer{k}.", **a.cell_options) for k in range(a.layers)
        ]
        self.norms = [
            LayerNorm(cell.inputs, f"{cell.prefix}norm.") if a.layer_norm else None
            for cell in self.cells
        ]
        self.drops = [Drop(first=k == 0) for k in range(a.layers + 1)]
        projected = tied and a.hidden != a.embedding
        self.projection = Projection("projection", a.hidden, a.embedding) if projected else None
        self.softmax: Softmax = softmax(
            a.vocabulary,
            a.embedding if tied else a.hidden,
            EMBEDDING if tied else "output.w",
            **a.softmax_options,
        )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """All weights."""
        shapes = self.embedding.shapes()
        for cell, norm in zip(self.cells, self.norms, strict=True):
            shapes |= cell.shapes()
            if norm is not None:
                shapes |= norm.shapes()
        if self.projection is not None:
            shapes |= self.projection.shapes()
        return shapes | self.softmax.shapes()

    def initialise(self, weights: Weights, counts: Array, generator: np.random.Generator) -> None:
        """Set the first weights; ``counts`` [V] are the unigram counts."""
        self.embedding.initialise(weights, generator)
        for cell, norm in zip(self.cells, self.norms, strict=True):
            cell.initialise(weights, generator)
            if norm is not None:
                norm.initialise(weights, generator)
        if self.projection is not None:
            self.projection.initialise(weights, generator)
        self.softmax.initialise(weights, counts, generator)

    def start(self, streams: int, dtype: DTypeLike) -> State:
        """The states of streams that have read nothing."""
        return tuple(cell.start(streams, dtype) for cell in self.cells)

    def ready(self, weights: Weights, pass_: Pass = USE) -> Weights:
        """``weights`` with the copies that passes read; see `Layer.ready`."""
        for cell in self.cells:
            weights = cell.ready(weights, pass_)
        return weights

    def forward(
        self, weights: Weights, inputs: Array, states: State, pass_: Pass
    ) -> tuple[Array, State, Backward]:
        """The vectors [H, N] that the softmax reads, for ``inputs`` [T, B] (dropped, but not
        yet projected), the states after them, and the backward pass."""
        ids = np.ascontiguousarray(inputs).reshape(-1)
        x, _, embed_backward = self.embedding.forward(weights, ids, pass_)
        x, _, drop_backward = self.drops[0].forward(weights, x, pass_)
        backwards, last = [], []
        for k, cell in enumerate(self.cells):
            entering, norm, read = x, self.norms[k], x
            norm_backward: Backward = unchanged
            if norm is not None:
                read, _, norm_backward = norm.forward(weights, x, pass_)
            x, state, backward = cell.forward(weights, read, pass_, states[k])
            last.append(state)
            if self.is_residual(k):
                x = x + entering
            x, _, after = self.drops[k + 1].forward(weights, x, pass_)
            backwards.append((norm_backward, backward, after))

        def backward_all(dx: Array, gradients: Gradients) -> Array:
            for k in range(len(self.cells) - 1, -1, -1):
                norm_backward, backward, after = backwards[k]
                dx = after(dx, gradients)
                through = norm_backward(backward(dx, gradients), gradients)
                dx = through + dx if self.is_residual(k) else through
            return embed_backward(drop_backward(dx, gradients), gradients)

        return x, tuple(last), backward_all

    def is_residual(self, layer: int) -> bool:
        """Whether what enters ``layer`` is added to what leaves it."""
        cell = self.cells[layer]
        return self.architecture.residual and cell.inputs == cell.hidden

    def project(self, weights: Weights, h: Array) -> Array:
        """The last layer's vectors [H, N] as the softmax reads them."""
        return h if self.projection is None else self.projection.forward(weights, h, USE)[0]

    def train(
        self,
        weights: Weights,
        stretch: Stretch,
        states: State,
        gradients: Gradients,
        generator: np.random.Generator,
        noise: Noise = SILENT,
        objective: Objective = Objective(),
        scale: float | None = None,
        soft: tuple[Array, float] | None = None,
        room: Room = FRESH,
    ) -> tuple[float, State]:
        """One pass forward and back: writes the gradients of ``scale`` times the summed loss
        (``scale`` None: of the mean). ``soft``: see `Softmax.train`. ``room`` is memory to work in.

        Returns the summed cross-entropy in nats, without what `Objective` adds, and the states
        after the stretch.
        """
        gradients.begin()
        pass_ = Pass(stretch.steps, True, noise, room)
        ready = self.ready(weights, pass_)
        h, last, backward = self.forward(ready, stretch.inputs, states, pass_)
        targets = np.ascontiguousarray(stretch.targets).reshape(-1)
        scale = 1 / len(targets) if scale is None else scale
        counted = None if stretch.weights is None else stretch.weights.reshape(-1)
        scales = scale if counted is None else counted * h.dtype.type(scale)
        top, project_backward = h, None
        if self.projection is not None:
            top, _, project_backward = self.projection.forward(weights, h, pass_)
        losses, dh = self.softmax.train(
            weights, top, targets, scales, gradients, generator, objective.smoothing, soft
        )
        if project_backward is not None:
            dh = project_backward(dh, gradients)
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
