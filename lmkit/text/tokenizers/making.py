"""Tokenizers by their names and from what was written down, learnt and not yet learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from typing import Any

from lmkit.errors import UsageError
from lmkit.registry import names, resolve
from lmkit.text.tokenizers.base import Tokenizer

ASKED = ("name", "unit", "default_normalize", "end_width", "keeps_spaces", "reads_bytes", "learns")
"""What is known of a kind before it has learnt."""


class Unlearnt(Tokenizer):
    """A kind of tokenizer and the options to learn it with, before it has seen a text.

    Settings may hold it; whoever reads the training text puts what it `learnt` in its place.
    """

    def __init__(self, kind: type[Tokenizer], options: Mapping[str, Any]) -> None:
        self.kind = kind
        self.options = dict(options)
        vars(self).update({what: getattr(kind, what) for what in ASKED})

    def learnt(
        self, chunks: Iterable[bytes], progress: Callable[..., Any] | None = None
    ) -> Tokenizer:
        """The tokenizer that the text in ``chunks`` makes (`Tokenizer.learn`)."""
        return self.kind.learn(chunks, progress=progress, **self.options)

    @property
    def size(self) -> int | None:
        """How many tokens it is to have; None where its kind does not say."""
        parameter = signature(self.kind.learn).parameters.get("vocabulary_size")
        default = None if parameter is None else parameter.default
        size: int | None = self.options.get("vocabulary_size", default)
        return size

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, **self.options}

    def tokenize(self, text: str) -> list[str]:
        raise self.error()

    def join(self, tokens: Sequence[str]) -> str:
        raise self.error()

    def error(self) -> UsageError:
        """What is wrong with using it as it is."""
        return UsageError(
            f"the tokenizer {self.name} is learnt from a text, and has not seen one",
            f"lmkit train-tokenizer TEXT --tokenizer {self.name} --output OTHER.tok",
        )


def make_tokenizer(name: str, **options: Any) -> Tokenizer:
    """The tokenizer of that ``name`` of the registry, `Unlearnt` if it learns.

    Raises `UsageError` for a name that there is not, or options that it does not have.
    """
    kind: type[Tokenizer] = resolve("tokenizer", name)
    if not kind.learns:
        return kind.learn((), **options)
    known = learning_options(kind)
    if unknown := [option for option in options if option not in known]:
        raise UsageError(
            f"the tokenizer {name} has no option {', '.join(unknown)}", f"one of {', '.join(known)}"
        )
    return Unlearnt(kind, options)


def learning_options(kind: type[Tokenizer]) -> list[str]:
    """The names of the options of ``kind.learn``."""
    parameters = signature(kind.learn).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "progress"]


def as_tokenizer(value: Tokenizer | str | Mapping[str, Any]) -> Tokenizer:
    """``value`` itself, that of this name, or that which was written down so
    (`Tokenizer.as_dict`). Raises `UsageError` where there is none."""
    if isinstance(value, Tokenizer):
        return value
    if isinstance(value, str):
        return make_tokenizer(value)
    return kind_named(value["name"]).from_dict(value)


def kind_named(name: str) -> type[Tokenizer]:
    """The class of tokenizers that are written down under ``name``: one of the registry's, or one
    that a file of another program describes. Raises `UsageError` where there is none."""
    of_files = name in names("file tokenizer")
    kind: type[Tokenizer] = resolve("file tokenizer" if of_files else "tokenizer", name)
    return kind


def written(tokenizer: Tokenizer, tables: bool = True) -> str | dict[str, Any]:
    """``tokenizer`` as a JSON value, of which `as_tokenizer` makes it again: its name, if that
    and the rules of reading text say all. Without ``tables`` what stands in tables of a model
    file is left out."""
    values = tokenizer.as_dict()
    if set(values) <= {"name", "rules"}:
        return tokenizer.name
    return {key: value for key, value in values.items() if tables or key not in tokenizer.tables}
