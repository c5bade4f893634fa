"""What the layers share: the array type, and the two layouts of a sequence.

Every activation is feature-major. Between layers it is a matrix ``[features, N]`` with
``N = T * B`` columns, column ``t * B + b`` being step ``t`` of stream ``b``: one matrix product
serves a whole sequence. Inside a recurrence it is ``[T, features, B]``, so that each step is one
contiguous block.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError

Array = NDArray[Any]
Weights = dict[str, Array]
"""Named views of one flat vector, of weights or of gradients."""


class Room:
    """Memory for the arrays of one pass, used again by the next one: fresh memory costs a page
    fault every 4 KiB. What a pass leaves to be kept must be copied."""

    def __init__(self) -> None:
        self._kept: dict[str, Array] = {}

    def empty(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array that is other arrays' memory only if they have the same ``name``."""
        size = math.prod(shape)
        kept = self._kept.get(name)
        if kept is None or len(kept) < size or kept.dtype != dtype:
            kept = self._kept[name] = np.empty(size, dtype)
        return kept[:size].reshape(shape)


class Fresh(Room):
    """Always new memory, for arrays that outlive a pass."""

    def empty(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        return np.empty(shape, dtype)


def unwarned() -> np.errstate:
    """A context for computations in whose result one looks for what is no number: NumPy need not
    warn of each step on the way there."""
    return np.errstate(over="ignore", invalid="ignore")


def by_step(matrix: Array, steps: int, out: Array | None = None) -> Array:
    """``[features, T * B]`` as contiguous ``[T, features, B]``, in ``out`` where it is given."""
    turned = matrix.reshape(len(matrix), steps, -1).transpose(1, 0, 2)
    if out is None:
        return np.ascontiguousarray(turned)
    out[...] = turned
    return out


def by_feature(steps: Array, out: Array | None = None) -> Array:
    """``[T, features, B]`` as contiguous ``[features, T * B]``, in ``out`` where it is given."""
    if out is None:
        return np.ascontiguousarray(steps.transpose(1, 0, 2)).reshape(steps.shape[1], -1)
    out.reshape(steps.shape[1], len(steps), -1)[...] = steps.transpose(1, 0, 2)
    return out


def check_options(kind: str, name: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    """Raises `UsageError` where ``given`` has an option that the ``kind`` ``name`` has not."""
    if unknown := sorted(set(given) - set(known)):
        shown = ", ".join(key.replace("_", "-") for key in unknown)
        hint = f"one of {', '.join(key.replace('_', '-') for key in known)}" if known else None
        raise UsageError(f"the {kind} {name} has no option {shown}", hint or "leaving it out")
