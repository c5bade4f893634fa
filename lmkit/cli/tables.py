"""``lmkit tables``: rows for sqlite3, sqlite-utils and Datasette."""

from __future__ import annotations

from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.layout import megabytes
from lmkit.cli.options import model_argument
from lmkit.cli.output import Format, output_formats, write_rows
from lmkit.cli.progress import ProgressBars


@command()
@model_argument
@click.option("--drop", is_flag=True, help="Remove them, which makes the file smaller.")
@output_formats
@pass_console
def tables(console: Console, model: Path, drop: bool, fmt: Format) -> None:
    """Add readable tables to a model file.

    ngrams_1, ngrams_2, ... have a row for each n-gram: context, token, count, log_prob and
    log_backoff (natural logarithms), and name, the n-gram itself. context_id and token_id
    are foreign keys: the n-gram before the token, and the token as a row of ngrams_1.
    The tables are derived from the packed columns, which the model itself works with:
    they can be dropped and made again. Lists what was written.

    Browse them with sqlite3 MODEL, sqlite-utils tables MODEL or datasette MODEL.

    Example:

        lmkit tables model.lm
        lmkit tables model.lm --drop
    """
    from lmkit.ngram.tables import drop_tables, write_tables

    if drop:
        drop_tables(model)
        console.remark(f"{model}: no readable tables, {megabytes(model.stat().st_size)}")
        return
    with ProgressBars(console) as bars:
        written = write_tables(model, bars.stages())
    write_rows(console, list(written.items()), ["table", "rows"], fmt)
