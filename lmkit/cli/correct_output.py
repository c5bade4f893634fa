"""What ``lmkit correct`` writes: text, marked text, a diff, explanations, or rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lmkit.cli.console import Console
from lmkit.cli.output import Format, Row, RowWriter

if TYPE_CHECKING:
    from lmkit.channel.base import Edit
    from lmkit.channel.corrections import Change, Correction
    from lmkit.channel.corrector import Corrector
    from lmkit.cli.correct_interactive import Asking
    from lmkit.text.reading import LineBlock

Shape = Literal["text", "flag_only", "diff", "explain", "interactive", "rows"]

LINE_COLUMNS = ["line", "text", "corrected", "changes"]
CHANGE_COLUMNS = ["line", "offset", "length", "original", "replacement", "posterior", "runners_up"]
CANDIDATE_COLUMNS = ["candidate", "log p(x|y)", "log p(y)", "posterior", "edits"]
_BOM = b"\xef\xbb\xbf"


def write_corrections(
    console: Console,
    corrector: Corrector,
    blocks: Iterable[LineBlock],
    target: Path | None,
    shape: Shape,
    fmt: Format,
    asking: Asking | None = None,
    *,
    flag_only: bool = False,
    encoding: Callable[[], str] | None = None,
) -> None:
    """Correct ``blocks``, which were read with their originals, and write them in ``shape`` to
    standard output or to ``target``, as soon as each block is done. ``encoding`` says, once the
    first block is read, what ``target`` is written in; None: UTF-8."""
    with _console_on(console, target, encoding) as out:
        if shape == "rows" or fmt != "table":
            _write_rows(out, corrector, blocks, fmt, shape == "explain", flag_only)
            return
        writers: dict[str, Callable[[Console, LineBlock, Sequence[Correction]], None]] = {
            "text": _write_text,
            "flag_only": _write_marked,
            "explain": _write_explained,
            "diff": _Diff().write,
        }
        write = writers["text"] if asking is not None else writers[shape]
        for block in blocks:
            corrections = corrector.correct(block)
            if asking is not None:
                corrections = asking.decided(block, corrections)
            write(out, block, corrections)
            out.flush()


@contextmanager
def _console_on(
    console: Console, target: Path | None, encoding: Callable[[], str] | None
) -> Iterator[Console]:
    """``console``, or one that writes to the file ``target`` in place of standard output."""
    if target is None:
        yield console
        return
    from lmkit.files.atomic import open_target
    from lmkit.text.encodings import EncodingWriter

    with open_target(target) as below:
        stream: Any = below if encoding is None else EncodingWriter(below, encoding)
        text = io.TextIOWrapper(stream, "utf-8", "backslashreplace", newline="\n")
        yield replace(console, stdout=text, stdout_is_terminal=False, width=80)
        text.flush()
        text.detach()
        if encoding is not None:
            stream.finish()


def around(original: bytes, line: str) -> tuple[bytes, bytes]:
    """What stands before and behind the text ``line`` in its ``original`` bytes: a byte-order
    mark, and the line end."""
    before = _BOM if original.startswith(_BOM) and not line.startswith("\ufeff") else b""
    for end in (b"\r\n", b"\n", b"\r"):
        if original.endswith(end):
            return before, end
    return before, b""


def _write_text(out: Console, block: LineBlock, corrections: Sequence[Correction]) -> None:
    _write_lines(out, block, [one.corrected for one in corrections])


def _write_lines(out: Console, block: LineBlock, lines: Sequence[str]) -> None:
    """``lines`` in the place of those of ``block``, of which those that are the same are
    written byte for byte as they were."""
    assert block.originals is not None
    parts = []
    for line, original, new in zip(block, block.originals, lines, strict=True):
        if new == line:
            parts.append(original)
        else:
            before, behind = around(original, line)
            parts.append(before + new.encode(errors="surrogatepass") + behind)
    out.write_bytes(b"".join(parts))


def spliced(line: str, changes: Sequence[Change], form: Callable[[Change], str]) -> str:
    """``line`` with each change in the form that ``form`` gives it."""
    parts, place = [], 0
    for change in changes:
        parts += [line[place : change.offset], form(change)]
        place = change.offset + change.length
    return "".join([*parts, line[place:]])


def _write_marked(out: Console, block: LineBlock, corrections: Sequence[Correction]) -> None:
    def mark(change: Change) -> str:
        return (
            f"[{out.style(change.original, fg='red')}->{out.style(change.replacement, fg='green')}]"
        )

    _write_lines(out, block, [spliced(one.line, one.changes, mark) for one in corrections])


class _Diff:
    """A unified diff without context: lines stay in their places, so that their numbers say
    everything."""

    def __init__(self) -> None:
        self._begun = False

    def write(self, out: Console, block: LineBlock, corrections: Sequence[Correction]) -> None:
        changed = [place for place, one in enumerate(corrections) if one.corrected != one.line]
        if changed and not self._begun:
            self._begun = True
            out.write(out.style(f"--- {block.source}", bold=True) + "\n")
            out.write(out.style(f"+++ {block.source}", bold=True) + "\n")
        for first, last in _runs(changed):
            count = "" if last == first + 1 else f",{last - first}"
            where = f"{block.first_line + first}{count}"
            out.write(out.style(f"@@ -{where} +{where} @@", fg="cyan") + "\n")
            for sign, colour in (("-", "red"), ("+", "green")):
                for place in range(first, last):
                    out.write(self._line(out, block, corrections[place], place, sign, colour))

    def _line(
        self, out: Console, block: LineBlock, one: Correction, place: int, sign: str, colour: str
    ) -> str:
        def form(change: Change) -> str:
            text = change.original if sign == "-" else change.replacement
            return out.style(text, fg=colour, bold=True, underline=True)

        assert block.originals is not None
        before, end = around(block.originals[place], block[place])
        text = sign + before.decode() + spliced(one.line, one.changes, form)
        if end.endswith(b"\n"):
            return text + end.decode()
        return text + end.decode() + "\n\\ No newline at end of file\n"


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Stretches of ``places``, which ascend, without gaps: (first, last + 1)."""
    start = 0
    for place in range(1, len(places) + 1):
        if place == len(places) or places[place] != places[place - 1] + 1:
            yield places[start], places[place - 1] + 1
            start = place


