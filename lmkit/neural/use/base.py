"""What all need who read text with a network in use: it, its weights, and where a text begins."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from lmkit.model import EOS, LanguageModel
from lmkit.neural.networks.language import Network
from lmkit.neural.parameters import Parameters
from lmkit.neural.tree import State
from lmkit.neural.use.scoring import Scorer
from lmkit.neural.use.state import NeuralState


class NetworkModel(LanguageModel):
    """The part of `lmkit.neural.use.model.NeuralModel` that running text and the fitting of caches
    are written against, as the model itself offers both."""

    network: Network
    parameters: Parameters
    start_states: State
    """The state of one stream before ``</s>`` is read at the start; () if it is zero."""
    workers: int

    @cached_property
    def scorer(self) -> Scorer:
        """The network, ready to be asked."""
        return Scorer(self.network, self.parameters.views)

    @cached_property
    def _start(self) -> NeuralState:
        h, layers = self.scorer.read(np.array([[EOS]]), self.before_start)
        return NeuralState(layers, h)

    @property
    def before_start(self) -> State:
        """The states of one stream that is about to read the ``</s>`` before a text."""
        return self.start_states or self.scorer.zero(1)

    def start(self, batch_size: int) -> NeuralState:
        return self._start.select(np.zeros(batch_size, np.int64))
