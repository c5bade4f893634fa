"""``lmkit generate``: draw sentences, or search for the likeliest ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.layout import on_terminal
from lmkit.cli.options import chosen_seed, model_argument, seed_option
from lmkit.cli.output import Format, output_formats, write_rows
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.model import LanguageModel

COLUMNS = ["text", "tokens", "log10_probability", "seed"]
FOUND_COLUMNS = ["text", "tokens", "log10_probability", "score"]


SENTENCE_TOKENS = 50
THROUGH_TOKENS = 500
"""How many tokens are drawn at most if nothing is said: for a line, and if lines do not count."""


@command()
@model_argument
@click.option(
    "--prompt",
    default="",
    show_default=False,
    help="How each sentence begins. Of several lines, the last one begins it, and the others"
    " come before it.",
)
@click.option(
    "-n",
    "--number",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many sentences: 5, or 1 with --greedy or --beam.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="The most tokens of a sample, not counting the prompt."
    f"  [default: {SENTENCE_TOKENS} for each of --lines, {THROUGH_TOKENS} with --through-lines]",
)
@click.option(
    "--lines",
    type=click.IntRange(min=1),
    metavar="N",
    help="Go on over line ends, until N lines have ended.  [default: 1]",
)
@click.option(
    "--through-lines",
    is_flag=True,
    help="Go on over line ends, until --max-tokens are drawn.",
)
@click.option(
    "--temperature",
    type=float,
    metavar="T",
    help="Below 1 favours likely tokens, above 1 unlikely ones.  [default: 1]",
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
@heading(
    "Beam search",
    click.option(
        "--beam",
        type=click.IntRange(min=1),
        metavar="N",
        help="Draw nothing: search for the likeliest sentences, keeping N states at each step.",
    ),
    click.option(
        "--length-penalty",
        type=click.FloatRange(min=0),
        metavar="A",
        help="Divide log-probabilities by tokens to the power A: 1 for the mean, which favours"
        " longer sentences.  [default: 0]",
    ),
)
@output_formats
@pass_console
def generate(
    console: Console,
    model: Path,
    prompt: str,
    number: int | None,
    max_tokens: int | None,
    lines: int | None,
    through_lines: bool,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    greedy: bool,
    unknown: bool,
    seed: int | None,
    beam: int | None,
    length_penalty: float | None,
    fmt: Format,
) -> None:
    """Draw sentences from a model, or search for the likeliest.

    Each sentence begins with the prompt and goes on to its end, one a line. The
    seed is printed to standard error; the same seed and options draw the same
    sentences. In the output formats, tokens counts those that were drawn, with
    the </s> that ends the sentence, and log10_probability is theirs under MODEL
    itself, whatever the temperature.

    With --lines or --through-lines a sample has several lines, and an empty line stands
    between two samples. A network carries its state over line ends, as over those of a prompt
    of several lines; n-grams begin each line anew.

    A model of subwords may draw parts of a character. One that is not whole at the end is left
    out; what can never be one is U+FFFD. The tokens of the prompt are whole: what is drawn begins
    a token of its own.

    With --beam nothing is drawn: of all sentences that could be, those of the highest
    probability are searched for, and listed with the best first. The score that ranks
    them is log10_probability, over the --length-penalty.

    Example:

        lmkit generate model.lm --prompt "The" -n 3 --top-p 0.9 --seed 1
        lmkit generate model.lm --prompt "The" -n 3 --beam 20 --length-penalty 1
        lmkit generate model.lm --prompt "The" -n 2 --lines 3
    """
    from lmkit.api import load
    from lmkit.cli.ngrams_only import refuse_ends
    from lmkit.measures import LN10
    from lmkit.sampling import Sampling
    from lmkit.text.subwords.streaming import whole_characters

    drawing = {"temperature": temperature, "top-k": top_k, "top-p": top_p, "seed": seed}
    drawing |= {"lines": lines, "through-lines": through_lines or None}
    _check_search(beam, number, length_penalty, {**drawing, "greedy": greedy or None})
    if through_lines and lines is not None:
        raise UsageError(
            "--lines says where a sample ends, --through-lines that no line end ends it",
            f"--lines {lines} alone",
        )
    stops = None if through_lines else lines or 1
    sampling = Sampling(1.0 if temperature is None else temperature, top_k, top_p, greedy)
    source = load(model)
    refuse_ends(source, prompt, "leaving it out: each sentence is drawn from <s> to </s>")
    beginning = _prompt_length(console, source, prompt)
    usual = THROUGH_TOKENS if stops is None else SENTENCE_TOKENS * stops
    common: dict[str, Any] = {
        "prompt": prompt,
        "max_tokens": max_tokens or usual,
        "unknown": unknown,
    }
    if beam is None:
        seed = chosen_seed(console, seed)
        number = number or (1 if greedy else 5)
        sentences = source.generate(number, sampling=sampling, seed=seed, lines=stops, **common)
    else:
        sentences = source.beam_search(
            number or 1, beam=beam, length_penalty=length_penalty or 0.0, **common
        )
    texts = [sentence.text for sentence in sentences]
    if source.unit == "subword":
        texts = list(map(whole_characters, texts))
    if fmt == "table":
        apart = "\n" if stops != 1 or "\n" in prompt else ""
        _write_texts(console, texts, apart)
        return
    rows = (
        (
            text,
            len(sentence.ids) - beginning,
            sentence.log_probability / LN10,
            seed if sentence.score is None else sentence.score / LN10,
        )
        for text, sentence in zip(texts, sentences, strict=True)
    )
    write_rows(console, rows, COLUMNS if beam is None else FOUND_COLUMNS, fmt)


def _write_texts(console: Console, texts: list[str], apart: str) -> None:
    """Each text on lines of its own, with ``apart`` between two: as it is, byte by byte, but for
    what a terminal should not get."""
    for number, text in enumerate(texts):
        before = apart if number else ""
        if console.stdout_is_terminal:
            console.write_line(before + on_terminal(text))
        else:
            console.write_bytes(f"{before}{text}\n".encode(errors="surrogateescape"))


def _check_search(
    beam: int | None, number: int | None, length_penalty: float | None, drawing: dict[str, Any]
) -> None:
    """Raises `UsageError` for options of a search without one, and the other way round."""
    if beam is None:
        if length_penalty is not None:
            raise UsageError("--length-penalty is for a beam search", "--beam 10")
        return
    for name, value in drawing.items():
        if value is not None:
            raise UsageError(
                f"--beam draws nothing, so --{name} means nothing to it",
                f"leaving out --{name} or --beam",
            )
    if beam < (number or 1):
        raise UsageError(f"a beam of {beam} cannot hold {number} sentences", f"--beam {number}")


def _prompt_length(console: Console, source: LanguageModel, prompt: str) -> int:
    """Tokens of the prompt; says how many of them the model does not know."""
    from lmkit.model import UNK

    ids = source.encoder.encode_prompt(prompt)
    unknown = int((ids == UNK).sum())
    if unknown:
        console.remark(f"{unknown} of {len(ids)} tokens of the prompt are unknown to the model")
    return len(ids)
