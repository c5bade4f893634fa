"""Running a command line: inside this process with any terminal, or in one of its own."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lmkit.cli.main import main

from .support import Result, clean_environment, faked_console, run_python, written


@pytest.fixture
def run() -> Callable[..., Result]:
    """``run("score", path, stdin=b"...", stdout_is_terminal=True)``: a command line in this
    process, on a console of memory."""

    def runner(*words: str | Path, stdin: bytes = b"", **facts: Any) -> Result:
        console = faked_console(stdin, **facts)
        status = main([str(word) for word in words], console)
        assert isinstance(console.stderr, io.StringIO)
        return Result(int(status), written(console), console.stderr.getvalue())

    return runner


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``process("score", path, env={...})``: a command line in a process of its own."""

    def runner(
        *words: str | Path, env: Mapping[str, str] | None = None, **settings: Any
    ) -> subprocess.CompletedProcess[str]:
        return run_python("-m", "lmkit", *map(str, words), env=env, **settings)

    return runner


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment for a process that imports this lmkit."""
    return clean_environment()
