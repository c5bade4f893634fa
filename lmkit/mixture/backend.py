"""Opening mixtures: the backend that the registry names ``mixture``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmkit.errors import UnsupportedError

if TYPE_CHECKING:
    from lmkit.mixture.model import MixtureModel


class MixtureBackend:
    """Several models as one."""

    name = "mixture"

    @staticmethod
    def train(*_: Any, **__: Any) -> MixtureModel:
        """Raises `UnsupportedError`: a mixture is made of models, not of text."""
        raise UnsupportedError(
            "a mixture is not trained on text: it is made of models",
            "lmkit mix MODEL MODEL --valid TEXT --output MIX.lm",
        )

    @staticmethod
    def open(path: str | Path) -> MixtureModel:
        """Open the model file ``path``."""
        from lmkit.mixture.files import open_mixture

        return open_mixture(path)
