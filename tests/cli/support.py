"""What the tests of the command line share: consoles of memory, and processes."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from lmkit.cli.console import Console

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What a command line wrote, and its exit status."""

    status: int
    out: str
    err: str


def faked_console(stdin: bytes = b"", **facts: Any) -> Console:
    """A console on memory; ``facts`` are its other attributes."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", newline="\n")
    return Console(io.BytesIO(stdin), out, io.StringIO(), **facts)


def written(console: Console) -> str:
    """What was written to the standard output of a faked console."""
    assert isinstance(console.stdout, io.TextIOWrapper)
    console.stdout.flush()
    buffer = console.stdout.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def run_python(
    *words: str, env: Mapping[str, str] | None = None, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """A Python process that can import this lmkit, without what the caller's shell sets."""
    settings = {"capture_output": True, "encoding": "utf-8", "timeout": 60, **settings}
    return subprocess.run(
        python_command(words), env={**clean_environment(), **(env or {})}, check=False, **settings
    )


def python_command(words: Sequence[str]) -> list[str]:
    return [sys.executable, *words]


def clean_environment() -> dict[str, str]:
    ours = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in ("LMKIT_DEBUG", "NO_COLOR"):
        ours.pop(name, None)
    return ours


def load_script(path: str) -> ModuleType:
    """A script of the checkout, such as ``docs/examples.py``, as a module."""
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(f"lmkit_script_{name}", ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


ERROR = re.compile(r"Error: [^\n]+\.\n")


def refused(result, *said, status):
    """That ``result`` is one line on standard error that has all of ``said``."""
    assert result.status == status
    assert result.out == ""
    assert ERROR.fullmatch(result.err), result.err
    for words in said:
        assert words in result.err


# What it does


TOKENIZED = (
    "the harbour lies at the end of the bay\nthe boats are in the harbour, the quiet harbour\n"
)
"""The text that the tokenizers of the tests are learnt from: three times."""


def ran(result: Result) -> str:
    """The output of a command that had no error."""
    assert result.status == 0, result.err
    return result.out


def said_no(result: Result, said: str) -> None:
    """That ``result`` ends with one error with ``said`` in it."""
    assert result.status in (1, 2) and result.out == ""
    assert ERROR.fullmatch(result.err.splitlines(keepends=True)[-1]), result.err
    assert said in result.err.splitlines()[-1]
