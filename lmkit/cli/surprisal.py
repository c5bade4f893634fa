"""``lmkit surprisal``: words or tokens with what studies of reading ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import (
    model_argument,
    reading_options,
    say_replaced,
    special_tokens_option,
    text_argument,
    text_source,
)
from lmkit.cli.output import Format, Row, RowWriter, output_formats
from lmkit.cli.progress import ProgressBars


@command()
@model_argument
@text_argument
@click.option("--words", is_flag=True, help="A row a word between white space, not a row a token.")
@click.option(
    "--no-entropy",
    is_flag=True,
    help="Leave out entropy and rank, which need the whole distribution each time: faster.",
)
@click.option(
    "--space",
    type=click.Choice(["leading", "trailing"]),
    default="leading",
    help="Models whose tokens hold spaces: which word pays for the space between two, the one"
    " after it, or the one before it.",
)
@click.option(
    "--state",
    type=click.Choice(["carry", "line"]),
    help="Networks: go on from line to line, or start anew on each.  [default: line]",
)
@special_tokens_option
@reading_options
@output_formats
@pass_console
def surprisal(
    console: Console,
    model: Path,
    text: str | None,
    words: bool,
    no_entropy: bool,
    space: str,
    state: str | None,
    special_tokens: str | None,
    encoding: str | None,
    errors: str,
    fmt: Format,
) -> None:
    """Give the surprisal of each word or token in bits.

    With --words, the tokens of what stands between white space are summed: subwords,
    letters, and punctuation that touches the word. The end of a sentence, </s>, is a
    row of its own, so that the rows of a sentence sum to its log-probability.

      line, sentence  count from 1 in TEXT
      word_number     counts from 1 in the sentence
      word            the word as it stands there (or the token, as MODEL has it)
      start, end      its place in the line: from 0, the end exclusive
      tokens          how many it has
      surprisal       -log2 of its probability after all before it in the line
      entropy         of the distribution before it, in bits
      rank            how many tokens were likelier than its first, and one
      oov             whether a token in it is unknown to MODEL
      spelling        bits of the letters of unknown tokens, not part of surprisal

    Entropy and rank are those of the first token of a word. In CSV and TSV what is
    missing is NA, as R has it.

    Example:

        lmkit surprisal model.lm text.txt --words
        lmkit surprisal model.lm text.txt --words --csv
    """
    source = text_source(console, text)

    from lmkit.api import load
    from lmkit.evaluate.surprisal import columns, surprisal_rows
    from lmkit.text.encodings import encoded
    from lmkit.text.reading import TextReader, iter_line_blocks

    scorer = load(model)
    with ProgressBars(console, shares_terminal=True) as bars:
        reader = TextReader(
            encoded(source, encoding),
            errors,
            chunk_bytes=1 << 16,
            eager=True,
            progress=bars.bar("surprisal"),
            **scorer.encoder.settings.reading,
        )
        blocks = surprisal_rows(
            scorer,
            iter_line_blocks(reader),
            words=words,
            whole=not no_entropy,
            space=space,
            state=state,
            special_tokens=special_tokens,
        )
        with RowWriter(console, columns(words, not no_entropy), fmt) as writer:
            for rows in blocks:
                writer.write(list(_with_na(rows)) if fmt in ("csv", "tsv") else rows)
                console.flush()
    say_replaced(console, reader.replaced)


def _with_na(rows: Iterable[Row]) -> Iterator[Sequence[Any]]:
    """``rows`` with NA for what is missing."""
    for row in rows:
        yield ["NA" if value is None else value for value in row] if None in row else row
