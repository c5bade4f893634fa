"""ARPA files in and out, beside KenLM: seconds by the clock, seconds of CPU, peak memory.

    python benchmarks/arpa_files.py MODEL.lm [--kenlm FOLDER] [--runs 3]

MODEL is exported and its file imported again, whole processes; FOLDER has KenLM's programs
(``build_binary``), whose columns are empty without it. What is compared runs in turn, and
other processes disturb CPU seconds less than the clock: medians are printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One process: seconds by the clock and of CPU, and peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def measured(words: list[str]) -> Run:
    """What the process ``words`` takes. Raises `RuntimeError` where it fails."""
    start = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
    wall = time.perf_counter() - start
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def row(task: str, runs: list[Run]) -> str:
    """A line of the table."""
    if not runs:
        return f"| {task} | | | |"
    wall, cpu, peak = (
        statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "peak")
    )
    return f"| {task} | {wall:.1f} | {cpu:.1f} | {peak:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--kenlm", type=Path, metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    lmkit = [sys.executable, "-m", "lmkit"]
    with tempfile.TemporaryDirectory() as name:
        arpa, folder = Path(name) / "model.arpa", Path(name)
        tasks = {
            "export": [*lmkit, "export", str(given.model), "-o", str(arpa)],
            "import": [*lmkit, "import", str(arpa), "-o", str(folder / "again.lm")],
        }
        if given.kenlm:
            program = str(given.kenlm / "build_binary")
            tasks["KenLM's `build_binary`"] = [program, str(arpa), str(folder / "kenlm.bin")]
        runs: dict[str, list[Run]] = {task: [] for task in (*tasks, "KenLM's `build_binary`")}
        for _ in range(given.runs):
            for task, words in tasks.items():
                runs[task].append(measured(words))
        print(f"an ARPA file of {arpa.stat().st_size / 1e6:,.0f} MB, {given.runs} runs\n")
    print("| task | s | CPU s | peak MB |\n|---|--:|--:|--:|")
    for task, of in runs.items():
        print(row(task, of))


if __name__ == "__main__":
    main()
