"""``lmkit explain``: how each probability of a sentence comes about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.layout import ELLIPSIS, display_width, text
from lmkit.cli.options import model_argument
from lmkit.cli.output import Format, output_formats, write_rows

if TYPE_CHECKING:
    from lmkit.ngram.explain import Step
    from lmkit.ngram.model import NgramModel

NARROWEST = 16
"""Columns that a context has on any terminal, however long its formula."""


@command()
@model_argument
@click.argument("sentence", metavar="SENTENCE")
@output_formats
@pass_console
def explain(console: Console, model: Path, sentence: str, fmt: Format) -> None:
    """Show how each probability comes about, order by order.

    For each token of SENTENCE under MODEL, from the unigram up: the context of that
    order, and the formula with its numbers.

      the  (7 - 1.27) / 166 + 0.58 × 0.0012 = 0.035
           seen 7 times after "the", which was seen 166 times: its own share
           after discounting, plus what "the" leaves to the order below
      old  0 of 61: 0.58 × 0.014 = 0.0081
           never after "old": its backoff weight times the order below

    After a context that was not seen at all, the order below stands as it is.
    Kneser-Ney's lower orders count in how many contexts a token was seen, not how often.
    A token's last line is its probability.

    Example:

        lmkit explain model.lm "the cat"
    """
    from lmkit.api import load
    from lmkit.cli.ngrams_only import refuse_ends, require_ngrams
    from lmkit.ngram.explain import Step
    from lmkit.ngram.explain import explain as steps_of

    opened = require_ngrams(load(model), model)
    refuse_ends(opened, sentence)
    steps = steps_of(opened, sentence)
    if fmt == "table":
        _write_steps(console, opened, sentence, steps)
        return
    names = ["position", *(field.name for field in fields(Step))]
    rows = [(position, *astuple(step)) for position, token in enumerate(steps, 1) for step in token]
    write_rows(console, rows, names, fmt)


def _write_steps(
    console: Console, model: NgramModel, sentence: str, steps: Sequence[Sequence[Step]]
) -> None:
    from lmkit.evaluate.scoring import token_texts

    for spelling, token in zip(token_texts(model, model.batch(sentence)), steps, strict=True):
        name = text(spelling)
        unknown = (
            "" if spelling == token[0].token else f"  (not in the vocabulary: {token[0].token})"
        )
        console.write_line(console.style(name, bold=True) + unknown)
        lines = [_counted(step) for step in token]
        left = console.width - max(map(len, lines)) - len("  9    ")
        room = max(left, NARROWEST) if console.stdout_is_terminal else None
        contexts = [_end_of(text(step.context), room) for step in token]
        widest = max(map(display_width, contexts))
        for step, context, line in zip(token, contexts, lines, strict=True):
            gap = " " * (widest - display_width(context))
            console.write_line(f"  {step.order}  {gap}{context}  {line}")
    total = sum(math.log10(p) if (p := token[-1].probability) else -math.inf for token in steps)
    if model.normalised:
        perplexity = f", perplexity {10 ** (-total / len(steps)):.4g}"
        console.write_line(f"log10 probability {total:.4f}{perplexity}, {len(steps)} tokens")
    else:
        console.write_line(f"log10 score {total:.4f}, {len(steps)} tokens")


def _counted(step: Step) -> str:
    """The formula of ``step``, behind how often the n-gram was seen where it does not say so."""
    if step.found == "nothing" or step.total == 0:
        return f"context not seen: {step.formula}"
    if "/" in step.formula or (step.found == "n-gram" and step.count is None):
        return step.formula
    if step.count is None:
        return f"not seen there: {step.formula}"
    whole = "" if step.total is None else f" of {step.total}"
    return f"{step.count}{whole}: {step.formula}"


def _end_of(context: str, room: int | None) -> str:
    """``context``, without its first words where there is no ``room`` for them."""
    if room is None or display_width(context) <= room:
        return context
    words = context.split(" ")
    while len(words) > 1 and display_width(" ".join(words)) + 2 > room:
        del words[0]
    return f"{ELLIPSIS} {' '.join(words)}"
