"""``lmkit score --ngram``: what a model holds of single n-grams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lmkit.cli.console import Console
from lmkit.cli.output import Format, Row, write_rows
from lmkit.errors import UsageError

COLUMNS = [
    "ngram",
    "listed",
    "count",
    "probability",
    "log10_probability",
    "log_probability",
    "backoff",
    "log10_backoff",
    "log_backoff",
]
"""``log_`` is natural; ``backoff`` is the weight itself."""


def write_ngrams(console: Console, path: Path, ngrams: Sequence[str], fmt: Format) -> None:
    """A row for each of ``ngrams`` in the model ``path``."""
    from lmkit.api import load
    from lmkit.cli.ngrams_only import refuse_ends, require_ngrams
    from lmkit.ngram.explain import split_context
    from lmkit.ngram.one_ngram import look_up

    model = require_ngrams(load(path), path)
    rows: list[Row] = []
    for ngram in ngrams:
        inner = split_context(ngram)[1].rstrip().removesuffix("</s>")
        refuse_ends(model, inner, "<s> only at the beginning of an n-gram, </s> only at its end")
        found = look_up(model, ngram)
        rows.append(
            (
                " ".join(found.tokens),
                found.listed,
                found.count,
                math.exp(found.log_probability),
                *_logarithms(found.log_probability),
                None if found.log_backoff is None else math.exp(found.log_backoff),
                *_logarithms(found.log_backoff),
            )
        )
    write_rows(console, rows, COLUMNS, fmt)


def _logarithms(natural: float | None) -> tuple[float | None, float | None]:
    return (None, None) if natural is None else (natural / math.log(10), natural)


def refuse_others(text: str | None, given: Sequence[str]) -> None:
    """Raises `UsageError` where ``--ngram`` comes with a text, or options that are about one."""
    if text is not None or given:
        what = [*([] if text is None else ["TEXT"]), *given]
        raise UsageError(
            f"--ngram looks into the model and reads no text, so {', '.join(what)} cannot be given",
            "leaving one of the two out",
        )
