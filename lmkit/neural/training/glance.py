"""How much of the held-out text a training looks at, again and again.

A validation costs the softmax over the whole vocabulary, where training may only look at a sample
of it: with tens of thousands of words a whole held-out text would take longer than the training
between two looks at it. The figures of the finished model are measured on all of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOGITS = 1_000_000_000
"""Tokens times vocabulary of one look: some seconds."""
LEAST = 20_000
"""A loss over fewer tokens says too little: its standard error is near 0.02 nats."""
STRETCHES = 16


def glance(ids: NDArray[np.int32], vocabulary: int) -> NDArray[np.int32]:
    """``ids`` [N], or, where they are many, evenly spaced stretches of them behind each other."""
    limit = max(LOGITS // vocabulary, LEAST)
    if len(ids) <= limit:
        return ids
    length = limit // STRETCHES
    starts = np.linspace(0, len(ids) - length, STRETCHES).astype(np.int64)
    return np.concatenate([ids[start : start + length] for start in starts])
