"""The tokenizers of a comparison: how they are written, and learnt once for all that use them.

``bpe:8000`` is a tokenizer that is learnt with 8,000 tokens, ``bpe`` one of the size that is its
default, ``char`` one that learns nothing. A tokenizer file, of lmkit or of another program, and a
model file stand for the tokenizer in it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from pathlib import Path

from lmkit.api import Progress, load_tokenizer
from lmkit.errors import UsageError
from lmkit.registry import names, resolve
from lmkit.text.reading import TextReader
from lmkit.text.settings import TextSettings
from lmkit.text.stream import TokenStream
from lmkit.text.tokenizers.base import Tokenizer
from lmkit.text.tokenizers.making import Unlearnt, learning_options, make_tokenizer

SIZE = "vocabulary_size"
MOST_KEPT = 4
"""Tokenizers that are kept at a time: one of 32,000 tokens takes some 20 MB."""


def tokenizer_of(text: str) -> Tokenizer:
    """The tokenizer that ``text`` stands for: ``NAME``, ``NAME:SIZE`` or a file.

    Raises `UsageError` where there is none such.
    """
    name, colon, size = text.partition(":")
    if name not in names("tokenizer"):
        if Path(text).is_file():
            return load_tokenizer(text).settings.tokenizer
        raise UsageError(
            f"there is no tokenizer named {text!r}",
            f"one of {', '.join(names('tokenizer'))}, as in tokenizer=bpe:8000",
        )
    if not colon:
        return make_tokenizer(name)
    kind: type[Tokenizer] = resolve("tokenizer", name)
    if not kind.learns or SIZE not in learning_options(kind):
        raise UsageError(
            f"the tokenizer {name} is not learnt, so it has no size to choose", f"tokenizer={name}"
        )
    if not (size.isascii() and size.isdigit() and int(size)):
        raise UsageError(
            f"tokenizer={text}: the size of a vocabulary is a whole number, not {size!r}",
            f"tokenizer={name}:8000",
        )
    return make_tokenizer(name, **{SIZE: int(size)})


def tokenizer_file(text: str | None) -> Path | None:
    """The file that ``text`` of `tokenizer_of` names, if it is one."""
    if text is None or text.partition(":")[0] in names("tokenizer"):
        return None
    return Path(text)


def wanted_size(tokenizer: Tokenizer) -> int | None:
    """How many tokens are asked for of one that is yet to learn."""
    return tokenizer.size if isinstance(tokenizer, Unlearnt) else None


class Learning:
    """Learns tokenizers, each once for each text, and keeps the last `MOST_KEPT`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Tokenizer] = OrderedDict()

    def settings(
        self, settings: TextSettings, text: Path, errors: str, progress: Progress | None = None
    ) -> TextSettings:
        """``settings`` with the tokenizer that the file ``text`` makes; themselves if theirs has
        nothing to learn. ``progress`` hears of the stage. Raises `TextError` as reading does."""
        unlearnt = settings.tokenizer
        if not isinstance(unlearnt, Unlearnt):
            return settings
        key = json.dumps([str(text), settings.as_dict()], sort_keys=True)
        if key not in self._kept:
            reader = TextReader([text], errors, **settings.reading)
            chunks = TokenStream(settings).prepared(reader)
            told = progress and partial(progress, "learning the tokenizer")
            self._kept[key] = unlearnt.learnt(chunks, told)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return replace(settings, tokenizer=self._kept[key])
