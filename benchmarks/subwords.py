"""Learning and applying subwords, compared with other programs, as a Markdown table.

    python benchmarks/subwords.py TEXT [--vocabulary-size 8000] [--runs 3] [--only NAME]

Each program learns from TEXT in a process of its own, and cuts TEXT in another; they take turns,
with one thread each. The seconds are processor time, medians of ``--runs`` turns: a machine that is
shared slows all of them, so the ratios to lmkit's say more than the seconds. Memory is the largest
that either process had. Programs that are not installed are left out of the table's figures:
``pip install tokenizers sentencepiece tiktoken``. tiktoken learns nothing; it cuts by the merges
that lmkit has learnt.

All learn vocabularies of the same size: byte-level BPE, or a unigram language model of characters.
Those that have a pattern have GPT-2's. sentencepiece cuts characters, with bytes for those that it
never saw.

The programs ``file`` cut by a tokenizer of another program, which has learnt it: by its file,
beside that program.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from subword_programs import PROGRAMS

ONE_THREAD = {
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
COLUMNS = ("learnt", "program", "training s", "ratio", "encoding MB/s", "ratio", "memory MB",
           "bytes a token")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("text", type=Path, metavar="TEXT")
    parser.add_argument("--vocabulary-size", type=int, default=8000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", metavar="NAME", help="programs with NAME in model-program")
    parser.add_argument("--step", nargs=3, metavar="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step(arguments)
        return 0
    names = [name for name in PROGRAMS if not arguments.only or arguments.only in name]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(arguments.runs):
            for name in names:
                if installed(PROGRAMS[name].package):
                    found[name].append(one_turn(arguments, name, f"{folder}/{name}-{run}"))
                    print(f"{name}: {found[name][-1]}", file=sys.stderr)
    print_table(found)
    return 0


def installed(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:
        return False
    return True


def one_turn(arguments: argparse.Namespace, name: str, target: str) -> dict[str, Any]:
    """The figures of both processes of a program."""
    figures: dict[str, Any] = {}
    for what in ("learn", "encode"):
        command = [sys.executable, __file__, str(arguments.text)]
        command += ["--vocabulary-size", str(arguments.vocabulary_size)]
        done = subprocess.run(
            [*command, "--step", what, name, target],
            env={**os.environ, **ONE_THREAD},
            stdout=subprocess.PIPE,
            check=True,
        )
        figures[what] = json.loads(done.stdout.splitlines()[-1])
    return figures


def step(arguments: argparse.Namespace) -> None:
    """One process: learns or encodes, and prints what that took."""
    what, name, target = arguments.step
    program = PROGRAMS[name]()
    tokens = 0
    if what == "learn":
        begun = time.process_time()
        program.learn(arguments.text, arguments.vocabulary_size, Path(target))
    else:
        loaded = program.load(Path(target))
        begun = time.process_time()
        tokens = program.encode(loaded, arguments.text)
    seconds = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "memory": memory, "tokens": tokens,
                      "bytes": arguments.text.stat().st_size}))  # fmt: skip


def print_table(found: dict[str, list[dict[str, Any]]]) -> None:
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---|---" + "|---:" * (len(COLUMNS) - 2) + "|")
    seconds = {
        (name, what): statistics.median(turn[what]["seconds"] for turn in turns)
        for name, turns in found.items()
        for what in ("learn", "encode")
        if turns
    }
    for name, turns in found.items():
        program = PROGRAMS[name]
        cells = [program.model, program.name]
        if turns:
            own = f"{program.model}-lmkit"
            learn, encode = seconds[name, "learn"], seconds[name, "encode"]
            last = turns[-1]["encode"]
            used = [what for what in ("learn", "encode") if what == "encode" or program.learns]
            memory = max(turn[what]["memory"] for turn in turns for what in used)
            cells += [
                f"{learn:.1f}" if program.learns else "",
                ratio(learn, seconds.get((own, "learn"))) if program.learns else "",
                f"{last['bytes'] / encode / 1e6:.1f}",
                ratio(encode, seconds.get((own, "encode"))),
                f"{memory:.0f}",
                f"{last['bytes'] / last['tokens']:.3f}",
            ]
        cells += [""] * (len(COLUMNS) - len(cells))
        print("| " + " | ".join(cells) + " |")


def ratio(seconds: float, own: float | None) -> str:
    """How many times lmkit's seconds these are."""
    return f"{seconds / own:.2f}" if own else ""


if __name__ == "__main__":
    sys.exit(main())
