"""Beside the Python package kenlm: start, memory, and calls a second on one core, of one model.

    python benchmarks/kenlm_python.py
    python benchmarks/kenlm_python.py --arpa model.arpa --text test.txt

Without ``--arpa`` an order-5 model is trained on the first 720,000 tokens of the novels and written
as an ARPA file, and the next 200,000 tokens are asked; all three files are the same model. Each
column is a process of its own, and they take turns ``--runs`` times; the table has the best of each
(CPU seconds, so that other work on the machine counts little). ``again`` asks the same words
a second time, as decoders do, within what lmkit keeps. The columns of kenlm are empty where it is
not installed: python -m pip install kenlm==0.3.0 compiles it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from corpora import NOVELS, find_corpora

TRAINED, ASKED, AGAIN = 720_000, 200_000, 50_000
ROWS = {
    "start": ("start, to the first score", "s", 2),
    "start_megabytes": ("memory then", "MB", 0),
    "BaseScore": ("`BaseScore`", "calls/s", 0),
    "again": ("`BaseScore`, again", "calls/s", 0),
    "score": ("`score`", "words/s", 0),
    "full_scores": ("`full_scores`", "words/s", 0),
    "megabytes": ("memory at the end", "MB", 0),
}


def measure(package: str, model_path: str, text: str) -> dict[str, float]:
    """What one package does with one file; run in a process of its own."""
    if package == "kenlm":
        import kenlm
    else:
        from lmkit import kenlm
    config = kenlm.Config()
    config.show_progress = False
    model = kenlm.Model(model_path, config)
    model.score("the")
    # With what the interpreter took before.
    found = {"start": time.process_time(), "start_megabytes": megabytes()}
    lines = Path(text).read_text(encoding="utf-8").splitlines()
    sentences = [line.split() for line in lines]
    few, count = [], 0
    for sentence in sentences:
        few.append(sentence)
        count += len(sentence)
        if count >= AGAIN:
            break
    found["BaseScore"] = rate(lambda: walk(kenlm, model, sentences))
    walk(kenlm, model, few)
    found["again"] = rate(lambda: walk(kenlm, model, few))
    found["score"] = rate(lambda: scored(model, lines, sentences))
    found["full_scores"] = rate(lambda: fully_scored(model, lines))
    found["megabytes"] = megabytes()
    return found


def megabytes() -> float:
    """The peak of this process, in MB (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # which does not count the process that this one was forked from
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+)", status.read_text())
        return int(kilobytes) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def rate(work: Callable[[], int]) -> float:
    """How many things a CPU second ``work`` does, which says how many it has done."""
    begin = time.process_time()
    done = work()
    return done / (time.process_time() - begin)


def walk(kenlm: Any, model: Any, sentences: Sequence[Sequence[str]]) -> int:
    state, after = kenlm.State(), kenlm.State()
    ask = model.BaseScore
    for sentence in sentences:
        model.BeginSentenceWrite(state)
        for word in sentence:
            ask(state, word, after)
            state, after = after, state
        ask(state, "</s>", after)
    return sum(len(sentence) + 1 for sentence in sentences)


def scored(model: Any, lines: Sequence[str], sentences: Sequence[Sequence[str]]) -> int:
    for line in lines:
        model.score(line)
    return sum(len(sentence) + 1 for sentence in sentences)


def fully_scored(model: Any, lines: Sequence[str]) -> int:
    return sum(1 for line in lines for _ in model.full_scores(line))


def make_files(folder: Path) -> tuple[Path, Path]:
    """An ARPA file and a text of the novels to ask it about."""
    corpora = find_corpora()
    if corpora is None:
        sys.exit("no real corpora: set LMKIT_TEST_DATA, or give --arpa and --text")
    training, text, arpa = folder / "train.txt", folder / "text.txt", folder / "model.arpa"
    lines = (corpora / NOVELS).read_text(encoding="utf-8").splitlines(keepends=True)
    counts, parts = [0, 0], ([], [])  # type: tuple[list[int], tuple[list[str], list[str]]]
    for line in lines:
        if words := len(line.split()):
            which = int(counts[0] >= TRAINED)
            counts[which] += words + 1
            parts[which].append(line)
            if counts[1] >= ASKED:
                break
    training.write_text("".join(parts[0]), encoding="utf-8")
    text.write_text("".join(parts[1]), encoding="utf-8")
    trained = folder / "trained.lm"
    lmkit("train", training, "--order", "5", "--tokenizer", "whitespace", "--output", trained)
    lmkit("export", trained, "--output", arpa)
    return arpa, text


def lmkit(*arguments: object) -> None:
    command = [sys.executable, "-m", "lmkit", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arpa", type=Path, help="an ARPA file of KenLM's orders")
    parser.add_argument("--text", type=Path, help="the text to ask about, already tokenized")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="figures in place of the table")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(*given.measure)))
        return
    if (given.arpa is None) != (given.text is None):
        parser.error("--arpa and --text go together")
    with tempfile.TemporaryDirectory(prefix="lmkit-bench-") as name:
        folder = Path(name)
        arpa, text = (given.arpa, given.text) if given.arpa else make_files(folder)
        lmkit("import", arpa, "--output", folder / "model.lm")
        columns = {
            "kenlm, ARPA": ("kenlm", arpa),
            "lmkit, ARPA": ("lmkit", arpa),
            "lmkit, model file": ("lmkit", folder / "model.lm"),
        }
        if importlib.util.find_spec("kenlm") is None:
            columns = {key: value for key, value in columns.items() if value[0] == "lmkit"}
        runs: dict[str, list[dict[str, float]]] = {key: [] for key in columns}
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(given.runs):
            for key, (package, path) in columns.items():
                command = [sys.executable, __file__, "--measure", package, str(path), str(text)]
                out = subprocess.run(
                    command, check=True, capture_output=True, text=True, env=environment
                ).stdout
                runs[key].append(json.loads(out))
    best = {
        key: {
            row: (max if unit.endswith("/s") else min)(run[row] for run in found)
            for row, (_, unit, _) in ROWS.items()
        }
        for key, found in runs.items()
    }
    if given.json:
        print(json.dumps(best, indent=2))
        return
    print("| |", " | ".join(best), "|")
    print("|---|" + "---:|" * len(best))
    for row, (label, unit, digits) in ROWS.items():
        cells = [f"{found[row]:,.{digits}f} {unit}" for found in best.values()]
        print(f"| {label} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
