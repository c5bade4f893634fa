"""What channels made of edits have in common: they differ in which edits they learn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lmkit.channel.base import CONTEXTS, KEEP, Edit, EditRow, ErrorModel
from lmkit.channel.edits.counts import Counts, counts_of, kind_of
from lmkit.channel.edits.english import english_rows
from lmkit.channel.edits.grid import WORD, Grid, grids
from lmkit.channel.edits.long_strings import LONG, long_log_prob
from lmkit.channel.edits.one_typed import one_typed_log_probs
from lmkit.channel.edits.plan import Plan, Progress
from lmkit.channel.edits.single_words import word_log_probs
from lmkit.channel.edits.strings import STOP
from lmkit.channel.edits.table import EditTable, Smoothing
from lmkit.channel.edits.ways import INSERT, LONGER, Steps, best_ways, forward, totals

if TYPE_CHECKING:
    from lmkit.channel.edits.pairs import Pairs

FEW = 256
"""So few pairs are summed sooner in one grid of all their lengths than length by length."""
MOST_KEEP = 1 - 1e-9
"""A channel that makes no errors at all could not explain any."""


class EditModel(ErrorModel):
    """A channel of edits: what is inserted, deleted, replaced, kept."""

    smoothing: ClassVar[Smoothing] = Smoothing()
    plan: ClassVar[Plan] = Plan()
    """How it is learnt."""

    def __init__(
        self,
        counts: Counts | None = None,
        *,
        keep: float = KEEP,
        smoothing: Smoothing | None = None,
    ) -> None:
        self.counts = counts or Counts.zero("'-abcdefghijklmnopqrstuvwxyz")
        self.keep = keep
        self.smoothed = smoothing or self.smoothing
        self.table = EditTable(self.counts, self.smoothed)

    @classmethod
    def learn(
        cls,
        pairs: Pairs,
        *,
        iterations: int | None = None,
        viterbi: bool = False,
        smoothing: Smoothing | None = None,
        damping: float | None = None,
        progress: Progress | None = None,
    ) -> tuple[Self, dict[str, Any]]:
        """The channel that ``pairs`` teach, and facts about the learning: JSON values.

        ``iterations`` are rounds of EM over all edits, ``viterbi`` makes them count best ways,
        ``damping`` is that of `Pairs.damped`: 0 where the counts are those of a text, in which
        far-off errors are as rare as they are.
        """
        from lmkit.channel.edits.learning import learn

        smoothing = smoothing or cls.smoothing
        plan = replace(cls.plan, viterbi=viterbi)
        if iterations is not None:
            plan = replace(plan, rounds=iterations)
        if damping is not None:
            plan = replace(plan, damping=damping, far=plan.far if damping else 1.0)
        counts, course = learn(pairs, plan, smoothing, progress)
        facts = {
            "pairs": len(pairs),
            "counted": float(pairs.counts.sum()),
            "iterations": plan.rounds,
            "viterbi": viterbi,
            "log_likelihoods": course,
        }
        return cls(counts, smoothing=smoothing), facts

    @classmethod
    def english(cls) -> Self:
        """The channel learnt from English pairs that comes with lmkit.

        Raises `UnsupportedError` for a kind of channel that none comes with.
        """
        return cls.from_rows(english_rows(cls.name))

    def log_probs(self, typed: Sequence[str], intended: Sequence[str]) -> NDArray[np.float64]:
        if len(typed) != len(intended):
            raise ValueError(f"{len(typed)} typed and {len(intended)} intended strings")
        keep = min(self.keep, MOST_KEEP)
        values = np.full(len(typed), np.nan)
        if len(typed) > FEW:
            values = word_log_probs(typed, intended, self.table, keep)
        elif typed and typed.count(typed[0]) == len(typed):
            values = one_typed_log_probs(typed[0], intended, self.table, keep)
        others = [
            n
            for n in np.flatnonzero(np.isnan(values)).tolist()
            if max(len(typed[n]), len(intended[n])) <= LONG
        ]
        if others:
            x, y = [typed[n] for n in others], [intended[n] for n in others]
            for grid in grids(x, y, self.table, keep):
                values[np.array(others)[grid.pairs]] = totals(grid, forward(grid))
        # Too long, or too unlikely for a product of numbers.
        for n in np.flatnonzero(~np.isfinite(values)).tolist():
            values[n] = long_log_prob(typed[n], intended[n], self.table, keep)
        return values

    @property
    def log_space(self) -> float:
        return float(np.log(self.table.spaces[0]))

    def path(self, typed: str, intended: str) -> list[Edit]:
        keep = min(self.keep, MOST_KEEP)
        (grid,) = grids([typed], [intended], self.table, keep)
        edits = list(_edits(grid, best_ways(grid), typed))
        if keep and edits:
            # What is not a whole word typed as meant is what `keep` leaves.
            first = edits[0]
            log_prob = first.log_prob + math.log1p(-keep)
            edits[0] = Edit(first.kind, first.intended, first.typed, first.position, log_prob)
        return edits

    def edits_by_typed(self, typed: str) -> Sequence[tuple[str, str, float]]:
        table, found = self.table, dict[tuple[str, str], float]()
        if len(typed) <= 1:
            number = int(table.numbers[ord(typed)]) if typed else 0
            given = table.delete if not typed else table.single[:, :, number]
            for c, context in enumerate(CONTEXTS):
                for a, letter in enumerate(table.letters, 1):
                    if letter not in (typed, " "):
                        found[letter, context] = float(given[c, a])
        elif len(typed) == 2 and typed[0] != typed[1] and " " not in typed:
            for c, context in enumerate(CONTEXTS):
                found[typed[::-1], context] = float(table.swap[c])
        for r in table.rows_of(typed):
            for c, context in enumerate(CONTEXTS):
                key = (table.substrings[table.intended[r]], context)
                found[key] = found.get(key, 0.0) + float(table.longer[r, c])
        ordered = sorted(found.items(), key=lambda item: -item[1])
        return [(y, c, math.log(prob)) for (y, c), prob in ordered if prob > 0]

    def draw(self, intended: str, generator: np.random.Generator) -> str:
        from lmkit.channel.edits.drawing import draw_typed

        return draw_typed(intended, self.table, self.keep, generator)

    def rows(self) -> Iterable[EditRow]:
        return self.counts.rows()

    @property
    def options(self) -> dict[str, Any]:
        return {"smoothing": self.smoothed.as_dict()}

    @classmethod
    def from_rows(cls, rows: Iterable[EditRow], *, keep: float = KEEP, **options: Any) -> Self:
        counts = counts_of(rows)
        smoothing = Smoothing(**options["smoothing"]) if "smoothing" in options else None
        return cls(counts, keep=keep, smoothing=smoothing)


def _edits(grid: Grid, steps: Steps, typed: str) -> Iterable[Edit]:
    """The steps of one pair, in words."""
    points = grid.nodes.points[:, 0]
    ends = np.concatenate(([0], np.cumsum(points == STOP)))
    for start, end, kind, edit, prob in zip(
        steps.start, steps.end, steps.kind, steps.edit, steps.prob, strict=True
    ):
        (i, j), (to, upto) = divmod(int(start), grid.columns), divmod(int(end), grid.columns)
        x = typed[j:upto]
        y = "".join(chr(point) for point in points[i:to].tolist() if point != STOP)
        log_prob = math.log(prob) - (upto - j) * math.log(grid.scale)
        if kind == LONGER and grid.longer.number[edit] == WORD:
            name = "word"
        elif kind != LONGER and kind != INSERT and points[i] == STOP:
            name = "stop"
        else:
            name = kind_of("" if kind == INSERT else y, x)
        yield Edit(name, y, x, i - int(ends[i]), log_prob)