def edits_text(edits: Iterable[Edit]) -> str:
    """A path of edits on one line: what was typed as meant stands alone, an edit as
    ``(typed|meant)``."""
    parts = []
    for edit in edits:
        if edit.kind in ("stop", "word", "keep", "space"):
            parts.append(edit.typed)
        else:
            parts.append(f"({edit.typed}|{edit.intended})")
    return "".join(parts)


def _write_explained(out: Console, block: LineBlock, corrections: Sequence[Correction]) -> None:
    for number, one in enumerate(corrections, block.first_line):
        for change in one.changes:
            arrow = f"{change.original} -> {change.replacement}"
            out.write_line(
                f"line {number}, character {change.offset + 1}: {out.style(arrow, bold=True)}"
                f"  (posterior {change.posterior:.4f})"
            )
            rows = [
                (one.text, one.log_channel, one.log_source, one.posterior, edits_text(one.edits))
                for one in change.candidates
            ]
            with RowWriter(out, CANDIDATE_COLUMNS) as writer:
                writer.write(rows)
            out.write_line()


def _write_rows(
    out: Console,
    corrector: Corrector,
    blocks: Iterable[LineBlock],
    fmt: Format,
    explain: bool,
    flag_only: bool,
) -> None:
    nested = fmt in ("json", "jsonl")
    with RowWriter(out, LINE_COLUMNS if nested else CHANGE_COLUMNS, fmt) as writer:
        for block in blocks:
            corrections = corrector.correct(block)
            numbered = list(enumerate(corrections, block.first_line))
            if nested:
                writer.write([_line_row(*one, explain, flag_only) for one in numbered])
            else:
                writer.write([row for one in numbered for row in _change_rows(*one)])
            out.flush()


def _line_row(number: int, one: Correction, explain: bool, flag_only: bool) -> Row:
    changes = [change_facts(change, explain) for change in one.changes]
    return number, one.line, one.line if flag_only else one.corrected, changes


def change_facts(change: Change, explain: bool = False) -> dict[str, Any]:
    """A change as JSON has it; ``explain`` adds its candidates and the edits behind them."""
    facts: dict[str, Any] = {
        "offset": change.offset,
        "length": change.length,
        "original": change.original,
        "replacement": change.replacement,
        "posterior": change.posterior,
        "runners_up": [
            {"text": text, "posterior": posterior} for text, posterior in change.runners_up
        ],
    }
    if explain:
        facts["candidates"] = [
            {
                "text": one.text,
                "log_channel": one.log_channel,
                "log_source": one.log_source,
                "posterior": one.posterior,
                "edits": [
                    {
                        "kind": edit.kind,
                        "position": edit.position,
                        "intended": edit.intended,
                        "typed": edit.typed,
                        "log_prob": edit.log_prob,
                    }
                    for edit in one.edits
                ],
            }
            for one in change.candidates
        ]
    return facts


def _change_rows(number: int, one: Correction) -> Iterator[Row]:
    for change in one.changes:
        runners = "; ".join(f"{text} {posterior:.4g}" for text, posterior in change.runners_up)
        yield (
            number,
            change.offset,
            change.length,
            change.original,
            change.replacement,
            change.posterior,
            runners,
        )
