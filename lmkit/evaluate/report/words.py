"""Figures as people read them: times, sizes, probabilities, and what a comparison says in a
sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lmkit.evaluate.results import Comparison, Difference, ModelResult

NOTHING = "–"


def bits(value: float | None, digits: int = 3) -> str:
    """Bits per character."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.{digits}f}"


def signed(value: float, digits: int = 3) -> str:
    """With its sign, a real minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def whole(value: int | float | None) -> str:
    """A whole number, its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """A time: 0.4 s, 12 s, 3.4 min, 2.1 h."""
    if value is None:
        return NOTHING
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s" if value >= 0.1 else "< 0.1 s"


def size(value: float | None) -> str:
    """Bytes: 812 bytes, 4.2 kB, 1.3 MB."""
    if value is None:
        return NOTHING
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= scale:
            return f"{value / scale:.1f} {unit}"
    return f"{value:.0f} bytes"


def round_seconds(value: float) -> str:
    """A round time, such as that of a tick: 0.5 s, 20 s, 10 min."""
    for scale, unit in ((3600.0, "h"), (60.0, "min")):
        if value >= scale:
            return f"{value / scale:.2g} {unit}"
    return f"{value:.2g} s"


def round_size(value: float) -> str:
    """A round number of bytes: 500 kB, 2 MB."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.3g} B"


def perplexity(value: float | None) -> str:
    """Four digits or so."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞"
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def p_value(value: float) -> str:
    """Three places; below a thousandth only that."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def interval(low: float | None, high: float | None, sign: bool = False) -> str:
    """From ``low`` to ``high``."""
    if low is None or high is None:
        return NOTHING
    one, two = (signed(low), signed(high)) if sign else (bits(low), bits(high))
    return f"{one} to {two}"


def joined(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def findings(comparison: Comparison) -> list[str]:
    """What the comparison found, in a few sentences."""
    ranked = comparison.ranked
    if not ranked:
        return ["No model could be compared."]
    best = ranked[0]
    said = [
        f"{best.name} codes the test text in the fewest bits: {bits(best.bits_per_character)} per"
        f" character{_between(best)}."
    ]
    others = [(row, row.difference) for row in ranked[1:] if row.difference is not None]
    level = [row.name for row, difference in others if not difference.significant]
    worse = [(row, difference) for row, difference in others if difference.significant]
    if level:
        said.append(
            f"{joined(level)} may be as good: the test sentences do not decide it"
            " (p of 0.05 or more)."
        )
    if worse:
        row, difference = worse[0]
        said.append(f"{row.name} is behind: {_difference(difference)}.")
    if comparison.failed:
        count = len(comparison.failed)
        said.append(f"{count} {'model' if count == 1 else 'models'} could not be compared.")
    return said


def _between(row: ModelResult) -> str:
    if row.bits_low is None or row.bits_high is None:
        return ""
    return f" (95 % interval {interval(row.bits_low, row.bits_high)})"


def _difference(difference: Difference) -> str:
    return (
        f"{signed(difference.bits_per_character)} bits per character"
        f" ({interval(difference.low, difference.high, sign=True)},"
        f" p {_relation(p_value(difference.p_value))})"
    )


def _relation(shown: str) -> str:
    return shown if shown.startswith("<") else f"= {shown}"
