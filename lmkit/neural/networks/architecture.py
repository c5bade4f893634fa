"""The shape of a network: everything that decides which weights it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from lmkit.errors import ModelFileError, UsageError


@dataclass(frozen=True, slots=True)
class Architecture:
    """``layers`` layers of ``hidden`` units over word vectors of ``embedding`` entries;
    ``vocabulary`` is V. ``cell`` is the cell of recurrent layers, or ``transformer``; what either
    can be told is in ``cell_options`` (`lmkit.neural.networks.bodies`).

    ``tied``: the output vectors are the word vectors; where the last layer has another width,
    a projection goes between. ``residual``: what enters a layer is added to what leaves it,
    where the two are as wide. ``layer_norm``: what enters a layer is normalised first.
    """

    vocabulary: int
    cell: str = "lstm"
    hidden: int = 256
    layers: int = 1
    embedding: int = 256
    tied: bool = True
    residual: bool = False
    layer_norm: bool = False
    softmax: str = "full"
    cell_options: dict[str, Any] = field(default_factory=dict)
    softmax_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "embedding"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.vocabulary < 3:
            raise UsageError("a vocabulary has at least <unk>, <s> and </s>")

    def as_dict(self) -> dict[str, Any]:
        """Names to JSON values; `from_dict` is the way back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """What `as_dict` gave. Raises `ModelFileError` on a name that it does not know."""
        known = {entry.name for entry in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ModelFileError(
                f"the network has parts that this lmkit does not know: {', '.join(unknown)}",
                "pip install --upgrade lmkit",
            )
        try:
            return cls(**values)
        except TypeError as error:
            raise ModelFileError(
                f"what the file says of its network is damaged: {error}"
            ) from error

    def differences(self, other: Architecture) -> list[str]:
        """What tells this one from ``other``, as ``hidden 256, not 128``."""
        mine, theirs = self.as_dict(), other.as_dict()
        return [
            f"{name.replace('_', '-')} {mine[name]}, not {theirs[name]}"
            for name in mine
            if mine[name] != theirs[name]
        ]
