"""Damages files in many ways, and looks what becomes of them: ``python tests/fuzz/fuzz.py``.

A case is a file with some damage, which is then used. It ends well where the file is refused in one
line (`LmkitError`), or where it answers exactly as before. A file without checksums, one that was
given the right checksums after it was damaged, and a text file may answer otherwise. Everything
else is a finding: another exception, more than `SECONDS` of work, more memory than three times the
file beside `ROOM`, or another answer from a file with checksums.

Cases have numbers, and the same ``--seed`` makes the same ones; ``--case N`` looks at one alone.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import mutations
from sealing import seal
from subjects import Subject, subjects

from lmkit.errors import LmkitError
from lmkit.remarks import heard

SECONDS = 5
"""Of the processor's time; a case takes some hundredths."""
ROOM = 96 << 20
"""Bytes of memory that any use of a small model may take."""
STUCK = 120
"""Seconds after which a process that hears no signal ends with a traceback."""


class TooLong(BaseException):
    """A case works for longer than it may."""


def _alarm(*_: Any) -> None:
    raise TooLong


@contextlib.contextmanager
def bounded(size: int) -> Iterator[None]:
    """Within the block, bounds on time and memory for a file of ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    status = Path("/proc/self/statm")
    if status.exists():
        now = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 3 * size + ROOM, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def plain(value: Any) -> str:
    """``value`` as text in which equal answers are equal (NaN too)."""
    return json.dumps(value, sort_keys=True, default=str)


class Fuzzer:
    """Makes and judges the cases of one seed, in a folder of its own."""

    def __init__(self, place: Path, seed: int) -> None:
        self.seed = seed
        self.subjects = subjects(place)
        self.whole: dict[str, str] = {}

    def case(self, number: int) -> tuple[str, str, str]:
        """Outcome, subject and what was done of the case ``number``."""
        random = Random(f"{self.seed}/{number}")
        (subject,) = random.choices(self.subjects, [one.weight for one in self.subjects])
        if subject.name not in self.whole:
            self.whole[subject.name] = self._undamaged(subject)
        try:
            done, checked = self._damage(subject, random)
            faulthandler.dump_traceback_later(STUCK, exit=True)
            outcome = self._outcome(subject, checked)
        finally:
            faulthandler.cancel_dump_traceback_later()
            for one in subject.path.parent.glob(f"{subject.path.name}-*"):
                one.unlink()
            subject.path.write_bytes(subject.whole)
        return outcome, subject.name, done

    def _undamaged(self, subject: Subject) -> str:
        """What comes of the file as it is: to be refused is an answer too."""
        with warnings.catch_warnings(), heard(lambda text: None):
            warnings.simplefilter("ignore")
            try:
                return plain(subject.use(subject.path))
            except LmkitError as error:
                return f"refused: {error}"
            finally:
                subject.path.write_bytes(subject.whole)

    def _damage(self, subject: Subject, random: Random) -> tuple[str, bool]:
        """Damage the file; what was done, and whether its answers must stay."""
        if not subject.model or random.random() < 0.4:
            how = random.choice(subject.damages[:1] if subject.model else subject.damages)
            subject.path.write_bytes(how(subject.whole, random))
            return how.__name__, subject.checked
        subject.path.write_bytes(subject.whole)
        done = mutations.damage_rows(subject.path, random)
        checked = subject.checked and "DROP TABLE checksums" not in done
        if not checked or random.random() < 0.5:
            with contextlib.suppress(Exception):
                seal(subject.path)
            return f"{done}; sealed", False
        # Rows of `edits` that are changed through SQL are changed on purpose.
        return done, "edits" not in done

    def _outcome(self, subject: Subject, checked: bool) -> str:
        try:
            with warnings.catch_warnings(), bounded(len(subject.whole)), heard(lambda text: None):
                warnings.simplefilter("ignore")
                found = plain(subject.use(subject.path))
        except LmkitError as error:
            return "refused" if str(error).isprintable() else f"BAD: {error!r}"
        except TooLong:
            return f"BAD: more than {SECONDS} seconds{_where()}"
        except RecursionError as error:
            return f"BAD: {error!r}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return f"BAD: {error!r}{_where()}"
        if found == self.whole[subject.name]:
            return "same"
        return "BAD: another answer" if checked else "other"


def _where() -> str:
    frames = traceback.extract_tb(sys.exc_info()[2])
    ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "lmkit/" in f.filename]
    return f" at {' '.join(ours[-3:])}"


def look(share: tuple[int, list[int]]) -> collections.Counter[str]:
    """How the cases of some numbers end, in one process; prints what is found."""
    seed, numbers = share
    counts: collections.Counter[str] = collections.Counter()
    signal.signal(signal.SIGPROF, _alarm)
    # In memory where there is such a place: each case writes its file twice.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lmkit-fuzz-", dir=memory) as name:
        fuzzer = Fuzzer(Path(name), seed)
        for number in numbers:
            outcome, subject, done = fuzzer.case(number)
            counts[outcome.split(":")[0]] += 1
            if outcome.startswith("BAD") or len(numbers) == 1:
                print(f"case {number}, {subject}, {done[:300]}\n  {outcome[:600]}", flush=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--case", type=int, help="this one only")
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    numbers = list(range(chosen.cases)) if chosen.case is None else [chosen.case]
    shares = [(chosen.seed, numbers[k :: chosen.jobs]) for k in range(chosen.jobs)]
    counts: collections.Counter[str] = collections.Counter()
    if chosen.jobs == 1:
        counts = look(shares[0])
    else:
        with multiprocessing.get_context("spawn").Pool(chosen.jobs) as pool:
            for part in pool.map(look, shares):
                counts += part
    found = json.dumps(dict(sorted(counts.items())))
    print(f"seed {chosen.seed}: {len(numbers):,} cases, {found}")
    return 1 if counts["BAD"] else 0


if __name__ == "__main__":
    sys.exit(main())
