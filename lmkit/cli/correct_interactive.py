"""``lmkit correct --interactive``: each change is asked for.

Questions go to standard error and answers come from standard input, a line each, so that a
script can answer as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lmkit.cli.console import Console
from lmkit.cli.corrections import personal_dictionary
from lmkit.cli.layout import text as printable
from lmkit.errors import LmkitError, UsageError

if TYPE_CHECKING:
    from lmkit.channel.corrections import Change, Correction
    from lmkit.text.reading import LineBlock

HELP = """\
  y or Enter: accept     n: skip     1, 2, ...: take that one     =word: put in word
  d: add to the dictionary     a: accept this and the rest     q: skip this and the rest"""


class Asking:
    """The questions of one run. What was answered for good (a word added to the dictionary,
    accept all, quit) is not asked again."""

    def __init__(
        self, console: Console, dictionary: Path | None, encoding: str | None = None
    ) -> None:
        if console.stdin is None:
            raise UsageError(
                "--interactive needs answers, and standard input is closed", "a terminal"
            )
        self._console = console
        self._dictionary = dictionary or personal_dictionary()
        self._encoding = "utf-8" if dictionary is None or encoding is None else encoding
        self._known: set[str] = set()
        self._rest: bool | None = None

    def decided(self, block: LineBlock, corrections: Sequence[Correction]) -> list[Correction]:
        """``corrections`` with those changes only that were accepted, or chosen instead."""
        return [
            self._line(number, one) if one.changes else one
            for number, one in enumerate(corrections, block.first_line)
        ]

    def _line(self, number: int, one: Correction) -> Correction:
        from lmkit.cli.correct_output import spliced

        accepted: list[Change] = []
        for change in one.changes:
            choice = self._choice(number, one.line, change)
            if choice is not None and choice != change.original:
                accepted.append(replace(change, replacement=choice))
        corrected = spliced(one.line, accepted, lambda change: change.replacement)
        return replace(one, corrected=corrected, changes=tuple(accepted))

    def _choice(self, number: int, line: str, change: Change) -> str | None:
        """What to put in the place of a word; None: leave it."""
        if change.original.casefold() in self._known:
            return None
        if self._rest is not None:
            return change.replacement if self._rest else None
        others = [text for text, _ in change.runners_up if text != change.replacement]
        self._show(number, line, change, others)
        while True:
            answer = self._answer()
            if answer in ("", "y"):
                return change.replacement
            if answer == "n":
                return None
            if answer in ("a", "q"):
                self._rest = answer == "a"
                return change.replacement if self._rest else None
            if answer == "d":
                self._add(change.original)
                return None
            if answer.startswith("=") and len(answer) > 1:
                return answer[1:]
            if answer.isdecimal() and 1 <= int(answer) <= len(others):
                return others[int(answer) - 1]
            self._say(HELP)

    def _show(self, number: int, line: str, change: Change, others: Sequence[str]) -> None:
        style = self._console.style
        before = printable(line[: change.offset])
        after = printable(line[change.offset + change.length :])
        room = max(self._console.width - len(change.original) - len(f"line {number}: ") - 1, 40)
        left = max(room // 2, room - len(after))
        before = before if len(before) <= left else f"…{before[1 - left :]}"
        right = room - len(before)
        after = after if len(after) <= right else f"{after[: right - 1]}…"
        word = style(printable(change.original), error=True, fg="red", bold=True)
        self._say(f"\nline {number}: {before}{word}{after}")
        best = style(printable(change.replacement), error=True, fg="green", bold=True)
        listed = "".join(f"  {place} {printable(text)}" for place, text in enumerate(others, 1))
        self._say(f"  {best} ({100 * change.posterior:.0f} %){listed}")

    def _answer(self) -> str:
        """A line of standard input without the spaces around it; ``q`` at its end."""
        assert self._console.stdin is not None
        self._console.tell("[y n 1.. =word d a q] ")
        line = self._console.stdin.readline()
        if not line:
            self._say("")
            return "q"
        return line.decode(errors="replace").strip()

    def _add(self, word: str) -> None:
        self._known.add(word.casefold())
        path = self._dictionary
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding=self._encoding) as file:
                file.write(f"{word}\n")
        except OSError as error:
            raise LmkitError(
                f"cannot write {path}: {error.strerror}", "another place with --dictionary"
            ) from error
        self._say(f"  {printable(word)} is in {path} now")

    def _say(self, text: str) -> None:
        self._console.tell(f"{text}\n")
