"""How text becomes tokens: the settings that a model file keeps, so that scoring always
reads text as training did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lmkit.errors import UsageError
from lmkit.registry import resolve

NORMALIZATIONS = ("nfc", "nfkc", "none")
SEGMENTS = ("line", "sentence", "paragraph")
SPECIAL_TOKENS = ("error", "word", "unknown")


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How text is read.

    ``tokenizer`` is a name of the registry. ``normalize`` is a Unicode normalization
    form; None becomes the tokenizer's own default. ``segment`` is what one sentence is.
    ``skip_empty_lines`` leaves out lines of nothing but spaces, tabs and NULs.
    ``special_tokens`` is what a literal ``<s>`` or ``</s>`` in the text is: an error, an
    ordinary word, or an unknown word. With a ``pre_tokenizer``, a tokenizer of words,
    ``tokenizer`` reads that one's tokens with single spaces between them in place of the text.

    Raises `UsageError` where a value is none of the known names.
    """

    tokenizer: str = "word"
    lowercase: bool = False
    normalize: str | None = None
    segment: str = "line"
    skip_empty_lines: bool = False
    special_tokens: str = "error"
    pre_tokenizer: str | None = None

    def __post_init__(self) -> None:
        tokenizer = resolve("tokenizer", self.tokenizer)
        if self.pre_tokenizer is not None and (
            resolve("tokenizer", self.pre_tokenizer).unit != "word"
        ):
            raise UsageError(
                f"pre-tokenizer cannot be {self.pre_tokenizer!r}, whose tokens are no words",
                "--pre-tokenizer word",
            )
        if self.normalize is None:
            object.__setattr__(self, "normalize", tokenizer.default_normalize)
        for name, known in (
            ("normalize", NORMALIZATIONS),
            ("segment", SEGMENTS),
            ("special_tokens", SPECIAL_TOKENS),
        ):
            if (value := getattr(self, name)) not in known:
                raise UsageError(
                    f"{name.replace('_', '-')} cannot be {value!r}", f"one of {', '.join(known)}"
                )

    def as_dict(self) -> dict[str, Any]:
        """Names to JSON values; `from_dict` is the way back."""
        values = asdict(self)
        if self.pre_tokenizer is None:
            # Older versions open a model that says nothing of what it does not have.
            del values["pre_tokenizer"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TextSettings:
        """The settings that `as_dict` gave. Raises `UsageError` on a name it does not know."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise UsageError(
                f"unknown text settings: {', '.join(unknown)}", "a newer version of lmkit"
            )
        return cls(**values)
