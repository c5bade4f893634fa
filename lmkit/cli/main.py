"""The ``lmkit`` command: the table of commands, and what becomes of errors.

Nothing heavy is imported before a command needs it: the table holds strings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from lmkit import __version__
from lmkit.cli.command import LazyGroup
from lmkit.cli.console import Console
from lmkit.cli.ending import Ended, ended_by_signals
from lmkit.cli.failures import abandon, report
from lmkit.errors import ExitCode
from lmkit.remarks import heard

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Make a model": {
        "train": ("lmkit.cli.train:train", "Train a model on text, and write it to a file."),
        "train-tokenizer": (
            "lmkit.cli.train_tokenizer:train_tokenizer",
            "Learn a tokenizer from text, and write it to a file.",
        ),
        "mix": ("lmkit.cli.mix:mix", "Mix models of any kind into one that is better than each."),
        "prune": ("lmkit.cli.prune:prune", "Drop n-grams that a model can do without."),
        "quantize": (
            "lmkit.cli.quantize:quantize",
            "Store the weights of a network in fewer bytes.",
        ),
        "import": (
            "lmkit.cli.import_:import_",
            "Make a model from an ARPA file, or from n-gram counts.",
        ),
    },
    "Use a model": {
        "perplexity": ("lmkit.cli.perplexity:perplexity", "Measure how well models predict text."),
        "compare": (
            "lmkit.cli.compare:compare",
            "Compare models of every kind on the same text.",
        ),
        "minimal-pairs": (
            "lmkit.cli.minimal_pairs:minimal_pairs",
            "Count how often models prefer the good of two sentences.",
        ),
        "score": ("lmkit.cli.score:score", "Score each line or token of text, or filter lines."),
        "classify": (
            "lmkit.cli.classify:classify",
            "Say which model each line is likeliest to come from.",
        ),
        "surprisal": (
            "lmkit.cli.surprisal:surprisal",
            "Give the surprisal of each word or token in bits.",
        ),
        "generate": (
            "lmkit.cli.generate:generate",
            "Draw sentences from a model, or search for the likeliest.",
        ),
        "correct": ("lmkit.cli.correct:correct", "Correct the spelling of text."),
        "suggest": ("lmkit.cli.suggest:suggest", "Suggest what may have been meant by a word."),
        "serve": ("lmkit.cli.serve:serve", "Answer requests over HTTP with a model."),
    },
    "Look inside": {
        "counts": (
            "lmkit.cli.counts:counts",
            "List the likeliest tokens after a context, with counts.",
        ),
        "explain": (
            "lmkit.cli.explain:explain",
            "Show how each probability comes about, order by order.",
        ),
        "tokenize": (
            "lmkit.cli.tokenize:tokenize",
            "Show the tokens of text, their ids and where they are.",
        ),
        "info": (
            "lmkit.cli.info:info",
            "Say what a model or a tokenizer is, and what made it.",
        ),
        "tables": ("lmkit.cli.tables:tables", "Add readable tables to a model file."),
    },
    "Beside it": {
        "export": (
            "lmkit.cli.export:export",
            "Write a model or a tokenizer for other programs.",
        ),
        "data": ("lmkit.cli.data:data", "List and fetch data sets."),
        "completion": ("lmkit.cli.completion:completion", "Print the shell's completion script."),
    },
}

COMPLETION_VARIABLE = "_LMKIT_COMPLETE"


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        console = context.find_object(Console) or Console.of_process()
        console.write_line(f"lmkit {__version__}")
        context.exit()


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def cli() -> None:
    """Classic language models: train, score and generate.

    TEXT is a file, read directly also as .gz, .bz2 or .xz; - or none is standard input.
    Results go to standard output, remarks and progress to standard error.

    Example:

        lmkit train text.txt --output model.lm
        lmkit perplexity model.lm text.txt
        lmkit generate model.lm -n 3 --seed 1
    """


def main(args: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run one command line (``sys.argv`` by default) and return its exit status."""
    if COMPLETION_VARIABLE in os.environ and args is None:
        from click.shell_completion import shell_complete

        return shell_complete(
            cli, {}, "lmkit", COMPLETION_VARIABLE, os.environ[COMPLETION_VARIABLE]
        )
    if console is not None:
        return _run(args, console)
    with ended_by_signals():
        status = _run(args, Console.of_process())
        abandon()
        return status


def _run(args: Sequence[str] | None, console: Console) -> int:
    try:
        try:
            words = list(sys.argv[1:] if args is None else args)
            with (
                heard(lambda text: console.remark(f"note: {text}")),
                cli.make_context("lmkit", words, obj=console) as top,
            ):
                cli.invoke(top)
        except click.exceptions.Exit as ended:
            console.flush()
            return ended.exit_code
        console.flush()
        return ExitCode.OK
    except Ended:
        raise
    except BaseException as error:  # noqa: BLE001 - the one place where all errors end
        return report(error, console)
