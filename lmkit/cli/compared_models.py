"""Which models ``lmkit compare`` compares, and how long each is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmkit.errors import UsageError

if TYPE_CHECKING:
    from lmkit.evaluate.comparison.corpus import Corpus
    from lmkit.evaluate.comparison.specs import Spec


def chosen_models(models: Sequence[str], suite: str | None, sweeps: Sequence[str]) -> list[Spec]:
    """Those of the ``suite``, which is ``quick`` if nothing is said, then ``models``; with each
    value of the ``sweeps``. Raises `UsageError` where something of that makes no sense."""
    from lmkit.evaluate.comparison.specs import distinct, parse_specs
    from lmkit.evaluate.comparison.suites import suite as suite_of
    from lmkit.evaluate.comparison.sweeps import parse_sweep, swept

    if sweeps and suite is None and not models:
        raise UsageError(
            "there is no --model to sweep", f"--model ngram:order=5 --sweep {sweeps[0]}"
        )
    chosen = [] if suite is None and models else suite_of(suite or "quick")
    found = distinct([*chosen, *parse_specs(models)])
    return swept(found, [parse_sweep(sweep) for sweep in sweeps]) if sweeps else found


def with_times(
    specs: Sequence[Spec], suite: str | None, texts: Corpus, options: dict[str, Any]
) -> list[Spec]:
    """``specs`` with their shares of the time, that of the ``suite`` if nothing else is said.

    Where the tokenizer or another option is what differs, networks get one shape and one time.
    """
    from lmkit.evaluate.comparison.suites import BUDGETS, of_one_shape, share_out

    budget = options.pop("time_budget", None)
    if budget is None and suite is not None:
        budget = BUDGETS[suite]
    shares = options.get("shares", ())
    one_shape = suite == "subword" or any(spec.swept for spec in specs)
    if one_shape:
        specs = of_one_shape(specs, texts.facts.train.tokens)
    return share_out(
        specs,
        budget,
        texts.facts.train.tokens,
        trainings=options["seeds"],
        parts=(1.0, *(share for share in shares if share < 1)),
        equal=one_shape,
    )
