"""What the layers share: the array type, and the two layouts of a sequence.

Every activation is feature-major. Between layers it is a matrix ``[features, N]`` with
``N = T * B`` columns, column ``t * B + b`` being step ``t`` of stream ``b``: one matrix product
serves a whole sequence. Inside a recurrence it is ``[T, features, B]``, so that each step is one
contiguous block. Layers take the array module ``xp`` as a parameter; NumPy is the default.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmkit.errors import UsageError

Array = NDArray[Any]
Weights = dict[str, Array]
"""Named views of one flat vector, of weights or of gradients."""


def by_step(matrix: Array, steps: int, xp: ModuleType = np) -> Array:
    """``[features, T * B]`` as contiguous ``[T, features, B]``."""
    return xp.ascontiguousarray(matrix.reshape(len(matrix), steps, -1).transpose(1, 0, 2))


def by_feature(steps: Array, xp: ModuleType = np) -> Array:
    """``[T, features, B]`` as contiguous ``[features, T * B]``."""
    return xp.ascontiguousarray(steps.transpose(1, 0, 2)).reshape(steps.shape[1], -1)


def check_options(kind: str, name: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    """Raises `UsageError` where ``given`` has an option that the ``kind`` ``name`` has not."""
    if unknown := sorted(set(given) - set(known)):
        shown = ", ".join(key.replace("_", "-") for key in unknown)
        hint = f"one of {', '.join(key.replace('_', '-') for key in known)}" if known else None
        raise UsageError(f"the {kind} {name} has no option {shown}", hint or "leaving it out")
