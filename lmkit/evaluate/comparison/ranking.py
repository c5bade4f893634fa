"""From scores to ranks: which perplexities can be compared, which differences are real."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_lowercase

import numpy as np

from lmkit.evaluate.results import Difference, ModelResult
from lmkit.evaluate.significance import (
    RESAMPLES,
    grouped,
    paired_bootstrap,
    paired_permutation,
)
from lmkit.measures import LN2


def rank(
    rows: Sequence[ModelResult],
    characters: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[ModelResult]:
    """``rows`` best first, failed ones last, with rank, intervals and the difference to the best.

    ``characters`` [S] are the lengths of the sentences of the reference text. A model that gives
    some sentence no probability at all comes after all that do, and is not tested.
    """
    scored = [row for row in rows if row.status == "ok"]
    scored.sort(key=lambda row: row.bits_per_character or 0.0)
    for place, row in enumerate(scored, 1):
        row.rank = place
    finite = [row for row in scored if math.isfinite(row.bits_per_character or 0.0)]
    if finite:
        _test(finite, characters.astype(np.float64), resamples, seed)
    return [*scored, *(row for row in rows if row.status != "ok")]


def _test(rows: Sequence[ModelResult], characters: np.ndarray, resamples: int, seed: int) -> None:
    bits = np.stack(
        [-row.log_probabilities / LN2 for row in rows if row.log_probabilities is not None], axis=1
    )
    bits, weights = grouped(bits, characters)
    own = paired_bootstrap(bits, weights, resamples=resamples, seed=seed)
    for row, low, high in zip(rows, own.low, own.high, strict=True):
        row.bits_low, row.bits_high = float(low), float(high)
    if len(rows) < 2:
        return
    differences = bits[:, 1:] - bits[:, :1]
    found = paired_bootstrap(differences, weights, resamples=resamples, seed=seed)
    p_values = paired_permutation(differences, resamples=resamples, seed=seed)
    for k, row in enumerate(rows[1:]):
        row.difference = Difference(
            float(found.estimate[k]),
            float(found.low[k]),
            float(found.high[k]),
            float(p_values[k]),
            float(found.p_value[k]),
        )


def letter_groups(rows: Sequence[ModelResult], keys: dict[str, str]) -> None:
    """Give models whose ``keys`` (by name) are equal the same letter, in the order of the rows:
    their perplexities are over the same tokens and vocabulary."""
    letters: dict[str, str] = {}
    for row in rows:
        if row.name in keys:
            key = keys[row.name]
            letters.setdefault(key, ascii_lowercase[len(letters) % len(ascii_lowercase)])
            row.group = letters[key]
