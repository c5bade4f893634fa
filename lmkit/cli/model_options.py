"""Options that say how a model is made: shared by ``train``, ``import`` and whatever else
makes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.options import Cutoffs, Decorator, empty_lines_option
from lmkit.registry import names

if TYPE_CHECKING:
    from lmkit.text.settings import TextSettings

TEXT_OPTIONS = (
    "tokenizer",
    "lowercase",
    "normalize",
    "segment",
    "skip_empty_lines",
    "special_tokens",
)


class Discounts(click.ParamType):
    """Discounts of one order: a number, or several with commas between them."""

    name = "discounts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of discounts; write 0.75 or 0.5,1,1.5", param, ctx)


def _applied(function: Callable[..., Any], options: list[Decorator]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


def smoothing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the smoothing method and what it can be told. Not given is None."""
    return _applied(
        function,
        [
            click.option(
                "--smoothing",
                type=click.Choice(names("smoothing")),
                show_default=False,
                metavar="METHOD",
                help=f"One of {', '.join(names('smoothing'))}.  [default: modified-kneser-ney]",
            ),
            click.option(
                "--form",
                type=click.Choice(["interpolated", "backoff"]),
                help="Which of the two, for methods that have both.  [default: interpolated]",
            ),
            click.option(
                "--discount",
                "discounts",
                type=Discounts(),
                multiple=True,
                metavar="D[,D2,D3]",
                callback=_one_or_several,
                help="Fix the discounts (absolute discounting, Kneser-Ney). Given several "
                "times: of order 1, 2, ...",
            ),
            click.option(
                "--tune",
                is_flag=True,
                default=None,
                help="Fit the discounts to the text of --valid.",
            ),
            click.option(
                "--add",
                "k",
                type=float,
                metavar="K",
                help="What lidstone adds to every count.",
            ),
            click.option(
                "--backoff-weight",
                "weight",
                type=float,
                metavar="W",
                help="The fixed weight of stupid-backoff.  [default: 0.4]",
            ),
            click.option(
                "--max-count",
                type=click.IntRange(min=0),
                metavar="K",
                help="The highest count that katz discounts.  [default: 5]",
            ),
        ],
    )


def _one_or_several(
    context: click.Context, parameter: click.Parameter, value: tuple[tuple[float, ...], ...]
) -> list[Any] | None:
    if not value:
        return None
    return list(value[0]) if len(value) == 1 else [list(one) for one in value]


def ngram_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: what an n-gram model can be told. Not given is None."""
    return _applied(
        function,
        [
            click.option(
                "--order",
                type=click.IntRange(min=1),
                metavar="N",
                help="The longest n-grams.  [default: 5]",
            ),
            smoothing_options,
            click.option(
                "--prune",
                type=Cutoffs(),
                metavar="K1,K2,...",
                help="Drop n-grams seen at most K times, an order each: 0,0,1.",
            ),
        ],
    )


def text_settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: how text becomes tokens. Not given is None."""
    return _applied(
        function,
        [
            click.option(
                "--tokenizer",
                type=click.Choice(names("tokenizer")),
                help="How a line becomes tokens; whitespace leaves tokenized text as it is."
                "  [default: word]",
            ),
            click.option(
                "--lowercase", is_flag=True, default=None, help="Turn the text into lower case."
            ),
            click.option(
                "--normalize",
                type=click.Choice(["nfc", "nfkc", "none"]),
                help="Unicode normalization.  [default: nfc; none for whitespace and byte]",
            ),
            click.option(
                "--segment",
                type=click.Choice(["line", "sentence", "paragraph"]),
                help="What one sentence is.  [default: line]",
            ),
            empty_lines_option(otherwise="Kept if neither is given; stored in the model."),
            click.option(
                "--special-tokens",
                type=click.Choice(["error", "word", "unknown"]),
                help="What a literal <s> or </s> in the text is.  [default: error]",
            ),
        ],
    )


def text_settings(options: dict[str, Any], **defaults: Any) -> TextSettings:
    """Take the text settings out of ``options``; what was not given is that of ``defaults``."""
    from lmkit.text.settings import TextSettings

    given = {key: options.pop(key) for key in TEXT_OPTIONS if key in options}
    chosen = {key: value for key, value in given.items() if value is not None}
    return TextSettings(**{**defaults, **chosen})
