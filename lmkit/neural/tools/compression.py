"""Smaller networks: int8 weights with a scale for each row, and magnitude pruning (Han et al.
2015). Both give a new model that scores with float32 arithmetic.
"""

from __future__ import annotations

import numpy as np

from lmkit.errors import UsageError
from lmkit.neural.arrays import Array
from lmkit.neural.parameters import Parameters
from lmkit.neural.use.model import NeuralModel

HIGHEST = 127
"""Largest int8 value that is used: the range is symmetric."""


def quantized(model: NeuralModel) -> NeuralModel:
    """``model`` with its matrices as int8: w = scale q, the scale of a row being its largest entry
    over 127. Vectors (biases, gains) stay as they are."""
    new = copied(model)
    for name, view in new.parameters.views.items():
        if view.ndim == 2:
            q, scales = to_int8(view)
            np.multiply(q, scales, out=view)
            new.int8[name] = (q, scales)
    new.facts["quantized"] = "int8"
    return new


def to_int8(matrix: Array) -> tuple[Array, Array]:
    """int8 values [R, C] and scales [R, 1] of a matrix."""
    highest = np.abs(matrix).max(axis=1, keepdims=True, initial=0)
    scales = np.where(highest > 0, highest / HIGHEST, 1).astype(matrix.dtype)
    return np.rint(matrix / scales).astype(np.int8), scales


def pruned(model: NeuralModel, sparsity: float) -> NeuralModel:
    """``model`` with the smallest ``sparsity`` of the entries of each matrix set to zero. What it
    had as int8 it has as float32 again.

    Raises `UsageError` where ``sparsity`` is no part of one.
    """
    if not 0 <= sparsity < 1:
        raise UsageError(f"sparsity must be at least 0 and below 1, not {sparsity}", "0.5")
    new = copied(model)
    for view in new.parameters.views.values():
        if view.ndim == 2:
            sizes = np.abs(view).reshape(-1)
            count = int(sparsity * len(sizes))
            if count:
                view.reshape(-1)[np.argpartition(sizes, count - 1)[:count]] = 0
    new.facts["pruned"] = sparsity
    new.facts["quantized"] = None
    return new


def copied(model: NeuralModel) -> NeuralModel:
    """A model with the same weights in memory of its own, all float32."""
    parameters = Parameters(model.network.shapes(), model.parameters.flat.dtype)
    parameters.flat[...] = model.parameters.flat
    new = NeuralModel(
        model.network,
        parameters,
        model.encoder,
        dict(model.facts),
        list(model.runs),
        list(model.log),
    )
    new.start_states = model.start_states
    return new
