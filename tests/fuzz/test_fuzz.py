"""A thousand damaged files, the same in each run; ``make fuzz`` looks at 25,000."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("cases", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_or_read_as_before(cases: int) -> None:
    """In a process of its own, whose memory is bounded."""
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name("fuzz.py"), "--cases", str(cases)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert f"{cases:,} cases" in result.stdout
    # Damage is both refused and without consequence: neither kind of case is missing.
    assert '"refused"' in result.stdout and '"same"' in result.stdout
