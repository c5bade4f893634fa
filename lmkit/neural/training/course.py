"""Where a training stands, what it tells while it runs, and how it can end early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lmkit.errors import ExitCode, LmkitError
from lmkit.store.facts import boolean, integer, number, optional, real, record


class Diverged(LmkitError):
    """The loss has become infinite, or no number at all."""


class Interrupted(LmkitError):
    """Ctrl-C; what was done is in the checkpoint."""

    exit_code = ExitCode.INTERRUPTED


@dataclass(slots=True)
class Place:
    """Where a training stands: all that is not an array."""

    epoch: int = 0
    position: int = 0
    epoch_seed: int = 0
    updates: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    best_epoch: float | None = None
    bad: int = 0
    tokens_at_validation: int = 0
    validation_seconds: float = 0.0
    rows: int = 0
    ended: bool = False


PLACE = record(
    {
        **dict.fromkeys(("epoch", "position", "epoch_seed", "updates", "tokens"), integer()),
        **dict.fromkeys(("bad", "tokens_at_validation", "rows"), integer()),
        **dict.fromkeys(("seconds", "validation_seconds"), number(0)),
        **dict.fromkeys(("best_loss", "best_epoch"), optional(real)),
        "ended": boolean,
    }
)
"""What the file of a checkpoint says of it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a live line shows. ``loss`` is in nats a token; ``left`` in seconds."""

    progress: float
    epoch: float
    tokens_per_second: float
    loss: float
    gradient_norm: float
    learning_rate: float
    valid_loss: float | None
    left: float


Watch = Callable[[Report], None]
