"""Figures of matplotlib as SVG that takes its colours from the page it stands in.

Figures are drawn in stand-in colours (`ROLES`, `series`), which become CSS variables:
``var(--ink)``, ``var(--series-1)`` and so on. So one drawing serves a light screen, a dark one
and paper. Text stays text: it can be searched, and read aloud.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROLES = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "paper": "#040404",
    "accent": "#050505",
    "bar": "#060606",
}
"""What a colour is for, and its stand-in while drawing."""

LIGHT: Mapping[str, str] = {
    "ink": "#1c2024",
    "muted": "#5b636c",
    "grid": "#dfe3e8",
    "paper": "#ffffff",
    "accent": "#0a5ca8",
    "bar": "#9db8d6",
    "series-1": "#0a5ca8",
    "series-2": "#c24a00",
    "series-3": "#007d5c",
    "series-4": "#ad3f86",
    "series-5": "#8a6500",
    "series-6": "#2381b0",
    "series-7": "#664790",
    "series-8": "#5f5f5f",
}
DARK: Mapping[str, str] = {
    "ink": "#e8eaed",
    "muted": "#a3abb5",
    "grid": "#363c44",
    "paper": "#16191d",
    "accent": "#6db4f5",
    "bar": "#3f5f82",
    "series-1": "#6db4f5",
    "series-2": "#ff9457",
    "series-3": "#4ecfa4",
    "series-4": "#f09ccd",
    "series-5": "#e3bf4f",
    "series-6": "#9cd8f7",
    "series-7": "#c3a5ea",
    "series-8": "#b9b9b9",
}
"""Colours that are told apart by people who see red and green alike, on white and on black."""
COLOURS = 8

RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    # Names of models and files are no formulas.
    "text.parse_math": False,
    "axes.edgecolor": ROLES["muted"],
    "axes.labelcolor": ROLES["ink"],
    "axes.titlecolor": ROLES["ink"],
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": ROLES["grid"],
    "grid.linewidth": 0.6,
    "xtick.color": ROLES["muted"],
    "ytick.color": ROLES["muted"],
    "xtick.labelcolor": ROLES["ink"],
    "ytick.labelcolor": ROLES["ink"],
    "text.color": ROLES["ink"],
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "path.simplify": False,
}


def series(number: int) -> str:
    """The stand-in of the colour of a line, from 0; they come round again after `COLOURS`."""
    return f"#0a0a{number % COLOURS + 1:02x}"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished figure: its ``name`` on the page, the ``<svg>`` element, and the text that
    stands for it where it cannot be seen."""

    name: str
    svg: str
    title: str
    description: str


@contextmanager
def style() -> Iterator[None]:
    """Figures made in here look like the page, whatever matplotlib is set to elsewhere."""
    import matplotlib as mpl
    from cycler import cycler

    settings: Any = mpl.rcParams
    with mpl.rc_context():
        mpl.rcdefaults()
        settings.update(RC)
        # What has no colour of its own must not bring one of matplotlib's.
        settings["axes.prop_cycle"] = cycler(color=[ROLES["ink"]])
        yield


def drawing(figure: Figure, name: str, title: str, description: str) -> Drawing:
    """``figure`` as an element that can stand in a page. Two calls give the same text, to the
    last byte: ids come from ``name``, and there are no dates."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    element = buffer.getvalue()
    element = element[element.index("<svg") :].rstrip()
    element = re.sub(r"\s*<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # This rule would hold for the whole page.
    element = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", element, flags=re.DOTALL)
    element = re.sub(r'\bid="', f'id="{name}-', element)
    element = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", element)
    element = _with_variables(element)
    box = re.search(r'viewBox="([^"]+)"', element)
    assert box is not None
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' class="figure" viewBox="{box[1]}" role="img" aria-labelledby="{name}-title"'
        f' aria-describedby="{name}-description">\n'
        f' <title id="{name}-title">{escape(title)}</title>\n'
        f' <desc id="{name}-description">{escape(description)}</desc>'
    )
    return Drawing(name, head + element[element.index(">") + 1 :], title, description)


def _with_variables(element: str) -> str:
    for role, stand_in in ROLES.items():
        element = element.replace(stand_in, f"var(--{role})")
    return re.sub(
        r"#0a0a([0-9a-f]{2})", lambda found: f"var(--series-{int(found[1], 16)})", element
    )


def variables(colours: Mapping[str, str]) -> str:
    """CSS declarations of ``colours``."""
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def standalone(figure: Drawing) -> str:
    """``figure`` as an SVG file of its own, which brings its colours along."""
    rules = (
        f"svg {{ {variables(LIGHT)} font-family: system-ui, sans-serif; }}\n"
        f"@media (prefers-color-scheme: dark) {{ svg {{ {variables(DARK)} }} }}"
    )
    opening, _, rest = figure.svg.partition(">")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{opening}>\n<style>\n{rules}\n</style>{rest}\n'
