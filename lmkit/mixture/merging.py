"""Which mixtures can become one n-gram model, and of what."""

from __future__ import annotations

from typing import Any

from lmkit.errors import UnsupportedError
from lmkit.mixture.model import MixtureModel
from lmkit.model import LanguageModel


def parts_to_merge(model: LanguageModel) -> tuple[list[Any], list[float], list[Any]]:
    """The models of the mixture ``model``, their weights, and the ids of its tokens in each of
    them (None: the same).

    Raises `UnsupportedError` where it is no mixture of n-gram models with fixed weights.
    """
    if not isinstance(model, MixtureModel):
        raise UnsupportedError(
            f"this is a model of the backend {model.backend!r}: there is nothing to merge",
            "a mixture that lmkit mix made",
        )
    blend = model.blend
    if not blend.static:
        reason = "it has a cache" if blend.cache is not None else f"this one is {blend.kind}"
        raise UnsupportedError(
            f"only a mixture with fixed weights can become one n-gram model, and {reason}",
            "lmkit mix --kind linear, without --cache",
        )
    for member in model.members:
        if member.model.backend != "ngram":
            raise UnsupportedError(
                f"only n-gram models can become one n-gram model, and {member.name} is of the "
                f"backend {member.model.backend!r}",
                "a mixture of n-gram models",
            )
    return (
        [member.model for member in model.members],
        blend.weights[0].tolist(),
        [member.into for member in model.members],
    )
