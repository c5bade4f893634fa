"""``lmkit export``: models for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import model_argument, output_option
from lmkit.cli.paths import InputPath
from lmkit.errors import UnsupportedError, UsageError

TOKENIZERS = ("tokenizer.json", "gpt2", "tiktoken", "vocab.txt")


@command()
@model_argument
@output_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["arpa", "counts", *TOKENIZERS]),
    help="arpa: probabilities in ARPA's backoff format; counts: n-grams and their counts. Of a"
    " tokenizer: Hugging Face's tokenizer.json, gpt2 (vocab.json and merges.txt in the folder"
    " OUTPUT), tiktoken (ranks), vocab.txt (of WordPiece).  [default: arpa, or tokenizer.json]",
)
@click.option(
    "--valid",
    type=InputPath(path_type=Path),
    metavar="FILE",
    help="Of a mixture: say how far the one n-gram model that it becomes is off on FILE.",
)
@pass_console
def export(
    console: Console, model: Path, output: Path, kind: str | None, valid: Path | None
) -> None:
    """Write a model or a tokenizer for other programs.

    A model is for KenLM, SRILM and decoders, and scores the same there. OUTPUT is compressed
    as its name says (.gz, .bz2, .xz); - is standard output. Methods without a backoff form
    (maximum likelihood, Laplace, Lidstone, stupid backoff) have no ARPA file, and say why. A
    linear mixture of n-gram models becomes one model first, as with lmkit mix --merge. A
    tokenizer is that of a file of lmkit train-tokenizer, or that of MODEL.

    Example:

        lmkit export model.lm --format arpa --output model.arpa
        lmkit export model.lm --format counts --output counts.tsv.gz
    """
    from lmkit.api import export_model, load, merge
    from lmkit.cli.ngrams_only import require_ngrams
    from lmkit.cli.tokenizer_info import opened_tokenizer

    if kind in TOKENIZERS or (kind is None and opened_tokenizer(model) is not None):
        _export_tokenizer(console, model, output, kind or TOKENIZERS[0])
        return
    kind = kind or "arpa"
    opened: Any = load(model)
    if opened.backend == "mixture":
        opened = merge(opened, valid=valid)
        for note in opened.facts["smoothing"]["notes"]:
            console.remark(f"merged: {note}")
    require_ngrams(opened, model)
    if str(output) == "-":
        export_model(opened, console.binary(), kind)
        return
    export_model(opened, output, kind)
    console.remark(f"{output}: {sum(opened.trie.sizes):,} n-grams")


def _export_tokenizer(console: Console, file: Path, output: Path, kind: str) -> None:
    """Write the tokenizer of ``file``, of lmkit's, for other programs.

    Raises `UnsupportedError` where there is none, or what it does cannot be written.
    """
    from lmkit.store.tokenizer_files import open_tokenizer
    from lmkit.text.subwords.formats.writing import write

    stored = open_tokenizer(file)
    settings = stored.settings
    if stored.vocabulary is None:
        raise UnsupportedError(
            f"the tokenizer {stored.tokenizer} of {file} has no vocabulary, and no file",
            "a tokenizer of lmkit train-tokenizer",
        )
    changed = [f"--normalize {settings.normalize}"] if settings.normalize != "none" else []
    changed += ["--lowercase"] if settings.lowercase else []
    if changed:
        raise UnsupportedError(
            f"the tokenizer of {file} was made with {' and '.join(changed)}, which files of other"
            " programs do not say",
            "a tokenizer made without, of text that was changed before",
        )
    if kind == "gpt2" and output.is_file():
        raise UsageError(
            f"{output} is a file, and gpt2 is two files in a folder", "--output of another name"
        )
    written = write(stored.tokenizer, output, kind)
    if str(output) != "-":
        console.remark(f"{', '.join(map(str, written))}: {kind}, {len(stored.vocabulary):,} tokens")
