"""Time whole lmkit commands, start-up and saving included, and print one table.

    python benchmarks/run.py --runs 5
    python benchmarks/run.py --only train

Each command runs in a process of its own; the time is wall time, the memory the peak resident
set of that process. Where ``CPU s`` (all its threads, user and system) is well below the wall
time, the machine was busy with something else and the times say little. ``limit`` is what the
project promises on two cores. NumPy is not imported here: a child's peak counts the memory of
the process that it was forked from.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora import NOVELS, WIKITEXT, count_tokens, find_corpora, first_tokens

PERPLEXITY_TOKENS = 2_000_000
SENTENCES = 200
READ = ("--tokenizer", "whitespace", "--skip-empty-lines")


@dataclass(frozen=True)
class Task:
    """A command, what it works through, and what is promised of it."""

    name: str
    arguments: tuple[str, ...]
    tokens: int | None = None
    stdin: str = ""
    seconds_limit: float | None = None
    megabytes_limit: float | None = None


@dataclass(frozen=True)
class Run:
    """One process: wall and CPU seconds, and peak resident set in MB (10^6 bytes)."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def run_once(task: Task) -> Run:
    """Run ``task`` once. Ends the program where the command fails."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(task.stdin.encode())
        stdin.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "lmkit", *task.arguments],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            stderr.seek(0)
            sys.exit(f"Error: {task.name} failed:\n{stderr.read().decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Run(seconds, cpu_seconds, usage.ru_maxrss * unit / 1e6)


def tasks(corpora: Path, work: Path) -> list[Task]:
    """What is measured, in the order in which it must run: models are trained first."""
    wikitext, novels = corpora / WIKITEXT, corpora / NOVELS
    model, part = str(work / "novels.lm"), work / "novels-2m.txt"
    part_tokens = first_tokens(novels, part, PERPLEXITY_TOKENS)
    with novels.open(encoding="utf-8") as lines:
        line = next(line for line in lines if len(line.split()) >= 20)
    train = ("train", "--order", "5", *READ)
    return [
        Task("start: lmkit --version", ("--version",)),
        Task(
            "train order 5, WikiText-2",
            (*train, str(wikitext), "--output", str(work / "wikitext.lm")),
            count_tokens(wikitext),
            seconds_limit=4,
        ),
        Task(
            "train order 5, novels",
            (*train, str(novels), "--output", model),
            count_tokens(novels),
            seconds_limit=13,
            megabytes_limit=2000,
        ),
        Task(
            "perplexity of 2 M tokens",
            ("perplexity", model, str(part)),
            part_tokens,
            seconds_limit=2.5,
        ),
        Task("score one line", ("score", model, "-"), stdin=line, seconds_limit=0.4),
        Task(
            f"generate {SENTENCES} sentences",
            ("generate", model, "-n", str(SENTENCES), "--seed", "1"),
            seconds_limit=2,
        ),
    ]


def row(task: Task, runs: Sequence[Run]) -> dict[str, object]:
    """The figures of ``task``: medians, but the worst run's memory."""
    seconds = statistics.median(run.seconds for run in runs)
    megabytes = max(run.megabytes for run in runs)
    slow = task.seconds_limit is not None and seconds > task.seconds_limit
    large = task.megabytes_limit is not None and megabytes > task.megabytes_limit
    return {
        "task": task.name,
        "runs": len(runs),
        "seconds": round(seconds, 3),
        "fastest": round(min(run.seconds for run in runs), 3),
        "slowest": round(max(run.seconds for run in runs), 3),
        "cpu_seconds": round(statistics.median(run.cpu_seconds for run in runs), 3),
        "tokens": task.tokens,
        "tokens_per_second": None if task.tokens is None else round(task.tokens / seconds),
        "peak_megabytes": round(megabytes),
        "seconds_limit": task.seconds_limit,
        "megabytes_limit": task.megabytes_limit,
        "kept": not (slow or large),
    }


def print_table(rows: Sequence[dict[str, object]]) -> None:
    """The rows for people, as a Markdown table."""
    print("| task | median s | fastest–slowest | CPU s | tokens/s | peak MB | limit | |")
    print("|---|--:|--:|--:|--:|--:|--:|---|")
    for one in rows:
        rate, seconds, size = (
            one[key] for key in ("tokens_per_second", "seconds_limit", "megabytes_limit")
        )
        limits = [f"{seconds:g} s" if seconds else "", f"{size:g} MB" if size else ""]
        print(
            f"| {one['task']} | {one['seconds']:.2f} | {one['fastest']:.2f}–{one['slowest']:.2f}"
            f" | {one['cpu_seconds']:.2f} | {f'{rate:,}' if rate else ''}"
            f" | {one['peak_megabytes']:,} | {', '.join(filter(None, limits))}"
            f" | {'' if one['kept'] else 'EXCEEDED'} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of each command (3)")
    parser.add_argument("--only", default="", help="run only tasks whose name contains this")
    parser.add_argument("--json", action="store_true", help="an array of objects, not a table")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is exceeded")
    options = parser.parse_args()
    corpora = find_corpora()
    if corpora is None:
        sys.exit(f"Error: no corpora. Try: set LMKIT_TEST_DATA to a folder with {NOVELS}.")
    rows = []
    with tempfile.TemporaryDirectory(prefix="lmkit-benchmark-") as work:
        for task in tasks(corpora, Path(work)):
            wanted = options.only in task.name
            # What is measured may need a model that is not: then one run makes it.
            if wanted or task.arguments[0] == "train":
                print(f"{task.name} ...", file=sys.stderr, flush=True)
                runs = [run_once(task) for _ in range(options.runs if wanted else 1)]
                if wanted:
                    rows.append(row(task, runs))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print_table(rows)
        print(f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if options.check and not all(one["kept"] for one in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
