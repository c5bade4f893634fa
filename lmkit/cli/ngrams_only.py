"""What commands share that look inside n-gram models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lmkit.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from lmkit.model import LanguageModel
    from lmkit.ngram.model import NgramModel


def require_ngrams(model: LanguageModel, path: Path) -> NgramModel:
    """``model``, which must be made of n-grams; raises `UnsupportedError` where it is not."""
    from lmkit.ngram.model import NgramModel

    if not isinstance(model, NgramModel):
        raise UnsupportedError(
            f"{path} is a model of the backend {model.backend!r}, not of n-grams",
            "a model that lmkit train --backend ngram made",
        )
    return model


def refuse_ends(model: NgramModel, text: str) -> None:
    """Raises `UsageError` where ``text``, a part of one sentence, has a ``</s>`` that the model
    takes for the end of one."""
    if "</s>" in text.split() and model.encoder.settings.special_tokens == "error":
        raise UsageError(
            f"{text!r} has a </s>, which ends a sentence: nothing follows it there",
            "one sentence without </s>",
        )
