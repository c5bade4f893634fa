"""The loss on held-out text, by which training chooses its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lmkit.neural.training.batches import Streams
from lmkit.neural.use.scoring import Scorer

STREAMS = 64
"""Streams that are read side by side: the gates of a step stay in the cache."""
WINDOW = 16
"""Steps of one pass; it bounds the memory."""
WIDER = 32
"""The same where each looks back to others, which are read once for all of them."""
LONG = 256
"""Streams begin in the zero state and are not shorter, so that it hardly matters."""


def mean_loss(scorer: Scorer, ids: NDArray[np.int32]) -> float:
    """Mean loss in nats a token over ``ids`` [N], read as a few long streams side by side: what
    training looks at, not a score of the text."""
    network = scorer.network
    window = network.limit or (WINDOW if network.context is None else WIDER)
    streams = Streams(ids, max(1, min(STREAMS, len(ids) // LONG)), window)
    states, total, count = scorer.zero(streams.batch), 0.0, 0
    for position in range(0, streams.length, window):
        if network.limit is not None:
            states = scorer.zero(streams.batch)
        stretch = streams.stretch(0, position, min(window, streams.length - position))
        h, states = scorer.read(stretch.inputs, states)
        total -= float(scorer.log_prob(h, stretch.targets.reshape(-1)).sum())
        count += stretch.inputs.size
    return total / count
