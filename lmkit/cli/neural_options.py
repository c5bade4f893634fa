"""Options of ``lmkit train`` for the neural backends, and their live line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.headings import heading
from lmkit.cli.options import MODEL
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError
from lmkit.registry import family, names

if TYPE_CHECKING:
    from lmkit.neural.training.course import Report

RATE = click.FloatRange(min=0, max=1, max_open=True)
COUNT = click.IntRange(min=1)


class Duration(click.ParamType):
    """A time in seconds: ``90``, ``90s``, ``10m``, ``1h30m``."""

    name = "time"
    _form = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float | int):
            return float(value)
        found = self._form.fullmatch(str(value).strip().lower())
        parts = [] if found is None else found.groups(default="0")
        seconds = sum(float(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
        if seconds <= 0:
            self.fail(f"{value!r} is not a time; write 90s, 10m or 1h30m", param, ctx)
        return seconds


class Cuts(click.ParamType):
    """Ranks with commas between them."""

    name = "ranks"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        if isinstance(value, list):
            return value
        try:
            return [int(part) for part in str(value).split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a list of ranks; write 2000,10000", param, ctx)


def _flag(name: str, help: str) -> Any:  # noqa: A002
    return click.option(name, is_flag=True, default=None, help=help)


def _number(name: str, kind: Any, metavar: str, help: str, key: str | None = None) -> Any:  # noqa: A002
    keys = (name,) if key is None else (name, key)
    return click.option(*keys, type=kind, metavar=metavar, help=help, show_default=False)


NETWORK = (
    click.option(
        "--preset",
        type=click.Choice(["tiny", "small", "medium", "char"]),
        help="Numbers that go together; the other options change them.  [default: by the text]",
    ),
    _number("--hidden-size", COUNT, "H", "Units of a layer.", "hidden"),
    _number("--layers", COUNT, "L", "Layers; of a transformer, blocks."),
    _number("--heads", COUNT, "N", "Heads of a transformer's attention."),
    _number("--context", click.IntRange(min=2), "T", "Tokens that attention looks at."),
    click.option(
        "--positions",
        type=click.Choice(["rotary", "alibi", "t5", "none", "sinusoidal", "learnt"]),
        help="How a transformer knows where a token stands.  [default: rotary]",
    ),
    click.option(
        "--norm", type=click.Choice(["layer", "rms"]), help="Of a transformer.  [default: rms]"
    ),
    click.option(
        "--activation",
        type=click.Choice(["relu", "gelu", "squared-relu", "swiglu"]),
        help="Of a transformer.  [default: squared-relu]",
    ),
    _number("--embedding-size", COUNT, "D", "Entries of a word vector.", "embedding"),
    click.option(
        "--tied/--untied",
        "tied",
        default=None,
        help="Whether the softmax shares the word vectors.",
    ),
    _flag("--residual", "Add what enters a layer to what leaves it."),
    _flag("--layer-norm", "Normalise what enters a layer."),
    _flag("--peepholes", "Let the gates of an lstm see its cell."),
    click.option(
        "--softmax",
        type=click.Choice(names("softmax")),
        help="The output layer.  [default: full; sampled if there are more than 8,000 tokens]",
    ),
    _number("--cutoffs", Cuts(), "R,R", "Ranks at which clusters of adaptive begin."),
    _number("--samples", COUNT, "K", "Tokens that sampled and nce draw."),
)
COURSE = (
    _number("--epochs", click.FloatRange(min=0, min_open=True), "N", "Times through the text."),
    _number("--time-budget", Duration(), "TIME", "Train as well as possible in 10m, 1h30m, ..."),
    _number("--batch-size", COUNT, "B", "Streams of text that are read at the same time."),
    _number("--bptt", COUNT, "T", "Steps that gradients flow back through."),
    _flag("--random-bptt", "Vary that number at random."),
    _flag("--by-sentence", "Train on sentences by themselves; the state is not carried over."),
    _number("--hold-out", RATE, "P", "Part of TEXT to choose by, without --valid."),
    click.option(
        "--optimizer",
        type=click.Choice(names("optimizer")),
        help="[default: adam; of a transformer adamw]",
    ),
    _number("--learning-rate", float, "R", "The highest that it gets."),
    _number("--momentum", RATE, "M", "Momentum of sgd."),
    click.option("--schedule", type=click.Choice(names("schedule")), help="[default: cosine]"),
    _number("--warmup", RATE, "P", "Part of the training in which the rate rises."),
    _number("--clip", float, "X", "Largest norm of a gradient."),
    _number("--patience", click.IntRange(min=0), "N", "Stop after N validations without gain."),
    _number("--workers", COUNT, "N", "Threads.  [default: as many as cores, at most 4]"),
    _number("--checkpoint-every", Duration(), "TIME", "How often OUTPUT.checkpoint is written."),
    _flag("--resume", "Go on from OUTPUT.checkpoint."),
    click.option("--teacher", type=MODEL, metavar="MODEL", help="Learn from MODEL's predictions."),
    _number("--distillation", RATE, "P", "How much of the loss is the teacher's.  [default: 0.5]"),
)
REGULARISATION = (
    _number("--dropout", RATE, "P", "Between layers and before the softmax."),
    _number("--input-dropout", RATE, "P", "On word vectors.  [default: as --dropout]"),
    _number("--embedding-dropout", RATE, "P", "On whole words."),
    _number("--recurrent-dropout", RATE, "P", "On the state that a step reads."),
    _number("--weight-drop", RATE, "P", "On the recurrent weights."),
    _flag("--variational", "One dropout mask for all steps of a stretch."),
    _number("--weight-decay", float, "X", "Shrinks the weights."),
    _number("--activation-penalty", float, "X", "On the size of the last layer's outputs."),
    _number("--temporal-penalty", float, "X", "On how fast they change."),
    _number("--label-smoothing", RATE, "P", "Spreads a part of each target over all tokens."),
    _number(
        "--tokenizer-dropout",
        RATE,
        "P",
        "Cut the text up anew each epoch, each merge of bpe left out with the probability P.",
    ),
)

NAMES = {
    "preset", "hidden", "layers", "heads", "context", "positions", "norm", "activation",
    "embedding", "tied", "residual", "layer_norm", "peepholes",
    "softmax", "cutoffs", "samples", "epochs", "time_budget", "batch_size", "bptt", "random_bptt",
    "by_sentence", "hold_out", "optimizer", "learning_rate", "momentum", "schedule", "warmup",
    "clip", "patience", "workers", "checkpoint_every", "resume", "teacher", "distillation",
    "dropout", "input_dropout", "embedding_dropout", "recurrent_dropout", "weight_drop",
    "variational", "weight_decay", "activation_penalty", "temporal_penalty", "label_smoothing",
    "tokenizer_dropout",
}  # fmt: skip
"""Names of these options among those of the command."""
_NESTED = {
    **dict.fromkeys(
        ("peepholes", "heads", "context", "positions", "norm", "activation"), "cell_options"
    ),
    "cutoffs": "softmax_options",
    "samples": "softmax_options",
    "momentum": "optimizer_options",
}


def neural_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: what a neural network and its training can be told. Not given is None."""
    for title, options in (
        ("Regularisation of networks", REGULARISATION),
        ("Training of networks", COURSE),
        ("Neural networks (--backend rnn, gru, lstm or transformer)", NETWORK),
    ):
        function = heading(title, *options)(function)
    return function


