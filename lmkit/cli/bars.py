"""How bars look, drawn by rich; imported only where there is one to draw.

A task with the field ``forms`` is a line of words: several ways of saying the same, from the
longest to the shortest, of which the first is shown that the terminal has room for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

MARGIN = 3
"""Columns left free: what a terminal echoes of Ctrl-C must not begin another line."""
SHORTEST_BAR, LONGEST_BAR = 8, 40


class Bars(Progress):
    """A bar each for what is counted, and lines of words, one below the other."""

    @classmethod
    def get_default_columns(cls) -> tuple[ProgressColumn, ...]:
        return (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            TaskProgressColumn(),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeElapsedColumn(),
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        shown = [task for task in self.tasks if task.visible]
        counted = [task for task in shown if "forms" not in task.fields]
        if counted:
            yield Padding(self.make_tasks_table(counted), (0, MARGIN, 0, 0))
        for task in shown:
            if "forms" in task.fields:
                yield self._line(task)

    def _line(self, task: Task) -> RenderableType:
        part = f"{task.percentage:3.0f} %"
        width = self.console.width - MARGIN - 2
        head, words = fitting([f"{task.description} {part}", part], task.fields["forms"], width)
        row = Table.grid(padding=(0, 2, 0, 0))
        left = min(width - len(head) - len(words) - 2, LONGEST_BAR)
        if left < SHORTEST_BAR:
            row.add_row(Text(head, no_wrap=True), Text(words, no_wrap=True))
        else:
            bar = ProgressBar(total=1.0, completed=task.completed, width=left)
            row.add_row(Text(head, no_wrap=True), bar, Text(words, no_wrap=True))
        return row


def fitting(heads: Sequence[str], forms: Sequence[str], room: int) -> tuple[str, str]:
    """The first of ``forms``, with the first of ``heads``, that fit into ``room`` together; else
    as much of the last ones as fits."""
    for form in forms:
        for head in heads:
            if len(head) + len(form) <= room:
                return head, form
    return heads[-1], forms[-1][: max(room - len(heads[-1]), 0)]
