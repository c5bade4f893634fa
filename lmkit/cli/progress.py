"""Progress bars: on standard error, on a terminal only, drawn by rich.

The library knows nothing of bars. It calls ``report(done, total)`` now and then, where
``total`` may be None; a bar is one such callable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from lmkit.cli.console import Console
from lmkit.visible import on_one_line

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
        self._lines: set[str] = set()

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
        task = rich.add_task(on_one_line(title), total=None, amount="")
        due = 0.0

        def report(done: int, total: int | None) -> None:
            nonlocal due
            now = time.monotonic()
            if now < due and done != total:
                return
            due = now + INTERVAL
            rich.update(task, completed=done, total=total, amount=_amount(done, total, unit))

        return report

    def line(self, title: str) -> Callable[[float, Sequence[str]], None] | None:
        """A line for work whose progress is a part of one, with words of its own:
        ``show(progress, forms)``, where the forms say the same, from the longest to the shortest,
        for terminals of any width. Bars that have come to their end make way for it, and stages
        of the same title say nothing more. None where nothing is to be seen."""
        if not self._shown:
            return None
        self._lines.add(title)
        task: Any = None
        due = 0.0

        def show(progress: float, forms: Sequence[str]) -> None:
            nonlocal due, task
            now = time.monotonic()
            if now < due and progress < 1:
                return
            due = now + INTERVAL
            rich = self._rich or self._start()
            if task is None:
                for other in rich.tasks:
                    rich.update(other.id, visible=not other.finished)
                task = rich.add_task(on_one_line(title), total=1.0, amount="", forms=forms)
            rich.update(task, completed=progress, forms=forms)

        return show

    def stages(self) -> Callable[[str, int, int | None], None] | None:
        """One bar a stage, for work that calls ``report(stage, done, total)``."""
        if not self._shown:
            return None
        bars: dict[str, Report | None] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage in self._lines:
                return
            if stage not in bars:
                bars[stage] = self.bar(stage, "bytes" if stage == "reading" else "")
            bar = bars[stage]
            if bar is not None:
                bar(done, total)

        return report

    def _start(self) -> Any:
        from rich.console import Console as RichConsole

        from lmkit.cli.bars import Bars

        console = self._console
        plain = console.color == "never" or (console.color == "auto" and console.no_color)
        drawn_on = RichConsole(
            file=console.stderr,
            force_terminal=True,
            no_color=plain,
            # A real terminal is asked for its width at each drawing: it may be resized.
            width=None if console.stderr.isatty() else console.width,
        )
        self._rich = Bars(
            console=drawn_on,
            transient=True,
            expand=True,
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
    if unit == "tokens" and (total or done) < size:
        size, name = 1e3, " k tokens"
    whole = f"/{total / size:.1f}" if total else ""
    return f"{done / size:.1f}{whole}{name}"
