"""The page itself: everything of a comparison, put into the template.

The template escapes whatever it is given; only the drawings and the style sheet are markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from lmkit.evaluate.report import figures, words
from lmkit.evaluate.report.heat import STEPS, heat_map
from lmkit.evaluate.report.svg import DARK, LIGHT, Drawing, variables
from lmkit.evaluate.report.sweep_figure import sweep
from lmkit.evaluate.results import Comparison, ModelResult


@dataclass(frozen=True, slots=True)
class TableRow:
    """A model as the table shows it."""

    result: ModelResult
    sizes: list[str]
    perplexity: str
    bits: str
    interval: str
    difference: str
    difference_interval: str
    p_value: str
    verdict: str


def render(comparison: Comparison) -> str:
    """The report of ``comparison`` as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "whole": words.whole,
        "seconds": words.seconds,
        "bytes": words.size,
        "bits": words.bits,
        "perplexity": words.perplexity,
    }
    template = environment.from_string(_template("report.html"))
    return template.render(context(comparison)) + "\n"


def context(comparison: Comparison) -> dict[str, Any]:
    """What the template is given."""
    from markupsafe import Markup

    ranked = comparison.ranked
    drawings = _drawings(comparison)
    return {
        "comparison": comparison,
        "title": f"Language models compared on {comparison.corpus.name}",
        "findings": words.findings(comparison),
        "rows": [_table_row(row) for row in ranked],
        "pairs": ranked[0].minimal_pairs if ranked else [],
        "grouped": any(row.group is not None for row in ranked),
        "several_seeds": any(row.seeds for row in ranked),
        "drawings": {
            name: None if one is None else {"drawing": one, "svg": Markup(one.svg)}
            for name, one in drawings.items()
        },
        "sweep_key": comparison.sweep[0].key.replace("_", "-") if comparison.sweep else "",
        "heat_maps": [heat_map(sentence, ranked) for sentence in comparison.surprises],
        "steps": [f"{step:g}" for step in STEPS],
        "laws": [curve for curve in comparison.curves if curve.law is not None],
        "splits": [
            split
            for split in (comparison.corpus.train, comparison.corpus.valid, comparison.corpus.test)
            if split is not None
        ],
        "style": Markup(_style()),
    }


def _drawings(comparison: Comparison) -> dict[str, Drawing | None]:
    ranked = comparison.ranked
    if not ranked:
        return dict.fromkeys(("bars", "costs", "sweep", "learning", "training"))
    return {
        "bars": figures.bars(ranked),
        "costs": figures.costs(ranked),
        "sweep": sweep(comparison),
        "learning": figures.learning(comparison.curves, comparison.crossings, ranked),
        "training": figures.training(ranked),
    }


def _table_row(row: ModelResult) -> TableRow:
    difference = row.difference
    numbers = ((row.ngrams, "n-grams"), (row.parameters, "parameters"))
    if difference is None:
        verdict = "best" if row.rank == 1 else ""
    else:
        verdict = "worse" if difference.significant else "not told apart"
    return TableRow(
        row,
        [f"{number:,} {unit}" for number, unit in numbers if number is not None],
        words.perplexity(row.perplexity),
        words.bits(row.bits_per_character),
        words.interval(row.bits_low, row.bits_high),
        "" if difference is None else words.signed(difference.bits_per_character),
        "" if difference is None else words.interval(difference.low, difference.high, sign=True),
        "" if difference is None else words.p_value(difference.p_value),
        verdict,
    )


def _style() -> str:
    sheet = _template("report.css")
    return (
        f":root {{ {variables(LIGHT)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}\n"
        f"@media print {{ :root {{ {variables(LIGHT)} }} }}\n{sheet}"
    )


def _template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
