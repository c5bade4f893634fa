"""``lmkit train-tokenizer``: text in, a tokenizer out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import OptionalValue, command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.layout import megabytes
from lmkit.cli.model_options import Lowercase
from lmkit.cli.options import output_option, reading_options, say_replaced, text_source
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.cli.tokenizer_options import flag_of, tokenizer_names
from lmkit.errors import UsageError
from lmkit.text.normalization import LANGUAGES

if TYPE_CHECKING:
    from lmkit.store.tokenizer_files import StoredTokenizer

IMPORTING = ("pattern", "special_tokens", "lowercase")
"""What the files of other programs may not say."""


@command("train-tokenizer")
@click.argument("texts", nargs=-1, type=InputPath(), metavar="TEXT...")
@output_option
@click.option(
    "--tokenizer",
    metavar="NAME",
    help="The kind of tokenizer that learns: bpe or unigram.  [default: bpe]",
)
@click.option(
    "--vocabulary-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many tokens it has, the 256 bytes among them.  [default: 8000]",
)
@click.option(
    "--pattern",
    metavar="PATTERN",
    help="What no token reaches across: the pieces of gpt2, gpt4, none (whole lines) or a regular"
    " expression.  [default: gpt2]",
)
@click.option(
    "--special-token",
    "special_tokens",
    multiple=True,
    metavar="TOKEN",
    help="Text that is one token wherever it stands, such as '<|end|>'; may be given several times."
    " With --from, for tiktoken's ranks: '<|end|>=50256', with its id.",
)
@click.option(
    "--lowercase",
    cls=OptionalValue,
    known=LANGUAGES,
    type=Lowercase(),
    metavar="[LANGUAGE]",
    help="Turn all text into lower case, by the rules of Turkish (tr), Azerbaijani (az) or"
    " Lithuanian (lt) if one is named.",
)
@click.option(
    "--normalize",
    type=click.Choice(["nfc", "nfkc", "none"]),
    help="Unicode normalization.  [default: none]",
)
@click.option(
    "--from",
    "source",
    type=InputPath(path_type=Path),
    metavar="FILE",
    help="Instead of learning: a tokenizer.json, vocab.json with merges.txt beside it, tiktoken's"
    " ranks, sentencepiece's .model, BERT's vocab.txt, or an lmkit model.",
)
@reading_options
@pass_console
def train_tokenizer(
    console: Console, texts: tuple[str, ...], output: Path, source: Path | None, **given: Any
) -> None:
    """Learn a tokenizer from text, and write it to a file.

    TEXT is one or several files, - or none is standard input. OUTPUT is for lmkit train
    --tokenizer OUTPUT, lmkit tokenize and lmkit info: it is an SQLite file as a model is, with
    the tables vocabulary, merges and pieces. The same text and options give the same tokenizer.

    Example:

        lmkit train-tokenizer text.txt --tokenizer bpe --vocabulary-size 500 --output t.tok
        lmkit train text.txt --tokenizer t.tok --output model.lm
    """
    options = {key: value for key, value in given.items() if value not in (None, ())}
    if source is not None:
        _import(console, source, output, texts, options)
        return
    if not texts:
        if console.stdin_is_terminal or console.stdin is None:
            raise UsageError("no TEXT to learn from", "a file name, or - for standard input")
        texts = ("-",)
    if options.get("tokenizer", "bpe") not in (learnt := tokenizer_names(learnt=True)):
        raise UsageError(
            f"{options['tokenizer']!r} is not a tokenizer that learns from text",
            f"--tokenizer {' or '.join(learnt)}",
        )
    from lmkit.api import train_tokenizer as learn

    with ProgressBars(console) as bars:
        made = learn(
            *(text_source(console, text) for text in texts),
            output=output,
            progress=bars.stages(),
            **options,
        )
    say_replaced(console, made.runs[-1]["options"].get("replaced", 0))
    _summary(console, output, made)


def _import(
    console: Console, source: Path, output: Path, texts: tuple[str, ...], options: dict[str, Any]
) -> None:
    from lmkit.store.modelfile import is_model_file
    from lmkit.store.tokenizer_making import import_tokenizer

    if texts:
        raise UsageError(
            f"--from {source} brings a tokenizer that has learnt: {texts[0]} would not be read",
            "leaving out one of them",
        )
    options.pop("errors")
    known = () if is_model_file(source) else IMPORTING
    if wrong := [key for key in options if key not in known]:
        flag = "--special-token" if wrong[0] == "special_tokens" else flag_of(wrong[0])
        raise UsageError(
            f"{flag} means nothing to a tokenizer that has learnt, as that of --from has",
            f"leaving out {flag}",
        )
    if "special_tokens" in options:
        options["special_tokens"] = dict(map(_with_id, options["special_tokens"]))
    if "lowercase" in options:
        options["lowercase"] = True
    _summary(console, output, import_tokenizer(source, output=output, **options))


def _with_id(given: str) -> tuple[str, int]:
    token, _, number = given.rpartition("=")
    if not token or not (number.isascii() and number.isdigit()):
        raise UsageError(
            f"--special-token {given} has no id, which a token of a file needs",
            "--special-token '<|endoftext|>=50256'",
        )
    return token, int(number)


def _summary(console: Console, output: Path, made: StoredTokenizer) -> None:
    parts = [f"{output}: {made.tokenizer}, {len(made.vocabulary or ()):,} tokens"]
    if made.figures is not None and made.figures["tokens"]:
        figures = made.figures
        per_word = figures["tokens_per_word"]
        words = "" if per_word is None else f", {per_word:.2f} tokens a word"
        parts.append(f"{figures['characters_per_token']:.2f} characters a token{words}")
        parts.append(f"{megabytes(figures['bytes'])} of text in {made.runs[-1]['seconds']:.1f} s")
    console.remark("; ".join(parts))
