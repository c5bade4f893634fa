"""What an output layer is to predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from lmkit.neural.arrays import Array


@dataclass(frozen=True, slots=True)
class Targets:
    """The tokens ``ids`` [N], and how each of them counts.

    ``scales``, one or [N], multiplies the losses in what is minimised. ``smoothing`` is the part of
    each target that is spread over all tokens (Szegedy et al. 2016). ``soft`` is a distribution
    [V, N] and the part of each target that it stands for (Hinton et al. 2015).
    """

    ids: Array
    scales: Array | float = 1.0
    smoothing: float = 0.0
    soft: tuple[Array, float] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def hard(self) -> bool:
        """Whether each target is one token and nothing else."""
        return not self.smoothing and self.soft is None

    def scales_as(self, dtype: DTypeLike) -> Array:
        """The scale of each target, [N]."""
        return np.broadcast_to(np.asarray(self.scales, dtype), self.ids.shape)
