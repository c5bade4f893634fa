"""Learning from a larger network: Hinton, Vinyals and Dean 2015, with temperature one."""

from __future__ import annotations

from typing import Any

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array
from lmkit.neural.tree import State, select, streams
from lmkit.neural.use.model import NeuralModel


class Teacher:
    """``model`` reading the text along with the student, each worker's streams by themselves;
    ``share`` is the part of each target that is the teacher's distribution."""

    def __init__(self, model: NeuralModel, share: float) -> None:
        self.scorer = model.scorer
        self.share = share
        self.states: list[State] = []

    @classmethod
    def for_vocabulary(cls, model: Any, tokens: list[str], share: float) -> Teacher:
        """Raises `UsageError` where ``model`` is no network over just these ``tokens``."""
        if not isinstance(model, NeuralModel):
            raise UsageError("only a neural model can be the teacher of another", "an lstm")
        if list(model.vocabulary.tokens) != tokens:
            raise UsageError(
                "the teacher has another vocabulary than this text gives",
                "the text and the options for tokens and vocabulary that it was trained with",
            )
        return cls(model, share)

    def begin(self, widths: list[int]) -> None:
        """Start streams anew: ``widths`` says how many each worker has."""
        self.states = [self.scorer.zero(width) for width in widths]

    def targets(self, worker: int, inputs: Array) -> tuple[Array, float]:
        """Its distribution [V, N] after each of a worker's ``inputs`` [T, B], and its share."""
        width = inputs.shape[1]
        softmax, limit = self.scorer.network.softmax, self.scorer.network.limit
        if limit is None:
            states = self.states[worker]
            if streams(states) != width:
                states = select(states, slice(width))
            h, self.states[worker] = self.scorer.read(inputs, states)
        else:
            # Its places end: it begins anew as often as it has to.
            pieces = [inputs[low : low + limit] for low in range(0, len(inputs), limit)]
            zero = self.scorer.zero(width)
            h = np.concatenate([self.scorer.read(piece, zero)[0] for piece in pieces], axis=1)
        return np.exp(softmax.log_probs(self.scorer.weights, h)).T, self.share
