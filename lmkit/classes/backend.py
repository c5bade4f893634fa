"""Opening class models: the backend that the registry names ``class``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmkit.errors import UnsupportedError

if TYPE_CHECKING:
    from lmkit.classes.model import ClassModel


class ClassBackend:
    """N-grams of classes, and words in them."""

    name = "class"

    @staticmethod
    def train(*_: Any, **__: Any) -> ClassModel:
        """Raises `UnsupportedError`: classes are not learnt here."""
        raise UnsupportedError(
            "a class model is not trained on text: classes and n-grams of them are imported",
            "lmkit import CLASSES.arpa --classes DEFINITIONS --output MODEL.lm",
        )

    @staticmethod
    def open(path: str | Path) -> ClassModel:
        """Open the model file ``path``."""
        from lmkit.classes.files import open_class_model

        return open_class_model(path)
