"""Options that say how a model is made: shared by ``train``, ``import`` and whatever else
makes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lmkit.cli.command import FLAG, OptionalValue
from lmkit.cli.console import Console
from lmkit.cli.headings import heading
from lmkit.cli.options import Cutoffs, Decorator, Numbers, empty_lines_option
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.cli.tokenizer_options import (
    LEARNING,
    TokenizerType,
    chosen_tokenizer,
    tokenizer_names,
    tokenizer_options,
)
from lmkit.errors import UsageError
from lmkit.registry import names, resolve
from lmkit.text.normalization import LANGUAGES

if TYPE_CHECKING:
    from lmkit.model import LanguageModel
    from lmkit.text.settings import TextSettings

TEXT_OPTIONS = (
    "tokenizer",
    "pre_tokenizer",
    "lowercase",
    "normalize",
    "segment",
    "skip_empty_lines",
    "special_tokens",
    "sentence_marks",
    *LEARNING,
)


class Discounts(Numbers):
    """Discounts of one order: a number, or several with commas between them."""

    name = "discounts"
    example = "0.75 or 0.5,1,1.5"


class Lowercase(click.ParamType):
    """True, or a language whose rules for lower case differ."""

    name = "language"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bool | str:
        if value in (True, FLAG):
            return True
        if value in LANGUAGES:
            return str(value)
        return self.fail(
            f"{value!r} is not a language with its own rules for lower case; write"
            f" --lowercase alone, or with {', '.join(LANGUAGES)}",
            param,
            ctx,
        )


def smoothing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the smoothing method and what it can be told. Not given is None."""
    return heading(
        "Smoothing",
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
            help="For methods that have both: mix all orders, or use a lower one only "
            "for what was not seen.  [default: interpolated]",
        ),
        click.option(
            "--discount",
            "discounts",
            type=Discounts(),
            multiple=True,
            metavar="D[,D2,D3]",
            callback=_one_or_several,
            help="Fix the discounts (absolute-discounting, kneser-ney: one; "
            "modified-kneser-ney: three). Given several times: of order 1, 2, ...",
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
            help="What lidstone adds to every count.  [default: 0.1]",
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
    )(function)


METHOD_FLAGS = {
    "form": "--form",
    "discounts": "--discount",
    "tune": "--tune",
    "k": "--add",
    "weight": "--backoff-weight",
    "max_count": "--max-count",
}
"""What the options of the smoothing methods are called on the command line."""


def check_method_options(options: Mapping[str, Any]) -> None:
    """Raises `UsageError` where ``options`` hold one that their smoothing method has not."""
    given = [key for key in METHOD_FLAGS if key in options]
    if not given:
        return
    from lmkit.ngram.backend import DEFAULT_SMOOTHING

    chosen = options.get("smoothing", DEFAULT_SMOOTHING)
    for key in given:
        takers = [name for name in names("smoothing") if _takes(name, key, options[key])]
        if chosen not in takers:
            flag = METHOD_FLAGS[key] + (f" {options[key]}" if key == "form" else "")
            raise UsageError(
                f"{flag} means nothing to the smoothing {chosen}",
                f"leaving it out, or --smoothing {' or '.join(takers)}",
            )


def _takes(name: str, option: str, value: Any) -> bool:
    method = resolve("smoothing", name)
    return value in method.forms if option == "form" else option in method.options


def _one_or_several(
    context: click.Context, parameter: click.Parameter, value: tuple[tuple[float, ...], ...]
) -> list[Any] | None:
    if not value:
        return None
    return list(value[0]) if len(value) == 1 else [list(one) for one in value]


def ngram_options(order: str = "5") -> Decorator:
    """Decorator: what an n-gram model can be told. Not given is None; ``order`` says what that
    means for ``--order``."""
    return lambda function: heading(
        "N-grams",
        click.option(
            "--order",
            type=click.IntRange(1, 1000),
            metavar="N",
            help=f"The longest n-grams.  [default: {order}]",
        ),
        click.option(
            "--prune",
            type=Cutoffs(),
            metavar="K1,K2,...",
            help="Drop n-grams seen at most K times, an order each: 0,0,1. The last one "
            "holds for all higher orders.",
        ),
    )(smoothing_options(function))


def valid_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: held-out text."""
    return heading(
        "Smoothing",
        click.option(
            "--valid",
            type=InputPath(),
            metavar="FILE",
            help="Held-out text: jelinek-mercer and --tune learn from it. Its perplexity under "
            "the model is printed.",
        ),
    )(function)


def say_held_out(
    console: Console,
    model: LanguageModel,
    valid: str | None,
    encoding: str | None = None,
    errors: str = "strict",
) -> None:
    """Say the perplexity of the text that `valid_option` named, if it can be read again."""
    if valid in (None, "-") or not model.normalised:
        return
    from lmkit.evaluate.perplexity import perplexity_of
    from lmkit.text.encodings import encoded

    with ProgressBars(console) as bars:
        bar = bars.bar(f"perplexity of {Path(str(valid)).name}", "tokens")
        text = encoded(Path(str(valid)), encoding)
        figures, _ = perplexity_of(model, text, errors=errors, progress=bar)
    console.remark(f"{valid}: perplexity {figures.perplexity:.2f}; {figures.tokens:,} tokens")


def text_settings_options(tokenizer: str = "word") -> Decorator:
    """Decorator: how text becomes tokens. Not given is None; for ``--tokenizer`` that is
    ``tokenizer``."""
    return heading(
        "How text becomes tokens (stored in the model)",
        click.option(
            "--tokenizer",
            type=TokenizerType(),
            metavar="NAME|FILE",
            help=f"How a line becomes tokens: {', '.join(tokenizer_names())}, or as a file says: of"
            " lmkit train-tokenizer, tokenizer.json, vocab.json, sentencepiece's .model or BERT's"
            " vocab.txt; whitespace leaves tokenized text as it is."
            f"  [default: {tokenizer}]",
        ),
        tokenizer_options,
        click.option(
            "--pre-tokenizer",
            type=click.Choice(tokenizer_names()),
            help="First cut the text into the tokens of this tokenizer, and join them with single"
            " spaces. With word, a model of characters reads what a model of words sees.",
        ),
        click.option(
            "--lowercase",
            cls=OptionalValue,
            known=LANGUAGES,
            type=Lowercase(),
            metavar="[LANGUAGE]",
            help="Turn the text into lower case, by the rules of Turkish (tr), Azerbaijani (az) or"
            " Lithuanian (lt) if one is named.",
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
        empty_lines_option(otherwise="[default: keep]"),
        click.option(
            "--special-tokens",
            type=click.Choice(["error", "word", "unknown", "drop"]),
            help="What a literal <s> or </s> in the text is; drop: a mark between sentences,"
            " which lmkit adds itself.  [default: error]",
        ),
    )


def text_settings(options: dict[str, Any], **defaults: Any) -> TextSettings:
    """Take the text settings out of ``options``; what was not given is that of ``defaults``.

    Raises `UsageError` where they contradict each other, and `LmkitError` for a tokenizer file that
    is none.
    """
    from lmkit.text.settings import TextSettings

    given = {key: options.pop(key) for key in TEXT_OPTIONS if key in options}
    chosen = {key: value for key, value in given.items() if value is not None}
    learning = {key: chosen.pop(key) for key in LEARNING if key in chosen}
    tokenizer = chosen.get("tokenizer", defaults.get("tokenizer", "word"))
    chosen |= chosen_tokenizer(tokenizer, learning, chosen)
    return TextSettings(**{**defaults, **chosen})
