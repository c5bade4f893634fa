"""Runs what the pages show: commands and Python, with the output that stands below them.

    python docs/examples.py                      # writes the outputs of all pages anew
    python docs/examples.py --check README.md    # only says where those of one differ

A block fenced as ``console`` has lines ``$ command`` (and ``> `` where it goes on), one fenced as
``pycon`` lines ``>>> statement``. All blocks of a page run one after the other in one empty
directory that holds a copy of ``data/``; standard output and standard error stand together, as
in a terminal.

``corpus`` behind the kind marks a block whose output depends on the built-in corpus, which
differs a little from one Python to the next. A page with such blocks has a comment that names
the corpus that they were made with. Under another one their numbers may be up to `ELSEWHERE`
away, and drawn sentences are not compared.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    "docs/correction.md",
    "docs/formats.md",
    "docs/mixing.md",
    "docs/pipelines.md",
    "docs/python.md",
    "docs/smoothing.md",
    "docs/surprisal.md",
    "docs/text.md",
    "docs/tokenizers.md",
    "docs/unigram.md",
)
HERE = 0.002
"""How far a number may be away, relative to it, from what the page says: rounding."""
ELSEWHERE = 0.35
"""The same, where the built-in corpus is that of another Python."""

FENCE = re.compile(r"^```(console|pycon)( corpus)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CORPUS = re.compile(r"<!-- The built-in corpus of Python \S+, sha256 ([0-9a-f]{64}) -->")
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
UNSTEADY = re.compile(r"\d+(?:\.\d+)? (?:s|MB)\b")
"""Times and sizes, which are not compared."""
DRAWN = ("lmkit generate", "generate(", "--max-perplexity", "--min-perplexity", "lmkit counts")
"""What shows sentences or words of the corpus itself, of which only the number is compared
under another corpus."""


@dataclass
class Example:
    """A command or statement, the output that the page shows, and the one that it has."""

    source: str
    expected: str
    actual: str = ""


@dataclass
class Block:
    """A fenced block: its kind, whether it depends on the corpus, and where it stands."""

    kind: str
    corpus: bool
    span: tuple[int, int]
    line: int
    examples: list[Example] = field(default_factory=list)

    def text(self) -> str:
        """The block with the actual outputs, without its fences."""
        parts = []
        for example in self.examples:
            parts.append(example.source)
            if example.actual:
                parts.append(example.actual)
        return "".join(parts)


def blocks_of(page: str) -> list[Block]:
    """The blocks of ``page`` that are run, in their order."""
    found = []
    for match in FENCE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        block = Block(match[1], bool(match[2]), match.span(3), line)
        split = _commands if block.kind == "console" else _statements
        block.examples = list(split(match[3]))
        found.append(block)
    return found


def _commands(text: str) -> Iterator[Example]:
    current: list[str] = []
    output: list[str] = []
    for line in text.splitlines(keepends=True):
        goes_on = line.startswith("> ") or (current and current[-1].endswith("\\\n"))
        if current and goes_on and not output:
            current.append(line)
        elif line.startswith("$ "):
            if current:
                yield Example("".join(current), "".join(output))
            current, output = [line], []
        else:
            output.append(line)
    if current:
        yield Example("".join(current), "".join(output))


def _statements(text: str) -> Iterator[Example]:
    for example in doctest.DocTestParser().get_examples(text):
        lines = example.source.splitlines(keepends=True)
        shown = [f">>> {lines[0]}", *(f"... {line}" for line in lines[1:])]
        yield Example("".join(shown), example.want)


def run(blocks: Sequence[Block], place: Path, home: Path) -> None:
    """Run ``blocks`` in the directory ``place`` and note their outputs.

    ``home`` is where data sets are kept. Raises `RuntimeError` where a command fails that the
    page does not show failing.
    """
    shutil.copytree(ROOT / "data", place / "data", dirs_exist_ok=True)
    tools = place / ".tools"
    tools.mkdir(exist_ok=True)
    for name, module in (("lmkit", "lmkit"), ("sqlite-utils", "sqlite_utils")):
        shim = tools / name
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        shim.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "LMKIT_HOME": str(home),
        "COLUMNS": "80",
        "PYTHONUTF8": "1",
    }
    for name in ("LMKIT_DEBUG", "FORCE_COLOR"):
        environment.pop(name, None)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        for example in block.examples:
            if block.kind == "console":
                example.actual = _run_command(example, place, environment)
            else:
                example.actual = _run_statement(example, place, names, home)


def _run_command(example: Example, place: Path, environment: dict[str, str]) -> str:
    command = re.sub(r"^[$>] ", "", example.source, flags=re.MULTILINE)
    result = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    if result.returncode and "Error: " not in example.expected:
        raise RuntimeError(f"status {result.returncode}: {command}{result.stdout}")
    return _trimmed(result.stdout)


def _run_statement(example: Example, place: Path, names: dict[str, Any], home: Path) -> str:
    source = re.sub(r"^(>>>|\.\.\.) ?", "", example.source, flags=re.MULTILINE)
    before, where = os.environ.get("LMKIT_HOME"), Path.cwd()
    out = io.StringIO()
    try:
        os.chdir(place)
        os.environ["LMKIT_HOME"] = str(home)
        with contextlib.redirect_stdout(out):
            exec(compile(source, "<example>", "single"), names)
    finally:
        os.chdir(where)
        if before is None:
            del os.environ["LMKIT_HOME"]
        else:
            os.environ["LMKIT_HOME"] = before
    return _trimmed(out.getvalue())


def _trimmed(output: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in output.splitlines())


def difference(example: Example, block: Block, same_corpus: bool) -> str | None:
    """What is wrong with the output that the page shows, or None."""
    strict = same_corpus or not block.corpus
    expected, actual = (_lines(text) for text in (example.expected, example.actual))
    if len(expected) != len(actual):
        return f"{len(actual)} lines instead of {len(expected)}"
    if not strict and any(word in example.source for word in DRAWN):
        return None if all(actual) else "an empty line"
    for shown, found in zip(expected, actual, strict=True):
        if NUMBER.sub("#", shown) != NUMBER.sub("#", found):
            return f"{found!r} instead of {shown!r}"
        for one, other in zip(NUMBER.findall(shown), NUMBER.findall(found), strict=True):
            if not _near(one, other, HERE if strict else ELSEWHERE):
                return f"{other} instead of {one} in {found!r}"
    return None


def _lines(output: str) -> list[str]:
    """Lines without times and sizes, and whatever the width of their columns."""
    lines = UNSTEADY.sub("?", output).splitlines()
    return [re.sub(r"\s+", " ", re.sub(r"^[-\s]+$", "---", line)).strip() for line in lines]


def _near(one: str, other: str, part: float) -> bool:
    first, second = (float(text.replace(",", "")) for text in (one, other))
    return abs(first - second) <= part * max(abs(first), abs(second))


def corpus_checksum() -> str:
    """The sha256 of this Python's built-in corpus."""
    from lmkit.datasets import builtin_corpus

    lines = [line for split in builtin_corpus().values() for line in split]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def check(page: Path, blocks: Sequence[Block]) -> list[str]:
    """Where the outputs of ``blocks``, which have run, are not those of ``page``."""
    named = CORPUS.search(page.read_text(encoding="utf-8"))
    same = bool(named) and named[1] == corpus_checksum()
    return [
        f"{page.name}, line {block.line}: {example.source.strip()}\n    {wrong}"
        for block in blocks
        for example in block.examples
        if (wrong := difference(example, block, same))
    ]


def rewritten(page: str, blocks: Sequence[Block]) -> str:
    """``page`` with the actual outputs of ``blocks``, where they differ from those it shows by
    more than times and rounding, and the corpus that they were made with."""
    for block in blocks:
        for example in block.examples:
            if difference(example, block, same_corpus=True) is None:
                example.actual = example.expected
    for block in reversed(blocks):
        start, stop = block.span
        page = page[:start] + block.text() + page[stop:]
    version = ".".join(platform.python_version_tuple()[:2])
    named = f"<!-- The built-in corpus of Python {version}, sha256 {corpus_checksum()} -->"
    return CORPUS.sub(named, page)


def main() -> int:
    """Run the pages; write their outputs, or with ``--check`` say where they differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("pages", nargs="*", type=Path, default=[ROOT / page for page in PAGES])
    parser.add_argument("--check", action="store_true", help="change nothing")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    wrong: list[str] = []
    for page in arguments.pages:
        text = page.read_text(encoding="utf-8")
        blocks = blocks_of(text)
        with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as home:
            run(blocks, Path(place), Path(home))
        if arguments.check:
            wrong += check(page, blocks)
        else:
            page.write_text(rewritten(text, blocks), encoding="utf-8")
    for one in wrong:
        print(one)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
