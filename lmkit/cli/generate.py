"""``lmkit generate``: draw sentences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.options import chosen_seed, model_argument, seed_option
from lmkit.cli.output import Format, output_formats, write_rows

if TYPE_CHECKING:
    from lmkit.model import LanguageModel

COLUMNS = ["text", "tokens", "log10_probability", "seed"]


@command()
@model_argument
@click.option("--prompt", default="", show_default=False, help="How each sentence begins.")
@click.option(
    "-n",
    "--number",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many sentences: 5, or 1 with --greedy.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=50,
    metavar="N",
    help="Where a sentence is broken off that has not ended, not counting the prompt.",
)
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    metavar="T",
    help="Below 1 favours likely tokens, above 1 unlikely ones.",
)
@click.option(
    "--top-k", type=int, metavar="K", help="Draw from the K likeliest tokens only.  [default: all]"
)
@click.option(
    "--top-p",
    type=float,
    metavar="P",
    help="Draw from the fewest tokens that hold P of the probability.  [default: all]",
)
@click.option("--greedy", is_flag=True, help="Take the likeliest token each time.")
@click.option(
    "--unknown/--no-unknown",
    default=False,
    show_default=False,
    help="Whether <unk> may be drawn; it may not if neither is given.",
)
@seed_option
@output_formats
@pass_console
def generate(
    console: Console,
    model: Path,
    prompt: str,
    number: int | None,
    max_tokens: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    greedy: bool,
    unknown: bool,
    seed: int | None,
    fmt: Format,
) -> None:
    """Draw sentences from a model.

    Each sentence begins with the prompt and goes on to its end, one a line. The
    seed is printed to standard error; the same seed and options draw the same
    sentences. In the output formats, tokens counts those that were drawn, with
    the </s> that ends the sentence, and log10_probability is theirs under MODEL
    itself, whatever the temperature.

    Example:

        lmkit generate model.lm --prompt "The" -n 3 --top-p 0.9 --seed 1
    """
    from lmkit.api import load
    from lmkit.cli.ngrams_only import refuse_ends
    from lmkit.measures import LN10
    from lmkit.sampling import Sampling

    sampling = Sampling(temperature, top_k, top_p, greedy)
    source = load(model)
    refuse_ends(source, prompt, "leaving it out: each sentence is drawn from <s> to </s>")
    beginning = _prompt_length(console, source, prompt)
    seed = chosen_seed(console, seed)
    drawn = source.generate(
        number or (1 if greedy else 5),
        prompt=prompt,
        max_tokens=max_tokens,
        sampling=sampling,
        seed=seed,
        unknown=unknown,
    )
    if fmt == "table":
        for sentence in drawn:
            console.write_line(sentence.text)
        return
    rows = (
        (sentence.text, len(sentence.ids) - beginning, sentence.log_probability / LN10, seed)
        for sentence in drawn
    )
    write_rows(console, rows, COLUMNS, fmt)


def _prompt_length(console: Console, source: LanguageModel, prompt: str) -> int:
    """Tokens of the prompt; says how many of them the model does not know."""
    from lmkit.model import UNK

    ids = source.encoder.encode_prompt(prompt)
    unknown = int((ids == UNK).sum())
    if unknown:
        console.remark(f"{unknown} of {len(ids)} tokens of the prompt are unknown to the model")
    return len(ids)
