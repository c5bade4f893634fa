"""How fast noisy text is corrected in bulk, as a Markdown table: words a second.

    python benchmarks/correction_speed.py CHANNEL.lm --lexicon count_1w.txt

Once as a whole process, `lmkit correct` from its start to its end, and inside of one: what the
start takes (opening the model, making the corrector), and the text behind it, whose words are all
seen for the first time, by one thread and by as many as there are cores. By the clock and by
processor time: on a machine that is shared only the latter says much. Medians of ``--runs`` turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from corpora import find_corpora

TEXT = "spelling/context/wikidump/corrupt.txt"
INSIDE = """
import json, sys, time
begun = time.perf_counter(), time.process_time()
import lmkit
from lmkit.channel.corrector import Corrector
model, lexicon, text, beam, threads = sys.argv[1:]
corrector = Corrector(
    lmkit.load(model), lexicon=lexicon or None, beam=int(beam), threads=int(threads) or None
)
ready = time.perf_counter(), time.process_time()
with open(text, encoding="utf-8", newline="\\n") as file:
    corrector.correct([line.rstrip("\\n") for line in file])
done = time.perf_counter(), time.process_time()
print(json.dumps({"start": [b - a for a, b in zip(begun, ready)],
                  "text": [b - a for a, b in zip(ready, done)]}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", type=Path, help="a channel, or any model of words")
    parser.add_argument("--lexicon", type=Path, help="words besides those of the model")
    parser.add_argument("--text", type=Path, help="noisy text [that of wikidump]")
    parser.add_argument("--lines", type=int, help="so many lines of it [all]")
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    folder = find_corpora()
    if arguments.text is None and folder is None:
        print("Error: no corpora. Try: --text FILE, or LMKIT_TEST_DATA=FOLDER.", file=sys.stderr)
        return 1
    text = arguments.text or folder / TEXT
    lines = text.read_text(encoding="utf-8").splitlines(keepends=True)[: arguments.lines]
    words = sum(len(line.split()) for line in lines)
    with tempfile.TemporaryDirectory() as place:
        cut = Path(place) / "text.txt"
        cut.write_text("".join(lines), encoding="utf-8")
        show(arguments, cut, words)
    return 0


def show(arguments: argparse.Namespace, text: Path, words: int) -> None:
    """Print the table."""
    # NumPy's products have no part in this; their threads would only cost their start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    times = defaultdict(list)
    for _ in range(arguments.runs):
        times["whole process"].append(whole_process(arguments, text))
        for threads, name in ((1, "one thread"), (0, "a thread a core")):
            found = inside(arguments, text, threads)
            if threads:
                times["start alone"].append(found["start"])
            times[f"text alone, {name}"].append(found["text"])
    print(f"{words:,} words, beam {arguments.beam}, medians of {arguments.runs}\n")
    print("| | s | CPU s | words/s | words/s of CPU |")
    print("|---|--:|--:|--:|--:|")
    for title, runs in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        rates = f"{words / wall:,.0f} | {words / cpu:,.0f}" if title != "start alone" else " | "
        print(f"| {title} | {wall:.2f} | {cpu:.2f} | {rates} |")


def whole_process(arguments: argparse.Namespace, text: Path) -> tuple[float, float]:
    """Seconds of `lmkit correct`, by the clock and of CPU."""
    command = [sys.executable, "-m", "lmkit", "correct", str(arguments.model), str(text)]
    command += ["--beam", str(arguments.beam)]
    if arguments.lexicon is not None:
        command += ["--lexicon", str(arguments.lexicon)]
    started, before = time.perf_counter(), os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system
    return time.perf_counter() - started, cpu - before.children_user - before.children_system


def inside(arguments: argparse.Namespace, text: Path, threads: int) -> dict[str, list[float]]:
    """Seconds of a start and of a text in a process of its own, by the clock and of CPU."""
    values = arguments.model, arguments.lexicon or "", text, arguments.beam, threads
    command = [sys.executable, "-c", INSIDE, *map(str, values)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
