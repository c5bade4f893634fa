"""How long somebody waits who asks about one word, warm and for a whole process.

    python benchmarks/suggesting.py CHANNEL.lm --lexicon count_1w.txt

The words are every fourth of the isolated test set, each asked about once. With ``--lexicon``
also with the list given at each start, and with the list kept in the model. CPU time, as the
machine may be busy with something else, and wall time; medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from corpora import find_corpora

import lmkit
from lmkit.channel.candidates.folding import read_word_list
from lmkit.channel.candidates.lexicon import Lexicon
from lmkit.channel.corrector import Corrector
from lmkit.channel.model import NoisyChannelModel

ISOLATED = Path("spelling/dev.tsv")
AROUND = ("I was told to", "this as soon as possible")
RUNS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", type=Path, help="a channel")
    parser.add_argument("--lexicon", type=Path, help="words besides those of the model")
    arguments = parser.parse_args()
    folder = find_corpora()
    if folder is None:
        print("Error: no corpora. Try: LMKIT_TEST_DATA=FOLDER.", file=sys.stderr)
        return 1
    print_suggest(arguments.model, arguments.lexicon, folder)
    return 0


def print_suggest(model: Path, lexicon: Path | None, folder: Path) -> None:
    """Print the times of ``model`` as a Markdown table."""
    text = (folder / ISOLATED).read_text(encoding="utf-8")
    words = [line.split()[0] for line in text.splitlines()][::4]
    print("| suggest | process: CPU | wall | warm: CPU | in a sentence |")
    print("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as place:
        ways: list[tuple[str, Path, list[str]]] = [("the model", model, [])]
        if lexicon is not None:
            ways.append(("with a word list", model, ["--lexicon", str(lexicon)]))
            ways.append(("the list in the model", kept(model, lexicon, Path(place)), []))
        for title, path, options in ways:
            cpu, wall = process([str(path), "acommodation", *options])
            opened = Corrector(lmkit.load(path), lexicon=lexicon if options else None)
            alone, around = (1000 * warm(opened, words, sides) for sides in (("", ""), AROUND))
            times = f"{cpu:.2f} s | {wall:.2f} s | {alone:.1f} ms | {around:.1f} ms"
            print(f"| {title} | {times} |", flush=True)


def kept(model: Path, lexicon: Path, place: Path) -> Path:
    """``model`` with the words of ``lexicon`` in it."""
    old = lmkit.load(model)
    assert isinstance(old, NoisyChannelModel)
    stock = Lexicon.of(old.source, read_word_list(lexicon)).stock
    path = place / "with-words.lm"
    NoisyChannelModel(old.component, old.channel, weights=old.weights, stock=stock).save(path)
    return path


def process(words: Sequence[str]) -> tuple[float, float]:
    """Seconds of CPU and of the clock that ``lmkit suggest`` takes."""
    command = [sys.executable, "-m", "lmkit", "suggest", *words]
    cpu, wall = [], []
    for _ in range(RUNS):
        started, before = time.perf_counter(), os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        wall.append(time.perf_counter() - started)
        user = after.children_user - before.children_user
        cpu.append(user + after.children_system - before.children_system)
    return statistics.median(cpu), statistics.median(wall)


def warm(corrector: Corrector, words: Sequence[str], sides: tuple[str, str]) -> float:
    """Seconds of CPU for a word that was not looked up before."""
    first, *others = words if sides == ("", "") else [f"{word}s" for word in words]
    corrector.suggest(first, *sides)
    times = []
    for word in others:
        started = time.process_time()
        corrector.suggest(word, *sides)
        times.append(time.process_time() - started)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
