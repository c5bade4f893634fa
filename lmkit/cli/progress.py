"""Progress bars: on standard error, on a terminal only, drawn by rich.

The library knows nothing of bars. It calls ``report(done, total)`` now and then, where
``total`` may be None; a bar is one such callable.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lmkit.cli.console import Console

Report = Callable[[int, int | None], None]

INTERVAL = 0.1
"""Seconds between two updates of a bar; calls in between cost next to nothing."""

UNITS = {"bytes": (1e6, " MB"), "tokens": (1e6, " M tokens"), "lines": (1e3, " k lines")}


class ProgressBars:
    """The bars of one command; use it as a context manager.

    `bar` returns None outside of that, and where no bar is to be seen (no terminal,
    ``--no-progress``, ``--quiet``), so that the library is not bothered at all. Give
    ``shares_terminal`` where results go to the same terminal while the bar would be drawn.
    """

    def __init__(self, console: Console, shares_terminal: bool = False) -> None:
        self._console = console
        hidden = shares_terminal and console.stdout_is_terminal
        self._shown = console.shows_progress and not hidden
        self._rich: Any = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        self._shown = False
        if self._rich is not None:
            self._rich.stop()
            self._rich = None
            self._console.live = None

    def bar(self, title: str, unit: str = "bytes") -> Report | None:
        """A new bar; ``unit`` is ``bytes``, ``tokens``, ``lines`` or empty: plain steps."""
        if not self._shown:
            return None
        rich = self._rich or self._start()
        task = rich.add_task(title, total=None, amount="")
        due = 0.0

        def report(done: int, total: int | None) -> None:
            nonlocal due
            now = time.monotonic()
            if now < due and done != total:
                return
            due = now + INTERVAL
            rich.update(task, completed=done, total=total, amount=_amount(done, total, unit))

        return report

    def line(self, title: str) -> Callable[[float, str], None] | None:
        """A bar for work whose progress is a part of one, with words of its own behind it:
        ``show(progress, words)``. None where no bar is to be seen."""
        if not self._shown:
            return None
        rich = self._rich or self._start()
        task = rich.add_task(title, total=1.0, amount="")
        due = 0.0

        def show(progress: float, words: str) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due or progress >= 1:
                due = now + INTERVAL
                rich.update(task, completed=progress, amount=words)

        return show

    def stages(self) -> Callable[[str, int, int | None], None] | None:
        """One bar a stage, for work that calls ``report(stage, done, total)``."""
        if not self._shown:
            return None
        bars: dict[str, Report | None] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in bars:
                bars[stage] = self.bar(stage, "bytes" if stage == "reading" else "")
            bar = bars[stage]
            if bar is not None:
                bar(done, total)

        return report

    def _start(self) -> Any:
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        console = self._console
        plain = console.color == "never" or (console.color == "auto" and console.no_color)
        drawn_on = RichConsole(
            file=console.stderr, force_terminal=True, no_color=plain, width=console.width
        )
        self._rich = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeElapsedColumn(),
            console=drawn_on,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._rich.start()
        console.live = drawn_on
        return self._rich


def _amount(done: int, total: int | None, unit: str) -> str:
    if unit not in UNITS:
        return f"{done}/{total}" if total else str(done)
    size, name = UNITS[unit]
    whole = f"/{total / size:.1f}" if total else ""
    return f"{done / size:.1f}{whole}{name}"
