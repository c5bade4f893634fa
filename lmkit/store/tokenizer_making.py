"""Tokenizers from a text, and from the files of other programs: the way in that the command line
and Python share."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from lmkit.errors import TextError, UsageError
from lmkit.store.history import run_record
from lmkit.store.modelfile import is_model_file
from lmkit.store.targets import writes
from lmkit.store.tokenizer_files import StoredTokenizer, open_tokenizer
from lmkit.text.corpus import learnt_from
from lmkit.text.encodings import encoded
from lmkit.text.figures import figures_of
from lmkit.text.reading import TextReader
from lmkit.text.settings import TextSettings
from lmkit.text.stream import TokenStream
from lmkit.text.tokenizers.making import Unlearnt, make_tokenizer

Progress = Callable[[str, int, int | None], None]


@writes("texts")
def train_tokenizer(
    *texts: str | Path | BinaryIO,
    output: str | Path | None = None,
    tokenizer: str = "bpe",
    lowercase: bool | str = False,
    normalize: str | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    progress: Progress | None = None,
    **options: Any,
) -> StoredTokenizer:
    """Learn a tokenizer from ``texts`` (files, ``-`` for standard input, or binary streams), and
    save it to ``output`` where that is given.

    ``tokenizer`` is the name of one that learns. ``options`` are its own, such as
    ``vocabulary_size``, ``pattern`` and ``special_tokens``. ``lowercase`` and ``normalize`` change
    the text before, and whatever the tokenizer is used on (`lmkit.text.settings.TextSettings`).
    ``encoding`` and ``errors`` are as in `lmkit.train`. The text is kept in a temporary file.

    Raises `UsageError` for a tokenizer that does not learn, or options that it has not, and where
    ``output`` would take the place of a file that is read.

    >>> tokenizer = lmkit.train_tokenizer("text.txt", vocabulary_size=500)    # doctest: +SKIP
    """
    clock, started = time.monotonic(), datetime.now(UTC)
    unlearnt = make_tokenizer(tokenizer, **options)
    if not isinstance(unlearnt, Unlearnt):
        raise UsageError(
            f"the tokenizer {tokenizer} does not learn from text", "--tokenizer bpe or unigram"
        )
    settings = TextSettings(unlearnt, lowercase, normalize)
    reader = TextReader(
        [encoded(text, encoding) for text in texts],
        errors,
        progress=progress and (lambda done, total: progress("reading", done, total)),
        **settings.reading,
    )
    if not reader.sources:
        raise UsageError("there is no text to read", "giving a file, or - for standard input")
    settings, kept = learnt_from(settings, reader, True, learning(progress))
    figures = figures_of(settings, (chunk.tobytes() for chunk in kept))
    if not figures.tokens:
        raise TextError(f"the text is empty: {', '.join(reader.names)}", "a file with words in it")
    told = {
        "tokenizer": tokenizer,
        **options,
        "lowercase": lowercase or None,
        "normalize": normalize,
        "encoding": encoding,
        "replaced": reader.replaced or None,
    }
    record = run_record("train", started, clock, None, told, None)
    about = {
        "sources": list(reader.names),
        "sha256": reader.sha256,
        "tokens": figures.tokens,
        "sentences": figures.lines,
    }
    counts = None if figures.counts is None else figures.counts.tolist()
    made = StoredTokenizer(settings, figures.as_dict(), counts, [{**record, **about}])
    if output is not None:
        made.save(output)
    return made


@writes("path")
def import_tokenizer(
    path: str | Path, *, output: str | Path | None = None, **options: Any
) -> StoredTokenizer:
    """The tokenizer of a file, as `load_tokenizer` reads it, and saved to ``output`` where that is
    given; that of a model, too."""
    clock, started = time.monotonic(), datetime.now(UTC)
    found = load_tokenizer(path, **options)
    if found.vocabulary is None:
        raise UsageError(
            f"the tokenizer {found.tokenizer} of {path} learns nothing, and needs no file",
            f"lmkit train TEXT --tokenizer {found.tokenizer}",
        )
    record = run_record("import", started, clock, None, options, None)
    settings = found.settings
    kept = TextSettings(settings.tokenizer, settings.lowercase, settings.normalize)
    made = StoredTokenizer(
        kept, found.figures, found.counts, [*found.runs, {**record, "sources": [str(path)]}]
    )
    if output is not None:
        made.save(output)
    return made


def load_tokenizer(path: str | Path, **options: Any) -> StoredTokenizer:
    """The tokenizer in a file: one of lmkit's, the one of a model, or a file of another program
    (``options`` are those of `lmkit.text.subwords.formats.reading.read`).

    Raises `LmkitError` where there is none.

    >>> tokenizer = lmkit.load_tokenizer("t.tok")                             # doctest: +SKIP
    """
    if is_model_file(path):
        return open_tokenizer(path)
    from lmkit.text.subwords.formats.reading import read

    return StoredTokenizer(TextSettings(read(path, **options)))


def text_figures(
    tokenizer: StoredTokenizer,
    *texts: str | Path | BinaryIO,
    encoding: str | None = None,
    errors: str = "strict",
    progress: Progress | None = None,
) -> tuple[dict[str, Any], int]:
    """What ``tokenizer`` makes of ``texts`` (`lmkit.text.figures.Figures.as_dict`), and how many
    invalid sequences of bytes were replaced in them."""
    settings = tokenizer.settings
    reader = TextReader(
        [encoded(text, encoding) for text in texts],
        errors,
        progress=progress and (lambda done, total: progress("reading", done, total)),
        **settings.reading,
    )
    figures = figures_of(settings, TokenStream(settings).prepared(reader))
    return figures.as_dict(), reader.replaced


def learning(progress: Progress | None) -> Callable[[int, int | None], None] | None:
    """``progress`` as tokenizers that learn call it."""
    if progress is None:
        return None
    return lambda done, total: progress("learning the tokenizer", done, total)
