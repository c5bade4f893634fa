"""What commands share that take a part of a sentence, or look inside n-gram models."""

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


def refuse_ends(
    model: LanguageModel,
    text: str,
    hint: str = "leaving it out: the ends of the sentence are added",
) -> None:
    """Raises `UsageError` where ``text``, a part of one sentence, has a ``<s>`` or ``</s>`` that
    the model takes for an end of one."""
    from lmkit.text.lexicon import SpecialTokenError

    try:
        model.encoder.encode_prompt(text)
    except SpecialTokenError as error:
        what = {
            "<s>": "begins a sentence: nothing stands before it there",
            "</s>": "ends a sentence: nothing follows it there",
        }
        raise UsageError(f"{text!r} has a {error.token}, which {what[error.token]}", hint) from None
