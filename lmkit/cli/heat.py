"""Lines of text as a person can look at them: tokens coloured by how surprising they are.

The surprise of a token is -log2 of its probability, in bits. `SCALE` gives it a colour of the
256 that terminals share, always together with the colour of the letters on it, so that it can be
read on dark and light terminals alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from lmkit.cli.console import Console
from lmkit.cli.layout import VISIBLE_SPACE, display_width, text

if TYPE_CHECKING:
    from lmkit.evaluate.scoring import LineScores
    from lmkit.model import LanguageModel

BLACK, WHITE = 16, 231
SCALE = (
    (1.0, 230, BLACK),
    (2.0, 228, BLACK),
    (4.0, 221, BLACK),
    (6.0, 215, BLACK),
    (8.0, 208, BLACK),
    (12.0, 160, WHITE),
    (16.0, 88, WHITE),
)
"""From so many bits on: this colour, with letters in that one. Fewer bits have no colour."""
_BOUNDS = [bits for bits, _, _ in SCALE]
GAP = "  "


class HeatMap:
    """Writes scored lines; ``explain`` adds the bits, and the orders of n-grams, below them."""

    def __init__(self, console: Console, scorer: LanguageModel, explain: bool) -> None:
        self._console = console
        self._scorer = scorer
        self._explain = explain
        self._coloured = console.style("x", bold=True) != "x"
        from lmkit.evaluate.scoring import spells_pieces

        apart = scorer.unit in ("word", "subword") and not spells_pieces(scorer)
        self._joint = " " if apart else ""
        if self._coloured:
            console.write_line(self._legend())

    def write(self, scores: LineScores) -> None:
        """Write a block of lines."""
        tokens = list(_tokens(self._scorer, scores))
        stops = [0, *accumulate(scores.tokens.tolist())]
        for start, stop in pairwise(stops):
            if self._explain:
                self._write_columns(tokens[start:stop])
            else:
                self._write_text(tokens[start:stop])

    def _legend(self) -> str:
        steps = [f"{bits:g}" for bits in _BOUNDS]
        names = [f"{low}-{high}" for low, high in zip(steps, [*steps[1:], ""], strict=True)]
        names[-1] = f"{steps[-1]}+"
        shown = [self._hot(f" {name} ", bits) for name, bits in zip(names, _BOUNDS, strict=True)]
        return f"bits:  0-{steps[0]} {''.join(shown)}"

    def _hot(self, shown: str, bits: float, unknown: bool = False) -> str:
        step = bisect_right(_BOUNDS, bits) - 1
        _, ground, letters = SCALE[step] if step >= 0 else (None, None, None)
        return self._console.style(shown, underline=unknown or None, bg=ground, fg=letters)

    def _write_text(self, tokens: list[_Token]) -> None:
        if self._coloured:
            parts = [self._hot(_spaced(one.text), one.bits, one.unknown) for one in tokens]
            self._console.write_line(self._joint.join(parts))
        else:
            parts = [f"{one.text}/{one.bits:.1f}" for one in tokens]
            self._console.write_line(" ".join(parts))

    def _write_columns(self, tokens: list[_Token]) -> None:
        """Three lines: tokens, bits, orders; again and again where a terminal is too narrow."""
        widths = [max(map(display_width, one.rows())) for one in tokens]
        rows: list[Callable[[_Token], str]] = [lambda one: one.text, lambda one: f"{one.bits:.1f}"]
        if any(one.note for one in tokens):
            rows.append(lambda one: one.note)
        for first, last in _folded(widths, self._room):
            for number, row in enumerate(rows):
                cells = []
                for one, width in zip(tokens[first:last], widths[first:last], strict=True):
                    shown = row(one)
                    gap = " " * (width - display_width(shown))
                    hot = self._hot(shown, one.bits, one.unknown) if number == 0 else shown
                    cells.append(hot + gap)
                line = GAP.join(cells)
                self._console.write_line(line.rstrip())
        self._console.write_line()

    @property
    def _room(self) -> int | None:
        return self._console.width if self._console.stdout_is_terminal else None


class _Token:
    """A token to be shown: its text, its surprise in bits, and a note of order and oov."""

    def __init__(self, shown: str, bits: float, order: int | None, unknown: bool) -> None:
        # Of subwords, spaces are parts of tokens.
        self.text = text(shown).replace(" ", VISIBLE_SPACE)
        self.bits = bits
        self.unknown = unknown
        parts = [] if order is None else [str(order)]
        self.note = " ".join([*parts, "oov"] if unknown else parts)

    def rows(self) -> tuple[str, str, str]:
        return self.text, f"{self.bits:.1f}", self.note


def _tokens(scorer: LanguageModel, scores: LineScores) -> Iterator[_Token]:
    from lmkit.evaluate.scoring import readable_texts
    from lmkit.measures import LN2
    from lmkit.model import UNK

    orders = [None] * len(scores.log_probs) if scores.orders is None else scores.orders.tolist()
    # 0.0 - 0.0 is no minus zero.
    bits = [0.0 - log_prob / LN2 for log_prob in scores.log_probs.tolist()]
    unknown = (scores.batch.ids == UNK).tolist()
    return map(_Token, readable_texts(scorer, scores.batch), bits, orders, unknown)


def _spaced(shown: str) -> str:
    """Colour shows a space as it is."""
    return shown.replace(VISIBLE_SPACE, " ")


def _folded(widths: list[int], room: int | None) -> Iterator[tuple[int, int]]:
    """Ranges of columns that fit side by side into ``room``, at least one each."""
    first, taken = 0, 0
    for place, width in enumerate(widths):
        if room is not None and place > first and taken + width > room:
            yield first, place
            first, taken = place, 0
        taken += width + len(GAP)
    yield first, len(widths)
