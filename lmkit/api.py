"""`train` and `load`: the way in that the command line and Python share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lmkit.errors import UnsupportedError, UsageError
from lmkit.files.overwriting import Named, refuse_overwriting
from lmkit.model import LanguageModel
from lmkit.registry import resolve
from lmkit.store.components import open_model
from lmkit.store.history import run_record
from lmkit.store.targets import made_whole, with_parts, writes
from lmkit.store.tokenizer_making import learning
from lmkit.store.tokenizer_making import load_tokenizer as load_tokenizer
from lmkit.store.tokenizer_making import train_tokenizer as train_tokenizer
from lmkit.text.corpus import Corpus, build_corpus, valid_corpus
from lmkit.text.encodings import encoded
from lmkit.text.settings import TextSettings
from lmkit.text.tokenizers.making import Unlearnt
from lmkit.text.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from lmkit.channel.making import train_channel as train_channel
    from lmkit.mixture.making import merge as merge
    from lmkit.mixture.making import mix as mix

Progress = Callable[[str, int, int | None], None]


_ELSEWHERE = {
    "merge": "lmkit.mixture.making",
    "mix": "lmkit.mixture.making",
    "train_channel": "lmkit.channel.making",
}


def __getattr__(name: str) -> Any:
    # A model is opened and used without what makes these, which takes time to import.
    if name in _ELSEWHERE:
        return getattr(import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(path: str | Path) -> LanguageModel:
    """Open the model in ``path``, whatever its backend. What it holds is read when needed.

    Raises `ModelFileError` where ``path`` is no model, damaged, or from a newer lmkit.
    """
    return open_model(path)


@writes("texts", "valid", "vocabulary", "teacher")
def train(
    *texts: str | Path | BinaryIO,
    output: str | Path | None = None,
    backend: str = "ngram",
    valid: str | Path | None = None,
    settings: TextSettings | None = None,
    min_count: int = 1,
    vocabulary_size: int | None = None,
    vocabulary: str | Path | Sequence[str] | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    memory: int | None = None,
    seed: int | None = None,
    tables: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> LanguageModel:
    """Train a model on ``texts`` (files, ``-`` for standard input, or binary streams), and save
    it to ``output`` where that is given.

    ``settings`` say how text becomes tokens (`lmkit.text.settings.TextSettings`); ``min_count``,
    ``vocabulary_size`` and ``vocabulary`` (a file or words) limit the vocabulary. ``options``
    are the backend's own, such as ``order`` and ``smoothing`` of the n-grams
    (`lmkit.ngram.backend.NgramBackend.train`). ``encoding`` is that of all text files, a name of
    Python's codecs (None: UTF-8), and ``errors`` what bytes do that are not of it: ``strict``
    raises `TextError`, ``replace`` reads U+FFFD. ``memory`` bounds the working memory in bytes.
    ``tables`` adds readable tables to the file (`lmkit.ngram.tables`).

    Raises `UsageError` where ``output`` would take the place of a file that is read, and
    `LmkitError` where another process is at work on it; so does all that writes a model.

    >>> model = lmkit.train("text.txt", order=3)                      # doctest: +SKIP
    """
    clock = time.monotonic()
    started = datetime.now(UTC)
    settings = settings or TextSettings()
    trainer = resolve("backend", backend)
    if tables:
        _require_tables(backend)
    corpus = build_corpus(
        [encoded(text, encoding) for text in texts],
        settings,
        min_count=min_count,
        vocabulary_size=vocabulary_size,
        vocabulary=_words(vocabulary, encoding, errors),
        errors=errors,
        memory=memory,
        progress=reading(progress),
        learning=learning(progress),
    )
    settings = corpus.settings  # whose tokenizer has learnt
    held_out = valid_corpus(encoded(valid, encoding), corpus.vocabulary, settings, errors)
    if memory is not None:
        options["memory"] = memory
    options |= _drawing(trainer, seed, output, options)
    model: LanguageModel = trainer.train(corpus, held_out, progress=progress, **options)
    limits = {"min_count": min_count, "vocabulary_size": vocabulary_size}
    model.runs.append(
        run_record(
            "train",
            started,
            clock,
            corpus,
            {
                "backend": backend,
                **options,
                **limits,
                **settings.as_dict(tables=False),
                "encoding": encoding,
                "replaced": _replaced(corpus, held_out),
            },
            seed,
        )
    )
    _save(model, output, tables, progress)
    return model


@writes("base", "texts", "valid", "teacher")
def train_on(
    base: LanguageModel | str | Path,
    *texts: str | Path | BinaryIO,
    output: str | Path | None = None,
    valid: str | Path | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    memory: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> LanguageModel:
    """Go on training ``base`` on the files ``texts``: pre-training, then fine-tuning. A whole
    vocabulary grows by their words, a limited one stays. ``base`` itself is not changed.

    Raises `UnsupportedError` for a kind of model that cannot be trained on.
    """
    old = load(base) if isinstance(base, str | Path) else base
    clock, started = time.monotonic(), datetime.now(UTC)
    trainer = resolve("backend", old.backend)
    if not getattr(trainer, "makes_checkpoints", False):
        raise UnsupportedError(
            f"a model of the backend {old.backend!r} cannot be trained further",
            "--append MODEL, to add text to the counts of an n-gram model",
        )
    settings = old.encoder.settings
    corpus = build_corpus(
        [encoded(text, encoding) for text in texts],
        settings,
        base=old.vocabulary,
        errors=errors,
        memory=memory,
        progress=reading(progress),
    )
    held_out = valid_corpus(encoded(valid, encoding), corpus.vocabulary, settings, errors)
    options |= _drawing(trainer, seed, output, options)
    new: LanguageModel = trainer.train(corpus, held_out, base=old, progress=progress, **options)
    told = {**options, "encoding": encoding, "replaced": _replaced(corpus, held_out)}
    new.runs.extend([*old.runs, run_record("train", started, clock, corpus, told, seed)])
    if output is not None:
        new.save(output)
    return new


def _words(
    vocabulary: str | Path | Sequence[str] | None, encoding: str | None, errors: str
) -> Sequence[str] | None:
    """The words of a file, or these words."""
    if isinstance(vocabulary, str | Path):
        return read_vocabulary(encoded(vocabulary, encoding), errors)
    return vocabulary


def _replaced(*texts: Corpus | None) -> int | None:
    """How many invalid sequences of bytes were replaced in ``texts``; None where none were."""
    return sum(text.replaced for text in texts if text is not None) or None


def _drawing(
    trainer: Any, seed: int | None, output: str | Path | None, options: dict[str, Any]
) -> dict[str, Any]:
    """What a backend that draws random numbers and makes checkpoints is told besides; a
    ``teacher`` is opened."""
    if not getattr(trainer, "makes_checkpoints", False):
        return {}
    told: dict[str, Any] = {"seed": 0 if seed is None else seed}
    if output is not None and "checkpoint" not in options:
        told["checkpoint"] = f"{output}.checkpoint"
    if isinstance(options.get("teacher"), str | Path):
        told["teacher"] = load(options["teacher"])
    return told


@writes("texts", "valid", in_place="model")
def append(
    model: LanguageModel | str | Path,
    *texts: str | Path | BinaryIO,
    output: str | Path | None = None,
    valid: str | Path | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    memory: int | None = None,
    tables: bool = False,
    progress: Progress | None = None,
) -> LanguageModel:
    """Add ``texts`` (as in `train`) to what ``model`` was trained on, and save the result to
    ``output`` where that is given, with readable ``tables`` if they are wanted.

    With a whole vocabulary and all counts the result is what training on all the text would
    have given. A limited vocabulary stays as it is. Raises `UnsupportedError` where the model's
    kind, or what it has kept, does not allow that.
    """
    old = load(model) if isinstance(model, str | Path) else model
    clock, started = time.monotonic(), datetime.now(UTC)
    appender = _ability(old, "append", "text cannot be added to it", "training on all the text")
    corpus = build_corpus(
        [encoded(text, encoding) for text in texts],
        old.encoder.settings,
        base=old.vocabulary,
        errors=errors,
        memory=memory,
        progress=reading(progress),
    )
    held_out = valid_corpus(
        encoded(valid, encoding), corpus.vocabulary, old.encoder.settings, errors
    )
    new: LanguageModel = appender(old, corpus, valid=held_out, memory=memory, progress=progress)
    told = {"encoding": encoding, "replaced": _replaced(corpus, held_out)}
    new.runs.append(run_record("append", started, clock, corpus, told, None))
    _save(new, output, tables, progress)
    return new


@writes("model", "valid")
def resmooth(
    model: LanguageModel | str | Path,
    *,
    output: str | Path | None = None,
    valid: str | Path | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    tables: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> LanguageModel:
    """Another smoothing of the counts that ``model`` keeps, without its text; ``tables`` as in
    `train`.

    ``options``: ``smoothing``, ``order``, ``prune``, ``memory`` and those of the smoothing
    method. Raises `UnsupportedError` where the model has no counts, or lost some by pruning.
    """
    old = load(model) if isinstance(model, str | Path) else model
    clock, started = time.monotonic(), datetime.now(UTC)
    smoother = _ability(old, "resmooth", "it cannot be smoothed anew", "an n-gram model")
    held_out = valid_corpus(encoded(valid, encoding), old.vocabulary, old.encoder.settings, errors)
    new: LanguageModel = smoother(old, held_out, progress=progress, **options)
    new.runs.append(run_record("resmooth", started, clock, None, options, None))
    _save(new, output, tables, progress)
    return new


@writes("vocabulary", in_place="model")
def prune(
    model: LanguageModel | str | Path,
    *,
    output: str | Path | None = None,
    entropy: float | None = None,
    size: int | None = None,
    cutoffs: Sequence[int] | None = None,
    vocabulary: str | Path | Sequence[str] | None = None,
    closed: bool = False,
    encoding: str | None = None,
    errors: str = "strict",
) -> tuple[list[int], Any]:
    """A smaller model: by relative entropy, to a number of n-grams, by count, or with only the
    words of ``vocabulary`` (a file or words) that it has; one of them.

    The probability of words that are left out goes to ``<unk>``, or with ``closed``, as that of
    ``<unk>``, to the words that are left. ``encoding`` and ``errors`` are as in `train`.

    Returns the numbers of n-grams before, an order each, and the pruned model. Raises
    `UsageError` where none of its words is left.
    """
    old: Any = load(model) if isinstance(model, str | Path) else model
    clock, started = time.monotonic(), datetime.now(UTC)
    pruner = _ability(old, "prune", "it has no n-grams to drop", "an n-gram model")
    if closed and vocabulary is None:
        raise UsageError("closed is nothing without a vocabulary", "--vocabulary FILE")
    options: dict[str, Any] = {"entropy": entropy, "size": size}
    options["cutoffs"] = cutoffs and list(cutoffs)
    words = _words(vocabulary, encoding, errors)
    new = pruner(old, **options, words=words, closed=closed)
    of_file = isinstance(vocabulary, str | Path)
    options |= {"vocabulary": str(vocabulary) if of_file else None, "closed": closed or None}
    new.runs = [*old.runs, run_record("prune", started, clock, None, options, None)]
    if output is not None:
        new.save(output)
    return old.trie.sizes, new


@writes("path", "valid", "classes")
def import_model(
    path: str | Path,
    *,
    kind: str | None = None,
    output: str | Path | None = None,
    settings: TextSettings | None = None,
    classes: str | Path | None = None,
    valid: str | Path | None = None,
    encoding: str | None = None,
    errors: str = "strict",
    progress: Progress | None = None,
    **options: Any,
) -> LanguageModel:
    """An n-gram model from an ARPA file (``kind`` ``arpa``), tab-separated counts (``counts``),
    Google's layout (``web1t``) or its n-grams by year (``google-books``, of ``years`` from the
    first to the last); None: told from ``path`` itself.

    ``classes``: definitions, as SRILM's, of the classes that the n-grams of an ARPA file are of.
    ``settings`` say how text for the model becomes tokens: split at white space by default.
    ``encoding`` and ``errors`` are as in `train`.
    ``options`` of counts are those of training: ``order``, ``smoothing`` and its own, which may
    learn from the held-out text in ``valid``.
    Raises `FormatError` where the file is malformed.
    """
    from lmkit.ngram.formats import read_model_of

    clock, started = time.monotonic(), datetime.now(UTC)
    settings = settings or TextSettings("whitespace")
    if isinstance(settings.tokenizer, Unlearnt):
        raise settings.tokenizer.error()
    learning = options if valid is None else {"valid": encoded(valid, encoding), **options}
    model: Any = read_model_of(path, kind, settings, progress, learning, encoding, errors)
    record = run_record("import", started, clock, None, {"format": kind, **options}, None)
    model.runs = [{**record, "sources": [str(path)]}]
    if classes is not None:
        from lmkit.classes.making import with_classes

        model = with_classes(model, classes, encoding, errors)
    if output is not None:
        model.save(output)
    return model


def export_model(
    model: LanguageModel | str | Path, path: str | Path | BinaryIO, kind: str = "arpa"
) -> None:
    """Write ``model`` for other programs: ``kind`` ``arpa`` (probabilities in the backoff form) or
    ``counts`` (n-grams and their counts). ``path`` may be ``-`` for standard output, or a binary
    stream; the end of its name says how it is compressed. A file that is there stays until the
    new one is whole.

    A mixture of n-gram models is merged into one first (see `merge`). Raises `UnsupportedError`
    for a model that has no n-grams, no backoff form, or not all counts.
    """
    refuse_overwriting([Named("the file", path)], with_parts("model", model))
    opened = load(model) if isinstance(model, str | Path) else model
    if opened.backend == "mixture":
        from lmkit.mixture.making import merge

        opened = merge(opened)
    exporter = _ability(opened, "export", "it has no n-grams to export", "an n-gram model")
    exporter(opened, path, kind)


def _require_tables(backend: str) -> None:
    if backend != "ngram":
        raise UnsupportedError(
            f"readable tables are of n-grams, which a model of the backend {backend!r} has not",
            "leaving out --tables",
        )


def _save(
    model: LanguageModel, output: str | Path | None, tables: bool, progress: Progress | None
) -> None:
    """Save ``model`` to ``output``, if that is given: with its ``tables``, or not at all."""
    if output is None:
        return
    if not tables:
        model.save(output)
        return
    from lmkit.ngram.tables import write_tables

    with made_whole(output) as path:
        model.save(path)
        write_tables(path, progress)


def _ability(model: LanguageModel, name: str, lack: str, hint: str) -> Any:
    """What the backend of ``model`` calls ``name``; raises `UnsupportedError` without it."""
    ability = getattr(resolve("backend", model.backend), name, None)
    if ability is None:
        raise UnsupportedError(f"this is a model of the backend {model.backend!r}: {lack}", hint)
    return ability


def reading(progress: Progress | None) -> Callable[[int, int | None], None] | None:
    """``progress`` as the text layer calls it."""
    if progress is None:
        return None
    return lambda done, total: progress("reading", done, total)
