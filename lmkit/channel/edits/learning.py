"""Learning a channel from pairs, by expectation maximisation (Dempster, Laird & Rubin 1977).

First the edits of single letters; from their best ways the longer edits that there may be; then
all of them together. Each round counts the edits of all ways, weighted by their probability
(forward-backward), or of the best way only (Viterbi), and makes the probabilities anew from the
counts. Without smoothing the likelihood, or that of the best ways, never falls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lmkit.channel.edits.counts import Counts, Floats, Ints, most_frequent
from lmkit.channel.edits.events import Collector, best_events, expected_events
from lmkit.channel.edits.grid import grids
from lmkit.channel.edits.inventory import Inventory
from lmkit.channel.edits.long_strings import LONG
from lmkit.channel.edits.pairs import Pairs
from lmkit.channel.edits.plan import Plan, Progress
from lmkit.channel.edits.table import EditTable, Smoothing

NEARLY_NEVER = 0.01
"""Expected counts below this are left out of a channel."""


@dataclass(slots=True)
class Round:
    """``log_likelihood`` under the probabilities *before* the round, of all ways or of the best
    ones; what was counted; and how many pairs no way explained."""

    log_likelihood: float
    counts: Counts
    unexplained: float


def one_round(
    pairs: Pairs,
    counts: Counts,
    smoothing: Smoothing,
    viterbi: bool = False,
    inventory: Inventory | None = None,
) -> Round:
    """Count the edits of ``pairs`` under the probabilities that ``counts`` give."""
    table = EditTable(counts, smoothing)
    collector = Collector(table)
    objective = unexplained = 0.0
    for grid in grids(pairs.typed, pairs.intended, table, 0.0):
        weight = pairs.counts[grid.pairs]
        if viterbi or inventory is not None:
            events, total, steps = best_events(grid, weight)
            if inventory is not None:
                inventory.add(grid, steps, weight)
        else:
            events, total = expected_events(grid, weight)
        collector.add(grid, events)
        objective += _objective(total, weight, grid.typed.lengths[grid.which_typed], grid.scale)
        unexplained += float(weight[total <= 0].sum())
    return Round(objective, collector.result(), unexplained)


def _objective(total: Floats, weight: Floats, typed: Ints, scale: float) -> float:
    some = total > 0
    logs = np.log(total[some]) - typed[some] * np.log(scale)
    return float((weight[some] * logs).sum())


def learn(
    pairs: Pairs,
    plan: Plan,
    smoothing: Smoothing,
    progress: Progress | None = None,
) -> tuple[Counts, list[float]]:
    """The counts of ``pairs`` after all rounds, and the log-likelihood before each of the rounds
    over all edits (natural logarithms, summed over the pairs as often as they count)."""
    pairs = _short(pairs).damped(plan.damping, plan.far)
    letters: dict[str, float] = {}
    for typed, intended, count in pairs:
        for letter in typed + intended:
            letters[letter] = letters.get(letter, 0.0) + count
    counts = Counts.zero(most_frequent(letters))
    total = plan.first + 1 + plan.rounds
    for number in range(plan.first):
        counts = one_round(pairs, counts, smoothing, plan.viterbi).counts
        if progress is not None:
            progress("learning", number + 1, total)
    table = EditTable(counts, smoothing)
    inventory = Inventory(table, plan.widest, plan.only_after)
    one_round(pairs, counts, smoothing, True, inventory)
    counts = inventory.counts(counts)
    course = []
    for number in range(plan.rounds):
        done = one_round(pairs, counts, smoothing, plan.viterbi)
        course.append(done.log_likelihood)
        counts = done.counts
        if smoothing.discount:
            counts = without_rare(counts, plan.cutoff)
        if progress is not None:
            progress("learning", plan.first + number + 2, total)
    # A list of errors says nothing of the spaces between the words that were typed right.
    counts.spaces[:] = 0.0
    return counts, course


def _short(pairs: Pairs) -> Pairs:
    """Without the pairs that are too long to learn from."""
    keep = [n for n, (x, y, _) in enumerate(pairs) if max(len(x), len(y)) <= LONG]
    return Pairs(
        [pairs.typed[n] for n in keep], [pairs.intended[n] for n in keep], pairs.counts[keep]
    )


def without_rare(counts: Counts, cutoff: float) -> Counts:
    """Without longer edits that were counted less than ``cutoff`` times, without what was seen of
    substrings that then have none, and without what happened nearly never."""
    for part in (counts.single, counts.delete, counts.insert, counts.longer):
        part[part < NEARLY_NEVER] = 0.0
    kept = np.flatnonzero(counts.longer.sum(axis=1) >= max(cutoff, 1e-9)).tolist()
    intended = [counts.intended[n] for n in kept]
    used = set(intended)
    seen = [n for n, y in enumerate(counts.substrings) if y in used]
    return replace(
        counts,
        intended=intended,
        typed=[counts.typed[n] for n in kept],
        longer=counts.longer[kept],
        substrings=[counts.substrings[n] for n in seen],
        seen=counts.seen[seen],
    )