def settle_neural_options(options: dict[str, Any]) -> None:
    """Give ``options`` the form that the backend takes.

    Raises `UsageError` where some of them are given and the backend is another.
    """
    given = sorted(NAMES & set(options))
    # A model to begin with says which backend it is of.
    if family(options.get("backend", "ngram")) != "neural" and "base" not in options:
        if given:
            flags = {"hidden": "hidden-size", "embedding": "embedding-size"}
            shown = ", ".join(f"--{flags.get(name, name.replace('_', '-'))}" for name in given)
            raise UsageError(f"{shown} is for neural networks", "--backend lstm")
        return
    for name, home in _NESTED.items():
        if name in options:
            options.setdefault(home, {})[name] = options.pop(name)


def live_line(bars: ProgressBars) -> Callable[[Report], None] | None:
    """What shows a training as it goes: tokens a second, loss, perplexity, gradient norm, time
    left; None where nothing is to be seen."""
    show = bars.line("training")
    if show is None:
        return None

    def watch(report: Report) -> None:
        show(report.progress, forms(report))

    return watch


def forms(report: Report) -> list[str]:
    """What the live line says, for wide terminals, for such of 80 columns, and for narrow ones."""
    rate, loss, norm = report.tokens_per_second, report.loss, report.gradient_norm
    left = f"{_clock(report.left)} left"
    best = report.valid_loss
    valid = ["" if best is None else f"valid {_perplexity(best, digits)}  " for digits in (4, 3)]
    return [
        f"epoch {report.epoch:.2f}  {rate:,.0f} tokens/s  loss {loss:.3f}"
        f"  perplexity {_perplexity(loss)}  {valid[0]}gradient {norm:.2f}  {left}",
        f"{rate:,.0f} tok/s  loss {loss:.3f}  ppl {_perplexity(loss)}  {valid[0]}"
        f"grad {norm:.2f}  {left}",
        f"{rate / 1000:.1f}k tok/s  loss {loss:.2f}  ppl {_perplexity(loss, 3)}  {valid[1]}"
        f"grad {norm:.1f}  {left}",
        f"loss {loss:.2f}  ppl {_perplexity(loss, 3)}  {valid[1]}{left}",
        f"loss {loss:.2f}  {left}",
    ]


def _perplexity(loss: float, digits: int = 4) -> str:
    import math

    return f"{math.exp(min(loss, 50)):.{digits}g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(min(seconds, 359_999)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
