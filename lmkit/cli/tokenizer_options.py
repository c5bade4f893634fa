"""Tokenizers on a command line: by their names, or in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from lmkit.cli.headings import heading
from lmkit.cli.paths import InputPath
from lmkit.errors import UsageError
from lmkit.registry import names, resolve

if TYPE_CHECKING:
    from lmkit.text.tokenizers.base import Tokenizer

LEARNING = ("tokenizer_vocabulary_size", "tokenizer_pattern")
"""What a tokenizer that learns can be told, beside its name."""


def tokenizer_names(learnt: bool = False) -> list[str]:
    """The tokenizers that have names: all, or those that are ``learnt`` from a text."""
    found = names("tokenizer")
    return [name for name in found if resolve("tokenizer", name).learns] if learnt else found


@dataclass(frozen=True, slots=True)
class TokenizerName:
    """A tokenizer by its ``name``; other than a path it is no file that could be written over."""

    name: str

    def __str__(self) -> str:
        return self.name


class TokenizerType(InputPath):
    """The name of a tokenizer, which becomes a `TokenizerName`, or the path of a file. A file
    whose name is that of a tokenizer is called ``./word``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, TokenizerName | Path):
            return value
        known = tokenizer_names()
        if value in known:
            return TokenizerName(str(value))
        path = Path(str(value))
        if path.exists():
            return path
        return self.fail(
            f"{value!r} is not one of {', '.join(map(repr, known))}, and there is no such file",
            param,
            ctx,
        )

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in tokenizer_names() if name.startswith(incomplete)]
        return [*found, *super().shell_complete(ctx, param, incomplete)]


def tokenizer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: what ``--tokenizer`` learns, where it does."""
    return heading(
        "How text becomes tokens (stored in the model)",
        click.option(
            "--tokenizer-vocabulary-size",
            type=click.IntRange(min=1),
            metavar="N",
            help="How many tokens bpe or unigram learn.  [default: 8000]",
        ),
        click.option(
            "--tokenizer-pattern",
            metavar="PATTERN",
            help="What no token of bpe or unigram reaches across: the pieces of gpt2, gpt4, none"
            " (whole lines) or a regular expression.  [default: gpt2]",
        ),
    )(function)


def chosen_tokenizer(
    tokenizer: TokenizerName | Path | str, options: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of text that ``--tokenizer`` brings: it itself, and the normalization of a
    tokenizer file. ``options`` are those of `LEARNING` that were given, ``given`` all other
    settings of text.

    Raises `UsageError` for options that say something else than the file, or nothing.
    """
    if isinstance(tokenizer, Path):
        if options:
            raise UsageError(
                f"{flag_of(next(iter(options)))} means nothing to {tokenizer}, which has learnt"
                " already",
                f"leaving out {flag_of(next(iter(options)))}, or lmkit train-tokenizer TEXT"
                f" --output OTHER.tok",
            )
        return _of_file(tokenizer, given)
    name = str(tokenizer)
    if not options:
        return {"tokenizer": name}
    learnt = tokenizer_names(learnt=True)
    if name not in learnt:
        raise UsageError(
            f"{flag_of(next(iter(options)))} means nothing to the tokenizer {name},"
            " which does not learn",
            f"leaving it out, or --tokenizer {' or '.join(learnt)}",
        )
    return {"tokenizer": unlearnt(name, options)}


def unlearnt(name: str, options: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of that name that is to learn by those of `LEARNING`."""
    from lmkit.text.tokenizers.making import make_tokenizer

    return make_tokenizer(
        name, **{key.removeprefix("tokenizer_"): value for key, value in options.items()}
    )


def _of_file(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    from lmkit.store.modelfile import is_model_file
    from lmkit.store.tokenizer_making import load_tokenizer

    stored = load_tokenizer(path)
    if stored.model is not None:
        raise UsageError(
            f"{path} is a model, not a tokenizer",
            f"lmkit train-tokenizer --from {path} --output OTHER.tok, which takes its tokenizer",
        )
    settings = stored.settings
    if not is_model_file(path):
        return {"tokenizer": settings.tokenizer}
    for key in ("lowercase", "normalize"):
        own = getattr(settings, key)
        if given.get(key, own) != own:
            wanted = _described(key, given[key])
            raise UsageError(
                f"{wanted} is not what the tokenizer of {path} was made with,"
                f" {_described(key, own)}",
                f"leaving out {flag_of(key)}, or lmkit train-tokenizer TEXT {wanted}"
                " --output OTHER.tok",
            )
    return {
        "tokenizer": settings.tokenizer,
        "lowercase": settings.lowercase,
        "normalize": settings.normalize,
    }


def _described(key: str, value: Any) -> str:
    if key == "normalize":
        return f"--normalize {value}"
    return {True: "--lowercase", False: "no --lowercase"}.get(value, f"--lowercase {value}")


def flag_of(option: str) -> str:
    """What ``option`` is called on the command line."""
    return f"--{option.replace('_', '-')}"
