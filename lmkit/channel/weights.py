"""How the parts of a correction's score are weighted against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

SOURCE, CHANNEL = 1.0, 0.8


@dataclass(frozen=True, slots=True)
class Weights:
    """``source`` and ``channel`` multiply log p(y) and log p(x|y) of the edits; ``keep`` is the
    probability that a word was typed as it was meant; ``caution`` is the price of any change, in
    nats: a word that was right and is not any more is worse than an error that stays;
    ``unknown`` is added to log p(<unk> | h) (None: so that the source expects as many new words as
    it had words seen once); ``name`` is the price of changing a capitalised word, which is mostly
    a name.

    The channel weighs less than its due as it has learnt from errors made alone, and is surer than
    it should be of others; the defaults did best on texts with errors of words it had not seen.
    """

    source: float = SOURCE
    channel: float = CHANNEL
    keep: float = 0.97
    unknown: float | None = None
    name: float = 14.0
    caution: float = 1.0

    @property
    def channel_alone(self) -> float:
        """The channel's weight for words without a context, beside priors: 1 by default, as these
        are less sure of themselves than a source that reads a sentence."""
        return self.channel / CHANNEL

    @property
    def log_change(self) -> float:
        """What any change of a word costs, before the edits: log-probability."""
        return math.log1p(-self.keep) - self.caution

    @classmethod
    def of(cls, stored: Mapping[str, float] | None, keep: float) -> Weights:
        """The weights that a model has ``stored`` by name, with its channel's ``keep``."""
        known = {field.name for field in fields(cls)}
        return cls(**{"keep": keep, **{k: v for k, v in (stored or {}).items() if k in known}})

    @classmethod
    def exact(cls, keep: float) -> Weights:
        """Those with which a score is the log-probability of source and channel, and nothing
        else."""
        return cls(source=1.0, channel=1.0, keep=keep, unknown=0.0, name=0.0, caution=0.0)
