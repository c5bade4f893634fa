"""How a network reads a running text: options that `lmkit perplexity` and `lmkit score` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from lmkit.cli.console import Console
from lmkit.cli.headings import heading
from lmkit.cli.options import Decorator
from lmkit.cli.paths import InputPath
from lmkit.cli.progress import ProgressBars
from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.model import LanguageModel

State = Literal["carry", "line"]

THREADS = "Threads; they change no score.  [default: as many as cores, at most 4]"
PART = click.FloatRange(min=0, max=1, max_open=True)
NEEDS = {
    "cache_weight": "cache",
    "cache_flatness": "cache",
    "dynamic_decay": "dynamic",
    "dynamic_steps": "dynamic",
}
"""Options that mean nothing without another."""


def running_options(default: State, workers: str = THREADS) -> Decorator:
    """Decorator: how a network reads a running text. Not given is None, which for ``--state``
    means ``default``, or to carry it where a cache or dynamic evaluation is asked for;
    ``workers`` says what those are."""
    otherwise = default if default == "carry" else "line; carry with what follows"
    return heading(
        "Networks",
        click.option(
            "--state",
            type=click.Choice(["carry", "line"]),
            help=f"Go on from line to line, or start anew on each.  [default: {otherwise}]",
        ),
        click.option(
            "--cache",
            type=click.IntRange(min=1),
            metavar="N",
            help="Mix in a continuous cache of the last N tokens, such as 2000.",
        ),
        click.option("--cache-weight", type=PART, metavar="P", help="Its weight.  [default: 0.2]"),
        click.option(
            "--cache-flatness",
            type=click.FloatRange(min=0),
            metavar="X",
            help="How sharply it chooses.  [default: 11]",
        ),
        click.option(
            "--tune-cache",
            type=InputPath(),
            metavar="VALID",
            help="Fit both to the held-out text VALID. The cache has 2000 tokens unless --cache"
            " says otherwise.",
        ),
        click.option(
            "--dynamic",
            type=click.FloatRange(min=0, min_open=True),
            metavar="R",
            help="Learn on the way (dynamic evaluation), at rate R, such as 0.5.",
        ),
        click.option(
            "--dynamic-decay",
            type=PART,
            metavar="X",
            help="How fast that is forgotten.  [default: 0.002]",
        ),
        click.option(
            "--dynamic-steps",
            type=click.IntRange(min=1),
            metavar="N",
            help="Tokens that are learnt from at once.  [default: 20]",
        ),
        click.option(
            "--stride",
            type=click.IntRange(min=1),
            metavar="N",
            help="Read windows as long as a transformer's context, each N tokens further.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            metavar="N",
            help=workers,
        ),
    )


def given_running(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``options`` that were given.

    Raises `UsageError` for one that means nothing without another, or beside it.
    """
    given = {key: value for key, value in options.items() if value is not None}
    for name, other in NEEDS.items():
        tuned = other == "cache" and "tune_cache" in given
        if name in given and tuned:
            raise UsageError(
                f"--tune-cache finds the {name.replace('cache_', '')} of the cache itself",
                f"leaving out --{name.replace('_', '-')} or --tune-cache",
            )
        if name in given and other not in given:
            example = "--cache 2000" if other == "cache" else "--dynamic 0.5"
            raise UsageError(f"--{name.replace('_', '-')} is nothing without --{other}", example)
    return given


def settled_running(
    console: Console,
    bars: ProgressBars,
    model: LanguageModel,
    given: dict[str, Any],
    encoding: str | None = None,
    **reading: Any,
) -> dict[str, Any]:
    """``given`` (of `given_running`) for ``model``, a cache fitted to the text of
    ``--tune-cache``, which is in ``encoding`` and read as ``reading`` says; says what was found
    there. A network gets its ``--workers``."""
    given = dict(given)
    workers = given.pop("workers", None)
    if workers is not None and hasattr(model, "workers"):
        model.workers = workers
    if "tune_cache" not in given:
        return given
    from lmkit.evaluate.perplexity import fitted_cache
    from lmkit.text.encodings import encoded

    options = dict(given)
    valid = Path(options.pop("tune_cache"))
    size = {"size": options["cache"]} if "cache" in options else {}
    bar = bars.bar(f"cache for {valid.name}", "tokens")
    fit = fitted_cache(model, encoded(valid, encoding), progress=bar, **size, **reading)
    console.remark(
        f"cache of {fit.size:,} tokens: weight {fit.weight:.3g}, flatness {fit.flatness:.3g},"
        f" fitted to {valid} (perplexity {_perplexity(fit.before)} without it,"
        f" {_perplexity(fit.after)} with it)"
    )
    return {
        **options,
        "cache": fit.size,
        "cache_weight": fit.weight,
        "cache_flatness": fit.flatness,
    }


def _perplexity(loss: float) -> str:
    import math

    return f"{math.exp(min(loss, 700)):.2f}"
