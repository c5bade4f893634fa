"""How the learning rate changes over the course of training.

A schedule turns progress, from 0 (begun) to 1 (done), into a factor for the rate, so that it fits
any number of epochs and any time. ``warmup`` is the part of the training over which the rate
rises linearly from (nearly) zero.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from lmkit.errors import UsageError
from lmkit.neural.arrays import check_options
from lmkit.store.facts import check, number, optional, real


class Schedule(ABC):
    """A course of the learning rate; ``options`` are its own."""

    name: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, warmup: float = 0.0, **options: Any) -> None:
        check_options("schedule", self.name, options, self.options)
        if not 0 <= warmup < 1:
            raise UsageError(
                f"warm-up is a part of the training, at least 0 and below 1, not {warmup}", "0.02"
            )
        self.warmup = warmup

    def factor(self, progress: float) -> float:
        """What the learning rate is multiplied by at ``progress``."""
        if progress < self.warmup:
            return max(progress / self.warmup, 1e-3)
        rest = (min(progress, 1.0) - self.warmup) / (1 - self.warmup)
        return self._shape(rest)

    @abstractmethod
    def _shape(self, progress: float) -> float:
        """The factor at ``progress`` of what comes after the warm-up."""

    def observe(self, valid_loss: float) -> None:  # noqa: B027
        """Hear the validation loss after an epoch."""

    @property
    def exhausted(self) -> bool:
        """Whether going on can no longer change much."""
        return False

    def state(self) -> dict[str, Any]:
        """What must be known to go on: JSON values."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Set what `state` gave. Raises `ValueError` or `KeyError` where it is not that."""
        for name in self.state():
            # What begins as a number stays one.
            rule = number() if isinstance(getattr(self, name), float) else optional(real)
            check(state[name], rule, f"schedule.{name}")
            setattr(self, name, state[name])


class Constant(Schedule):
    """The same rate throughout."""

    name = "constant"

    def _shape(self, progress: float) -> float:
        return 1.0


class Cosine(Schedule):
    """Half a cosine, from 1 to ``floor``: Loshchilov and Hutter 2017."""

    name = "cosine"
    options = ("floor",)

    def __init__(self, warmup: float = 0.0, *, floor: float = 0.02, **options: Any) -> None:
        super().__init__(warmup, **options)
        self.floor = floor

    def _shape(self, progress: float) -> float:
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * progress))


class OneCycle(Schedule):
    """Up over the first ``rise`` of the training, down to nearly zero over the rest:
    Smith and Topin 2018."""

    name = "one-cycle"
    options = ("rise", "first", "last")

    def __init__(
        self,
        warmup: float = 0.0,
        *,
        rise: float = 0.3,
        first: float = 0.04,
        last: float = 1e-4,
        **options: Any,
    ) -> None:
        super().__init__(warmup, **options)
        if not 0 < rise < 1:
            raise UsageError(f"rise must be between 0 and 1, not {rise}", "0.3")
        self.rise, self.first, self.last = rise, first, last

    def _shape(self, progress: float) -> float:
        if progress < self.rise:
            return _cosine_between(self.first, 1.0, progress / self.rise)
        return _cosine_between(1.0, self.last, (progress - self.rise) / (1 - self.rise))


class Plateau(Schedule):
    """Divided by ``decay`` after each epoch that has not improved the validation loss by
    ``improvement`` (relative): 1/decay on plateau, as for Zaremba et al. 2014."""

    name = "plateau"
    options = ("decay", "improvement", "smallest")

    def __init__(
        self,
        warmup: float = 0.0,
        *,
        decay: float = 4.0,
        improvement: float = 0.001,
        smallest: float = 1e-3,
        **options: Any,
    ) -> None:
        super().__init__(warmup, **options)
        if decay <= 1:
            raise UsageError(f"decay must be above 1, not {decay}", "4")
        self.decay, self.improvement, self.smallest = decay, improvement, smallest
        self.current = 1.0
        self.best: float | None = None

    def _shape(self, progress: float) -> float:
        return self.current

    def observe(self, valid_loss: float) -> None:
        if self.best is not None and valid_loss > self.best * (1 - self.improvement):
            self.current /= self.decay
        self.best = valid_loss if self.best is None else min(valid_loss, self.best)

    @property
    def exhausted(self) -> bool:
        return self.current < self.smallest

    def state(self) -> dict[str, Any]:
        return {"current": self.current, "best": self.best}


def _cosine_between(start: float, end: float, part: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * part))
