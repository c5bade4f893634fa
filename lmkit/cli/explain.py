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
from lmkit.cli.layout import display_width, text
from lmkit.cli.options import model_argument
from lmkit.cli.output import Format, output_formats, write_rows

if TYPE_CHECKING:
    from lmkit.ngram.explain import Step
    from lmkit.ngram.model import NgramModel


@command()
@model_argument
@click.argument("sentence", metavar="SENTENCE")
@output_formats
@pass_console
def explain(console: Console, model: Path, sentence: str, fmt: Format) -> None:
    """Show how each probability comes about, order by order.

    For each token of SENTENCE under MODEL, from the unigram up: the context of that
    order, how often the token was seen there of how many times in all, and the formula
    with its numbers:

      (7 - 1.27) / 166 + 0.58 × 0.0012 = 0.035   interpolated: its own discounted
                                 share, plus what the context leaves to the order below
      0.61 × 0.014 = 0.0086      never seen there: the context's backoff weight times
                                 the order below

    After a context that was never seen, the order below stands as it is. Kneser-Ney's
    lower orders count in how many contexts a token was seen, not how often. A token's
    last line is its probability.

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
        contexts = [text(step.context) for step in token]
        seen = [_seen(step) for step in token]
        widths = max(map(display_width, contexts)), max(map(len, seen))
        for step, context, found in zip(token, contexts, seen, strict=True):
            gap = " " * (widths[0] - display_width(context))
            console.write_line(
                f"  {step.order}  {gap}{context}  {found.rjust(widths[1])}  {step.formula}"
            )
    total = sum(math.log10(p) if (p := token[-1].probability) else -math.inf for token in steps)
    if model.normalised:
        perplexity = f", perplexity {10 ** (-total / len(steps)):.4g}"
        console.write_line(f"log10 probability {total:.4f}{perplexity}, {len(steps)} tokens")
    else:
        console.write_line(f"log10 score {total:.4f}, {len(steps)} tokens")


def _seen(step: Step) -> str:
    """How often the n-gram was seen of how often its context was, as far as that is known."""
    if step.found == "nothing":
        return "not seen"
    if step.count is not None and step.total is not None:
        return f"{step.count} of {step.total}"
    if step.count is not None:
        return f"{step.count}"
    return "only context" if step.found == "context" else "n-gram"
