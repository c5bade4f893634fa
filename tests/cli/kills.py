"""Kills commands at every step they make, and looks at what is left.

    python tests/cli/kills.py                      # all commands, every step, all three signals
    python tests/cli/kills.py --points 5 --seed 1  # five steps of each, drawn at random

A step is a file that is opened, renamed or removed in the directory of the command, or a statement
that SQLite is given. The command runs in a fork of this process that sends itself the signal at the
n-th one: no moment is waited for. After each kill the target has to be the old or the new one,
whole; after SIGTERM and SIGHUP nothing else may be there, after SIGKILL nothing once another
command has written there. Prints a line of JSON for each command.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIGNALS = ("SIGKILL", "SIGTERM", "SIGHUP")
STEPS = ("open", "os.rename", "os.remove", "os.chmod", "os.truncate", "shutil.copyfile")
"""Names of audit events."""

COMMANDS = {
    "train": ("train new.txt --order 2 -o m.lm", "m.lm"),
    "train through a link": ("train new.txt --order 2 -o link.lm", "m.lm"),
    "train --tables": ("train new.txt --order 2 --tables -o m.lm", "m.lm"),
    "train --append": ("train new.txt --append m.lm -o m.lm", "m.lm"),
    "train lstm": (
        "train new.txt --backend lstm --epochs 1 --hidden-size 4 --workers 1 -o m.lm",
        "m.lm",
    ),
    "prune": ("prune m.lm --cutoffs 0,1 -o m.lm", "m.lm"),
    "mix": ("mix old.lm other.lm --embed --valid new.txt -o m.lm", "m.lm"),
    "import": ("import a.arpa -o m.lm", "m.lm"),
    "tables": ("tables m.lm", "m.lm"),
    "export": ("export other.lm -o out.arpa", "out.arpa"),
    "correct": ("correct channel.lm typed.txt --in-place", "typed.txt"),
    "tune": ("correct channel.lm --tune typed.txt old.txt", "channel.lm"),
    "compare": ("compare new.txt --model ngram:order=1 -o results", "results/results.db"),
}


def make(place: Path) -> int:
    """The files that the commands work on."""
    import lmkit

    os.chdir(place)
    lines = [f"the cat {number % 7} sat on mat {number % 3}\n" for number in range(30)]
    Path("old.txt").write_text("".join(lines))
    Path("new.txt").write_text("".join(lines).replace("cat", "dog"))
    Path("typed.txt").write_text("".join(lines).replace("sat", "szt"))
    Path("p.tsv").write_text("szt\tsat\nteh\tthe\ncta\tcat\n")
    lmkit.train("old.txt", order=2, output="old.lm")
    lmkit.train("old.txt", order=1, output="other.lm")
    lmkit.export_model("other.lm", "a.arpa")
    lmkit.api.train_channel("old.lm", pairs="p.tsv", output="channel.lm", embed=True)
    shutil.copy("old.lm", "m.lm")
    Path("out.arpa").write_text("old\n")
    Path("link.lm").symlink_to("m.lm")
    return _run("compare old.txt --model ngram:order=1 -o results")


def _run(line: str) -> int:
    from lmkit.cli.main import main

    return main([*line.split(), "--quiet"])


def digest(path: Path) -> Any:
    """What is in a target: equal for files that say the same. Raises where it is not whole."""
    if path.suffix not in (".lm", ".db"):
        return path.read_bytes().decode()
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        sizes = {
            name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in tables.fetchall()
        }
    finally:
        database.close()
    if path.suffix == ".db":
        return sizes
    import lmkit

    model = lmkit.load(path)
    weights = getattr(model, "weights", None)
    return [sizes, [run["what"] for run in model.runs], str(weights)]


def forked(call: Callable[[], int]) -> int:
    """The exit status of ``call`` in a fork; below zero the signal that it died by."""
    process = os.fork()
    if process == 0:
        status = 70
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            # Processes are killed here, not the computer: nothing need be on disk.
            os.fsync = lambda descriptor: None
            status = call()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed(line: str, place: Path, number: int, signal_number: int) -> int:
    """The exit status of a command that is sent the signal at its step ``number``, from 0."""
    left = number

    def step(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            os.kill(os.getpid(), signal_number)

    def call() -> int:
        watch(place, step)
        return _run(line)

    return forked(call)


def watch(place: Path, step: Callable[..., None]) -> None:
    """Have ``step`` called at each step of this process."""
    connect = sqlite3.connect

    def watched(*words: Any, **settings: Any) -> sqlite3.Connection:
        connection = connect(*words, **settings)
        connection.execute("PRAGMA synchronous = OFF")
        connection.set_trace_callback(step)
        return connection

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in STEPS and any(_within(one, place) for one in arguments):
            step()

    sqlite3.connect = watched  # type: ignore[assignment]
    sys.addaudithook(hook)


def _within(word: object, place: Path) -> bool:
    """Whether an argument of an event names a file that the command may write."""
    if not isinstance(word, str | bytes | os.PathLike):
        return False
    return os.path.abspath(os.fsdecode(word)).startswith(f"{place}/")


def names(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def check(
    name: str, origin: Path, signals: tuple[str, ...], points: int | None, draw: random.Random
) -> int:
    """Kill one command, in copies of ``origin``, at ``points`` of its steps (None: at all); the
    number of kills."""
    line, target = COMMANDS[name]
    folder = origin.parent
    whole = folder / "whole"
    steps = _steps(line, origin, whole)
    right = [digest(origin / target), digest(whole / target)]
    allowed = {*names(origin), *names(whole), f"{target}.checkpoint"}
    shutil.rmtree(whole)
    kills = 0
    for one in signals:
        number = getattr(signal, one)
        for step in range(steps) if points is None else draw.sample(range(steps), points):
            place = folder / "place"
            shutil.copytree(origin, place, symlinks=True)
            os.chdir(place)
            status = killed(line, place, step, number)
            told = f"{name}, {one} at step {step} of {steps}"
            # A signal that comes within a callback of SQLite is not heard.
            assert status in (-number, 0), f"{told}: status {status}"
            kills += status != 0
            assert digest(place / target) in right, f"{told}: neither old nor new"
            litter = set(names(place)) - allowed
            if one == "SIGKILL":
                visible = [path for path in litter if not _hidden(path)]
                assert not visible, f"{told}: {visible}"
                assert forked(lambda: _run(line)) == 0, f"{told}: not again"
                litter = set(names(place)) - allowed
            assert not litter, f"{told}: {litter}"
            os.chdir(folder)
            shutil.rmtree(place)
    return kills


def _hidden(path: str) -> bool:
    """Whether this is what a kill may leave: our own, and the journal by which SQLite undoes."""
    return Path(path).name.startswith(".lmkit-") or path.endswith("results.db-journal")


def _steps(line: str, origin: Path, place: Path) -> int:
    """How many steps a command makes, which leaves its work in ``place``."""
    shutil.copytree(origin, place, symlinks=True)
    os.chdir(place)
    number = 0

    def step(*_: object) -> None:
        nonlocal number
        number += 1

    reading, writing = os.pipe()

    def call() -> int:
        watch(place, step)
        status = _run(line)
        os.write(writing, str(number).encode())
        return status

    assert forked(call) == 0, f"{line} fails"
    os.close(writing)
    with open(reading) as result:
        return int(result.read())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="such as train prune compare; all if none")
    parser.add_argument("--points", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signal", action="append", choices=SIGNALS)
    given = parser.parse_args()
    # Forks of a process with threads may stand still.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import lmkit.channel.corrector
    import lmkit.cli.compare
    import lmkit.cli.train
    import lmkit.evaluate.comparison.run
    import lmkit.ngram.model  # noqa: F401

    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        origin = Path(folder).resolve() / "origin"
        origin.mkdir()
        assert forked(lambda: make(origin)) == 0, "the files cannot be made"
        for name in given.names or COMMANDS:
            kills = check(name, origin, tuple(given.signal or SIGNALS), given.points, draw)
            print(json.dumps({"command": name, "kills": kills}), flush=True)


if __name__ == "__main__":
    main()
