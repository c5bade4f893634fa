"""The report of a comparison: one HTML page that needs nothing but itself.

`write_report` is all there is to call. What it needs beyond the core, matplotlib and Jinja2, is
the extra ``report`` and is imported only when a page is made.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lmkit.errors import LmkitError, UsageError
from lmkit.files.atomic import open_target
from lmkit.visible import encodable

if TYPE_CHECKING:
    from lmkit.evaluate.results import Comparison

NEEDS = {"matplotlib": "matplotlib", "jinja2": "Jinja2"}


def require_report(path: str | Path | None = None, coming: Path | None = None) -> None:
    """Raises `LmkitError` where the packages that a report needs are not installed, or a report
    cannot be put at ``path``: better known before hours of training than after. The directory
    ``coming`` will be there when the report is written."""
    missing = [name for module, name in NEEDS.items() if find_spec(module) is None]
    if missing:
        raise LmkitError(
            f"a report needs {' and '.join(missing)}, which "
            + ("is" if len(missing) == 1 else "are")
            + " not installed",
            "pip install 'lmkit[report]'",
        )
    if str(path) == "-":
        raise UsageError(
            "a report cannot be written to standard output, where the table is",
            "--report report.html",
        )
    if path is not None and Path(path).is_dir():
        raise LmkitError(f"cannot write {path}: it is a directory", f"{Path(path) / 'report.html'}")
    if path is None or Path(path).parent == coming:
        return
    parent = Path(os.path.realpath(path)).parent if Path(path).is_symlink() else Path(path).parent
    if not parent.is_dir():
        raise LmkitError(f"cannot write {path}: there is no directory {parent}", "making it first")


def write_report(comparison: Comparison, path: str | Path) -> None:
    """Write ``comparison`` as one HTML page to ``path``: the old file stays until the new one is
    whole. The same comparison gives the same page. A ``path`` that ends in ``.svg`` gets the
    picture of `write_picture` instead.

    Raises `LmkitError` where the extra ``report`` is not installed or ``path`` cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".svg":
        write_picture(comparison, path)
        return
    require_report()
    from lmkit.evaluate.report.page import render

    _write(render(comparison), path)


def write_picture(comparison: Comparison, path: str | Path) -> None:
    """Write the sweep of ``comparison``, or if it has none its bars, as an SVG picture of its own
    to ``path``, which follows the reader's light or dark scheme wherever it is shown. Raises as
    `write_report` does, and `LmkitError` where no model was compared."""
    require_report()
    from lmkit.evaluate.report.figures import bars
    from lmkit.evaluate.report.svg import standalone
    from lmkit.evaluate.report.sweep_figure import sweep

    if not comparison.ranked:
        raise LmkitError("no model was compared, so there is nothing to draw", "a page: FILE.html")
    _write(standalone(sweep(comparison) or bars(comparison.ranked)), Path(path))


def _write(text: str, path: Path) -> None:
    with open_target(path) as file:
        file.write(encodable(text).encode())
