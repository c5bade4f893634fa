"""``lmkit train``: text in, a model out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from lmkit.cli.channel_options import channel_of, channel_options
from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.model_options import (
    METHOD_FLAGS,
    TEXT_OPTIONS,
    check_method_options,
    ngram_options,
    say_held_out,
    text_settings,
    text_settings_options,
    valid_option,
)
from lmkit.cli.neural_options import live_line, neural_options, settle_neural_options
from lmkit.cli.options import (
    MODEL,
    MemorySize,
    output_option,
    reading_options,
    say_replaced,
    text_source,
)
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.cli.sizes import write_sizes
from lmkit.errors import UsageError
from lmkit.registry import family, names

if TYPE_CHECKING:
    from lmkit.model import LanguageModel

VOCABULARY = ("min_count", "vocabulary_size", "vocabulary", "closed_vocabulary")


@command()
@click.argument("texts", nargs=-1, type=InputPath(), metavar="TEXT...")
@output_option
@click.option(
    "--backend", metavar="NAME", help="The kind of model.  [default: ngram]", show_default=False
)
@click.option(
    "--memory",
    type=MemorySize(),
    metavar="SIZE",
    help="Bound on the working memory, such as 2G: sorts on disk. Same result.",
)
@click.option("--tables", is_flag=True, help="Add readable tables, as lmkit tables does.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Start of the random numbers, for backends that draw any; stored in the model.",
)
@ngram_options()
@neural_options
@channel_options
@valid_option
@text_settings_options()
@heading(
    "How text becomes tokens (stored in the model)",
    click.option(
        "--no-sentence-marks",
        "sentence_marks",
        flag_value=False,
        default=None,
        type=bool,
        help="Take the text as one stream, in which no line begins or ends: no <s>, no </s>.",
    ),
    reading_options,
)
@heading(
    "Vocabulary",
    click.option(
        "--min-count",
        type=click.IntRange(min=1),
        metavar="K",
        help="Words seen less often become <unk>.  [default: 1]",
    ),
    click.option(
        "--vocabulary-size",
        type=click.IntRange(min=0),
        metavar="V",
        help="Only the V most frequent words stay; the others become <unk>.",
    ),
    click.option(
        "--vocabulary",
        type=InputPath(),
        metavar="FILE",
        help="Only the words of FILE, one a line, stay; the others become <unk>.",
    ),
    click.option(
        "--closed-vocabulary",
        is_flag=True,
        default=None,
        help="Unknown words are impossible: what <unk> would have goes to the words (n-grams).",
    ),
)
@heading(
    "Beginning with a model",
    click.option(
        "--append",
        type=InputPath(path_type=Path, in_place=True),
        metavar="MODEL",
        help="Add TEXT to what MODEL was trained on.",
    ),
    click.option(
        "--from",
        "base",
        type=MODEL,
        metavar="MODEL",
        help="Without TEXT: smooth the counts of MODEL anew, with other options. "
        "With TEXT: go on training the network MODEL on it.",
    ),
)
@pass_console
def train(
    console: Console, texts: tuple[str, ...], output: Path, tables: bool, **given: Any
) -> None:
    """Train a model on text, and write it to a file.

    A line of TEXT is a sentence (see --segment). Several files are one text; - is
    standard input; .gz, .bz2 and .xz are read directly. How text becomes tokens is
    stored in the model, so that using it reads text in the same way. OUTPUT is
    written as a whole at the end: until then an older file stays as it is. It may be
    none of the files that are read, but for the MODEL of --append.

    Example:

        lmkit train text.txt --output model.lm
        lmkit train text.txt --order 3 --smoothing witten-bell --output small.lm
        lmkit train --from model.lm --smoothing katz --output katz.lm
        lmkit train more.txt --append model.lm --output model.lm
        lmkit train text.txt --backend lstm --epochs 5 --output lstm.lm
        lmkit train --backend noisy-channel --source model.lm --pairs pairs.tsv --output c.lm
    """
    options = {key: value for key, value in given.items() if value is not None}
    channel = channel_of(options, texts)
    if channel is not None:
        _train_channel(console, output, channel, tables)
        return
    sources = _texts(console, texts, options)
    if options.get("backend", "ngram") == "ngram":
        check_method_options(options)
    if "closed_vocabulary" in options and options.get("backend", "ngram") != "ngram":
        raise UsageError(
            f"--closed-vocabulary means nothing to the backend {options['backend']}",
            "leaving it out, or --backend ngram",
        )
    settle_neural_options(options)
    valid = options.get("valid")
    read: dict[str, Any] = {"encoding": options.get("encoding"), "errors": options["errors"]}
    with ProgressBars(console) as bars:
        progress = bars.stages()
        if family(options.get("backend", "ngram")) == "neural":
            watch = live_line(bars)
            options.update({} if watch is None else {"watch": watch})
        model = _train(sources, output, options, progress, tables)
    _summary(console, output, model)
    if "teacher" in options:
        again = None if valid == "-" else valid
        write_sizes(console, [options["teacher"], output], again, **read)
    else:
        say_held_out(console, model, valid, **read)


def _train_channel(console: Console, output: Path, options: dict[str, Any], tables: bool) -> None:
    from lmkit import api

    if tables:
        raise UsageError(
            "--tables means nothing to a noisy channel: its edits are a readable table already",
            f"sqlite3 {output} 'select * from edits'",
        )
    with ProgressBars(console) as bars:
        model = api.train_channel(output=output, progress=bars.stages(), **options)
    _summary(console, output, model)


def _texts(
    console: Console, texts: tuple[str, ...], options: dict[str, Any]
) -> tuple[Path | BinaryIO, ...]:
    """What to train on; nothing where counts are smoothed anew."""
    from lmkit.store.modelfile import is_model_file

    if "append" in options and "base" in options:
        raise UsageError("--append and --from exclude each other", "one of the two")
    for text in texts:
        # Looking into a pipe would take its first bytes away.
        if Path(text).is_file() and is_model_file(text):
            raise _not_text(text)
    if not texts and "base" not in options:
        if console.stdin_is_terminal or console.stdin is None:
            raise UsageError("no TEXT to train on", "a file name, or - for standard input")
        texts = ("-",)
    return tuple(text_source(console, text) for text in texts)


def _not_text(path: str) -> UsageError:
    from lmkit.store.modelfile import ModelReader
    from lmkit.store.tokenizers import is_tokenizer

    if is_tokenizer(ModelReader(path)):
        return UsageError(f"{path} is a tokenizer, not text", f"--tokenizer {path}, to use it")
    return UsageError(
        f"{path} is a model, not text", f"--append {path}, to add text to what it has seen"
    )


def _train(
    texts: tuple[Path | BinaryIO, ...],
    output: Path,
    options: dict[str, Any],
    progress: Any,
    tables: bool,
) -> LanguageModel:
    from lmkit import api

    append, base = options.pop("append", None), options.pop("base", None)
    common = {
        "output": output,
        "encoding": options.pop("encoding", None),
        "errors": options.pop("errors"),
        "progress": progress,
    }
    if base is not None and texts:
        if tables:
            raise UsageError("--tables means nothing to a network", "leaving out --tables")
        _refuse(options, set(options) & {*TEXT_OPTIONS, *VOCABULARY}, "--from")
        options.pop("backend", None)
        return api.train_on(base, *texts, **common, **options)
    common["tables"] = tables
    if append is None and base is None:
        settings = text_settings(options)
        return api.train(*texts, settings=settings, **common, **options)
    if append is not None:
        _refuse(options, set(options) - {"valid", "memory"}, "--append")
        return api.append(append, *texts, **common, **options)
    _refuse(options, set(options) & {"backend", "seed", *TEXT_OPTIONS, *VOCABULARY}, "--from")
    return api.resmooth(base, **common, **options)


def _refuse(options: dict[str, Any], names: set[str], flag: str) -> None:
    """Raises `UsageError` where ``options`` hold some of ``names``, which ``flag`` settles."""
    flags = {**METHOD_FLAGS, "sentence_marks": "--no-sentence-marks"}
    chosen = [flags.get(name, f"--{name.replace('_', '-')}") for name in sorted(names)]
    if chosen:
        raise UsageError(
            f"{', '.join(chosen)} cannot be given with {flag}: MODEL has settled that",
            f"leaving out {', '.join(chosen)}, or training without {flag}",
        )


def _summary(console: Console, output: Path, model: LanguageModel) -> None:
    facts = model.describe()
    for note in facts.get("notes", []):
        console.remark(f"note: {note}")
    _many_unknown(console, model)
    _unspaced(console, model)
    parts = [f"{output}: {facts['backend']}"]
    if "ngrams" in facts:
        parts = [
            f"{output}: order {facts['order']}, {facts['smoothing']}",
            f"{sum(facts['ngrams']):,} n-grams, vocabulary of {facts['vocabulary']:,}",
        ]
    if "edits" in facts:
        pairs = facts.get("learnt", {}).get("pairs")
        learnt = f" learnt from {pairs:,} pairs" if pairs else ""
        parts = [f"{output}: {facts['channel']} channel, {facts['edits']:,} edits{learnt}"]
    runs = getattr(model, "runs", None)
    if runs:
        say_replaced(console, runs[-1]["options"].get("replaced", 0))
        tokens = runs[-1]["tokens"]
        read = f"{tokens:,} tokens in " if tokens else ""
        parts.append(f"{read}{runs[-1]['seconds']:.1f} s")
    console.remark("; ".join(parts))


WORTH_SAYING = 0.05
"""From what share of the text on scripts without spaces are worth a remark."""


def _unspaced(console: Console, model: LanguageModel) -> None:
    """Say where the tokenizer ``word`` met scripts that have no spaces between words."""
    counts = getattr(model.vocabulary, "counts", None)
    if counts is None or model.encoder.settings.tokenizer.name != "word":
        return
    from lmkit.text.scripts import CHARACTERS, KANA, unspaced_shares

    shares = unspaced_shares(model.vocabulary.tokens[3:], counts[3:])
    found = [(name, share) for name, share in shares.items() if share >= WORTH_SAYING]
    instead = [name for name in ("unigram", "bpe", "char") if name in names("tokenizer")]
    for alone in (False, True):
        here = [(name, share) for name, share in found if (name in CHARACTERS) is alone]
        if not here:
            continue
        scripts = " and ".join(f"{name} ({100 * share:.0f} % of the text)" for name, share in here)
        if not alone:
            tokens = "the text between two spaces is one token, mostly a whole clause"
        elif KANA in dict(here):
            tokens = "each character is a token (but a run of Katakana is one token)"
        else:
            tokens = "each character is a token"
        console.remark(
            f"note: {scripts}: no spaces between words, so {tokens}."
            f" Try: --tokenizer {' or '.join(instead)}"
        )


def _many_unknown(console: Console, model: LanguageModel) -> None:
    """Say how much of the text the vocabulary does not know, where that is most of it."""
    from lmkit.model import BOS, EOS, UNK

    counts = getattr(model.vocabulary, "counts", None)
    if counts is None:
        return
    words = int(counts.sum()) - int(counts[BOS]) - int(counts[EOS])
    if 2 * int(counts[UNK]) > words:
        share = 100 * int(counts[UNK]) / words
        console.remark(f"{share:.0f} % of the tokens are unknown to this vocabulary")
