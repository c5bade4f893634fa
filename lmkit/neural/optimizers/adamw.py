"""AdamW: Loshchilov and Hutter 2019. Weight decay shrinks the weights by themselves,
``w = (1 - rate decay) w``, apart from Adam's step.
"""

from __future__ import annotations

from lmkit.neural.optimizers.adam import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay."""

    name = "adamw"
    decoupled = True
