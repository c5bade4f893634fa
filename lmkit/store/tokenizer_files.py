"""A tokenizer in a file of its own: the same SQLite file as a model, with the tables of the
tokenizer, its vocabulary with the counts of the text that it was learnt from, and its history.

``meta`` says ``kind``: ``tokenizer``. It has the settings of text under ``text``, and under
``figures`` what the tokenizer made of its text (`lmkit.text.figures.Figures.as_dict`); null for one
that has seen no text here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from lmkit.errors import TextError, UsageError
from lmkit.model import BOS, EOS
from lmkit.store.components import open_model
from lmkit.store.damage import damage
from lmkit.store.facts import TEXT, check, integer, number, optional, record, sequence, text
from lmkit.store.modelfile import ModelReader, ModelWriter
from lmkit.store.tokenizers import KIND, TOKENIZER, is_tokenizer, save_tokenizer, stored_settings
from lmkit.text.lexicon import text_token, vocabulary_token
from lmkit.text.settings import TextSettings
from lmkit.text.tokenized import LineTokenizer, Numbered, OwnIds, Span, Spans
from lmkit.text.tokenizers.base import Tokenizer

_RATIO = optional(number(0))
FIGURES = record(
    {
        **dict.fromkeys(("lines", "words", "characters", "bytes", "tokens"), integer()),
        **dict.fromkeys(("characters_per_token", "bytes_per_token", "tokens_per_word"), _RATIO),
        "vocabulary_used": integer(),
        "vocabulary_share": _RATIO,
        "scripts": sequence(
            record(
                {
                    "script": text,
                    "words": integer(),
                    "tokens": integer(),
                    "tokens_per_word": _RATIO,
                    "characters_per_token": _RATIO,
                }
            )
        ),
    }
)
FACTS = record({KIND: text, "text": TEXT, "figures": optional(FIGURES)})
"""What ``meta`` of a tokenizer file says."""


@dataclass
class StoredTokenizer:
    """A tokenizer and the ``settings`` of text that it is used with, as a file holds them.

    ``counts`` are how often each token of its vocabulary stands in the text that it was learnt
    from, ``figures`` what it made of that text; both None where there was none. ``model`` is the
    vocabulary of the model that it was taken from: that gives the ids.
    """

    settings: TextSettings
    figures: dict[str, Any] | None = None
    counts: Sequence[int] | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)
    model: Any = field(default=None, repr=False)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer itself, without normalization."""
        return self.settings.tokenizer

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """All tokens that a text can become; None where any text may bring new ones."""
        return self.tokenizer.vocabulary

    @cached_property
    def numbered(self) -> Numbered | None:
        """What gives tokens their ids: the model's, or the tokenizer's own; None without any."""
        if self.model is not None:
            return cast(Numbered, self.model)
        return None if self.vocabulary is None else OwnIds(self.tokenizer)

    def with_special_tokens(self, special_tokens: str) -> StoredTokenizer:
        """This one, but for what a literal ``<s>`` or ``</s>`` is
        (`lmkit.text.settings.TextSettings`)."""
        settings = replace(self.settings, special_tokens=special_tokens)
        model = self.model and replace(self.model, special_tokens=special_tokens)
        return replace(self, settings=settings, model=model)

    def tokens(self, line: str) -> list[str]:
        """The tokens of one line."""
        cut = self._lines([line])
        return [cut.tokens[number] for _, numbers in cut for number in numbers]

    def encode(self, line: str) -> list[int]:
        """The ids of the tokens of one line. Raises `UsageError` for a tokenizer without ids."""
        cut = self._lines([line])
        if cut.ids is None:
            raise no_ids(self.tokenizer)
        return [int(cut.ids[number]) for _, numbers in cut for number in numbers]

    def spans(self, line: str) -> list[Span | None]:
        """Where each token of one line is: the first code point and the one behind the last, the
        first byte and the one behind the last; None where that cannot be told."""
        return Spans(self.settings).of(line, self.tokens(line))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens by their ids. Raises `UsageError` for an id that there is not."""
        marks = () if self.model is None else (BOS, EOS)
        return self.tokenizer.join([self.token_of(int(n)) for n in ids if n not in marks])

    def token_of(self, number: int) -> str:
        """The token of an id. Raises `UsageError` where there is none."""
        if self.numbered is None:
            raise no_ids(self.tokenizer)
        if number not in self._spellings:
            raise UsageError(
                f"{number} is not an id of a token of {self.tokenizer}",
                f"an id from {min(self._spellings)} to {max(self._spellings)}",
            )
        return self._spellings[number]

    @cached_property
    def _spellings(self) -> dict[int, str]:
        if self.model is not None:
            policy = self.settings.special_tokens
            return {n: text_token(name, policy) for n, name in enumerate(self.model.tokens)}
        own = dict(zip(self.tokenizer.own_ids, self.vocabulary or (), strict=True))
        unknown = self.tokenizer.unknown_id
        return own if unknown is None else {unknown: "<unk>", **own}

    def _lines(self, lines: Sequence[str]) -> Any:
        if any("\n" in line for line in lines):
            raise UsageError("a line end stands in no token", "one line at a time")
        for line in lines:
            _require_text(line)
        return self._cut(lines)

    @cached_property
    def _cut(self) -> LineTokenizer:
        return LineTokenizer(self.settings, self.numbered)

    def save(self, path: str | Path) -> None:
        """Write a file of it, whole or not at all."""
        with ModelWriter(path) as writer:
            writer.meta(
                {
                    KIND: TOKENIZER,
                    "text": self.settings.as_dict(tables=False),
                    "figures": self.figures,
                }
            )
            tokens = self.vocabulary or ()
            writer.vocabulary(tokens, [0] * len(tokens) if self.counts is None else self.counts)
            save_tokenizer(writer, self.tokenizer)
            for row in self.runs:
                writer.run({key: value for key, value in row.items() if key != "id"})


def _require_text(line: str) -> None:
    """Refuse halves of surrogate pairs, but those that stand for bytes (PEP 383)."""
    try:
        line.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise TextError(
            f"U+{ord(line[error.start]):04X} is half of a surrogate pair, which is not text",
            "text that is valid Unicode",
        ) from None


def no_ids(tokenizer: Tokenizer) -> UsageError:
    """What is wrong with asking a tokenizer for ids that has none."""
    return UsageError(
        f"the tokenizer {tokenizer} has no ids: any text may bring new tokens",
        "lmkit tokenize MODEL, for those of a model",
    )


def open_tokenizer(path: str | Path) -> StoredTokenizer:
    """The tokenizer in the file ``path`` of lmkit's: a tokenizer file, or a model.

    Raises `ModelFileError` where it is neither, damaged, or from a newer lmkit.
    """
    reader = ModelReader(path)
    if not is_tokenizer(reader):
        model = open_model(path)
        return StoredTokenizer(
            model.encoder.settings,
            runs=list(getattr(model, "runs", [])),
            model=_OfModel(model.vocabulary, model.encoder.settings.special_tokens),
        )
    with damage(path):
        check(reader.meta, FACTS, "meta")
        settings = stored_settings(reader)
        return StoredTokenizer(settings, figures=reader.meta["figures"], runs=reader.runs())


@dataclass(frozen=True)
class _OfModel:
    """The vocabulary of a model, by the names that it has for tokens of text."""

    vocabulary: Any
    special_tokens: str

    @property
    def tokens(self) -> Sequence[str]:
        tokens: Sequence[str] = self.vocabulary.tokens
        return tokens

    def ids_of(self, tokens: Sequence[str]) -> Any:
        names = [vocabulary_token(token, self.special_tokens) for token in tokens]
        return self.vocabulary.ids_of(names)
