"""How text becomes tokens: the settings that a model file keeps, so that scoring always
reads text as training did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypedDict

from lmkit.errors import UsageError
from lmkit.text.normalization import LANGUAGES, Normalizer, normalizer
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import as_tokenizer, written

RULES = 2
"""The rules by which text is read now. Models keep those that they were trained with: by the
rules 1, ``word`` cut grapheme clusters, lower case made two code points of İ, and ``byte`` took
CR for a line end and left out a byte order mark."""
NORMALIZATIONS = ("nfc", "nfkc", "none")
SEGMENTS = ("line", "sentence", "paragraph")
SPECIAL_TOKENS = ("error", "word", "unknown", "drop")


class Reading(TypedDict):
    """What `lmkit.text.reading.TextReader` has to know of the settings."""

    checked: bool
    only_lf: bool


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How text is read.

    ``tokenizer`` is a `Tokenizer`; a name of the registry becomes the one of that name, which has
    learnt nothing yet if it learns (`Unlearnt`). ``lowercase`` is True, or the language whose rules
    hold (``tr``, ``az``, ``lt``). ``normalize`` is a Unicode normalization form; None becomes
    the tokenizer's own default. ``segment`` is what one sentence is. ``skip_empty_lines``
    leaves out lines of nothing but spaces, tabs and NULs. ``special_tokens`` is what a literal
    ``<s>`` or ``</s>`` in the text is: an error, an ordinary word, an unknown word, or
    (``drop``) a mark between sentences, which is no part of the text. With a ``pre_tokenizer``,
    a tokenizer of words, ``tokenizer`` reads that one's tokens with single spaces between them
    in place of the text. ``rules``: see `RULES`. Without ``sentence_marks`` the text is one stream:
    no token begins or ends a line.

    Raises `UsageError` where a value is none of the known names.
    """

    tokenizer: Tokenizer = "word"  # type: ignore[assignment]
    lowercase: bool | str = False
    normalize: str | None = None
    segment: str = "line"
    skip_empty_lines: bool = False
    special_tokens: str = "error"
    pre_tokenizer: Tokenizer | None = None
    rules: int = RULES
    sentence_marks: bool = True

    if TYPE_CHECKING:  # names are taken too

        def __init__(
            self,
            tokenizer: Tokenizer | str = "word",
            lowercase: bool | str = False,
            normalize: str | None = None,
            segment: str = "line",
            skip_empty_lines: bool = False,
            special_tokens: str = "error",
            pre_tokenizer: Tokenizer | str | None = None,
            rules: int = RULES,
            sentence_marks: bool = True,
        ) -> None: ...

    def __post_init__(self) -> None:
        tokenizer = as_tokenizer(self.tokenizer)
        if self.normalize is None:
            object.__setattr__(self, "normalize", tokenizer.default_normalize)
        for name, known in (
            ("normalize", NORMALIZATIONS),
            ("segment", SEGMENTS),
            ("special_tokens", SPECIAL_TOKENS),
            ("lowercase", (False, True, *LANGUAGES)),
            ("rules", tuple(range(1, RULES + 1))),
            ("sentence_marks", (True, False)),
        ):
            if (value := getattr(self, name)) not in known:
                raise UsageError(
                    f"{name.replace('_', '-')} cannot be {value!r}",
                    f"one of {', '.join(map(str, known))}",
                )
        if not self.sentence_marks and self.segment != "line":
            raise UsageError(
                f"without sentence marks there are no sentences, so {self.segment}s cannot be some",
                "leaving out --segment or --no-sentence-marks",
            )
        same = tokenizer.with_rules(1) == tokenizer.with_rules(RULES) and not tokenizer.reads_bytes
        if same and not self.lowercase:
            object.__setattr__(self, "rules", RULES)  # which have always been the same for these
        object.__setattr__(self, "tokenizer", tokenizer.with_rules(self.rules))
        if self.pre_tokenizer is not None:
            words = as_tokenizer(self.pre_tokenizer).with_rules(self.rules)
            if words.unit != "word":
                raise UsageError(
                    f"pre-tokenizer cannot be {words.name!r}, whose tokens are not words",
                    "--pre-tokenizer word",
                )
            object.__setattr__(self, "pre_tokenizer", words)

    def make_normalizer(self) -> Normalizer | None:
        """What changes the letters of a text; None where they stay as they are."""
        return normalizer(self.normalize, self.lowercase, self.rules)

    @property
    def reading(self) -> Reading:
        """How the text is read, before it is cut. What a pre-tokenizer cuts is text."""
        raw = self.tokenizer.reads_bytes and self.pre_tokenizer is None
        return {"checked": not raw, "only_lf": raw and self.rules > 1}

    def as_dict(self, tables: bool = True) -> dict[str, Any]:
        """Names to JSON values; `from_dict` is the way back. Without ``tables`` those of a learnt
        tokenizer are left out (`Tokenizer.tables`)."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["tokenizer"] = written(self.tokenizer, tables)
        if self.pre_tokenizer is None:
            # Older versions open a model that says nothing of what it does not have.
            del values["pre_tokenizer"]
        else:
            values["pre_tokenizer"] = written(self.pre_tokenizer)
        if self.sentence_marks:
            del values["sentence_marks"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TextSettings:
        """The settings that `as_dict` gave. Raises `UsageError` on a name it does not know."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise UsageError(
                f"unknown text settings: {', '.join(unknown)}", "a newer version of lmkit"
            )
        return cls(**{"rules": 1, **values})
