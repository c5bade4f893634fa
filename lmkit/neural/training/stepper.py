"""One update of the weights, by worker threads that share the streams of a batch.

Each has a gradient vector and random numbers of its own; the vectors are added up in a fixed
order, so that a seed and a number of workers determine every weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from lmkit.neural.arrays import Array, Room, unwarned
from lmkit.neural.networks.language import Network, Objective, Stretch
from lmkit.neural.noise import Dropout, Noise
from lmkit.neural.optimizers.base import Optimizer
from lmkit.neural.parameters import ALIGNMENT, Parameters
from lmkit.neural.training.distillation import Teacher
from lmkit.neural.tree import State
from lmkit.threads import Team, parts

T = TypeVar("T")


def without(here: slice, holes: Sequence[slice]) -> list[slice]:
    """``here`` without the ``holes``, which ascend."""
    pieces, low = [], here.start
    for hole in holes:
        pieces.append(slice(low, min(hole.start, here.stop)))
        low = max(low, hole.stop)
    pieces.append(slice(low, here.stop))
    return [piece for piece in pieces if piece.start < piece.stop]


class Stepper:
    """Makes one update after the other of ``parameters``.

    ``noise`` and ``objective`` are as in `Network.train`; ``clip`` bounds the gradient's norm
    (Pascanu et al. 2013); the loss is the mean over the tokens of a stretch.
    """

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        optimizer: Optimizer,
        team: Team,
        seeds: Sequence[np.random.SeedSequence],
        *,
        dropout: Dropout,
        objective: Objective,
        clip: float | None,
        teacher: Teacher | None = None,
    ) -> None:
        self.network = network
        self.parameters = parameters
        self.optimizer = optimizer
        self.team = team
        self.generators = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        self._dropout = dropout
        self._objective = objective
        self._clip = clip
        self.teacher = teacher
        self._flat = [parameters.empty_like() for _ in range(team.workers)]
        self._views = [parameters.gradients_of(flat) for flat in self._flat]
        self._rooms = [Room() for _ in range(team.workers)]
        self._ranges = parts(len(parameters.flat), team.workers, ALIGNMENT)

    def loss(self, stretch: Stretch, states: Sequence[State]) -> tuple[float, list[State]]:
        """Form the gradient of the mean loss over ``stretch``, each worker over its streams,
        whose ``states`` it has; the summed loss in nats and the states after."""
        shares = parts(stretch.inputs.shape[1], self.team.workers)
        count = stretch.inputs.size if stretch.weights is None else stretch.weights.sum()
        scale = 1 / float(count)

        def task(k: int, columns: slice) -> tuple[float, State]:
            mine = stretch.columns(columns)
            return self.network.train(
                self.parameters.views,
                mine,
                states[k],
                self._views[k],
                self.generators[k],
                Noise(self._dropout, self.generators[k]),
                self._objective,
                scale,
                None if self.teacher is None else self.teacher.targets(k, mine.inputs),
                self._rooms[k],
            )

        results = self._run(task, shares)
        self._used = len(shares)
        return sum(loss for loss, _ in results), [last for _, last in results]

    def _run(self, task: Callable[[int, slice], T], shares: Sequence[slice]) -> list[T]:
        """What ``task`` gives for the number and the share of each worker."""

        def quietly(k: int, share: slice) -> T:
            # A loss that is no number ends the training.
            with unwarned():
                return task(k, share)

        return self.team.run([partial(quietly, k, share) for k, share in enumerate(shares)])

    def norm(self) -> float:
        """Add up the workers' gradients, and return the norm of the sum."""
        used = self._views[: self._used]
        rows = {
            name: np.unique(np.concatenate([views.rows[name] for views in used]))
            for name in used[0].rows
            if all(name in views.rows for views in used)
        }
        holes = sorted((self.parameters.place(name) for name in rows), key=lambda s: int(s.start))

        def task(k: int, here: slice) -> float:
            square = 0.0
            for piece in without(here, holes):
                total = self._flat[0][piece]
                for other in self._flat[1 : self._used]:
                    total += other[piece]
                square += float(total @ total)
            return square + sum(self._add_rows(name, rows[name], k) for name in rows)

        squares = self._run(task, self._ranges)
        used[0].rows = rows
        return float(np.sqrt(sum(squares)))

    def _add_rows(self, name: str, rows: Array, worker: int) -> float:
        """Add up the workers' gradients of one worker's share of ``rows`` of the matrix ``name``;
        the squared norm of the sum."""
        shares = np.array_split(rows, len(self._ranges))
        mine = shares[worker]
        if not len(mine):
            return 0.0
        total = self._views[0][name]
        for views in self._views[1 : self._used]:
            its = views.rows[name]
            low, high = np.searchsorted(its, (mine[0], mine[-1] + 1))
            total[its[low:high]] += views[name][its[low:high]]
        found = total[mine].reshape(-1)
        return float(found @ found)

    def update(self, rate: float, norm: float) -> None:
        """One update at the learning rate ``rate``, the gradient clipped to norm ``clip``."""
        factor = 1.0 if self._clip is None or norm <= self._clip else self._clip / norm
        self.optimizer.begin()

        def task(_: int, here: slice) -> None:
            self.optimizer.update(
                *(self.parameters.flat, self._flat[0], rate, here.start, here.stop, factor)
            )

        self._run(task, self._ranges)

    @property
    def gradient(self) -> Array:
        """The summed gradient [P], after `norm`; not clipped."""
        return self._flat[0]
