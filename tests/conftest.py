"""Fixtures that any test may use."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Tests that run beside each other share the cores: threads of a matrix product would only wait for
# each other. It is read when NumPy is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# A busy machine is no failure. With CI set, Hypothesis uses its own profile, which has no
# deadline either and draws the same examples in each run.
settings.register_profile("lmkit", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
if "CI" not in os.environ:
    settings.load_profile("lmkit")


# A shell's background job is begun with Ctrl-C ignored, one under nohup with the hangup, and both
# hand that on to every process they start: a command that a test interrupts would then never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for ending in (signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(ending) is signal.SIG_IGN:
        signal.signal(ending, signal.SIG_DFL)


def find_shared_data() -> Path | None:
    """The folder of real corpora: LMKIT_TEST_DATA, else shared/data beside the checkout."""
    named = os.environ.get("LMKIT_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test depends on, or changes, what the person who runs it has set up."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LMKIT_HOME", str(tmp_path_factory.mktemp("lmkit-home")))
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            environment.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora; skips where there is none."""
    folder = find_shared_data()
    if folder is None:
        pytest.skip("no real corpora: set LMKIT_TEST_DATA to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def tiny_lines() -> list[str]:
    """Five short sentences over seven words, for arithmetic by hand."""
    return ["a b c", "a b d", "b c a", "the cat sat", "the cat"]


@pytest.fixture
def tiny_text(tmp_path: Path, tiny_lines: list[str]) -> Path:
    """A file of `tiny_lines`."""
    path = tmp_path / "tiny.txt"
    path.write_text("".join(f"{line}\n" for line in tiny_lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def zipf_lines() -> list[str]:
    """2,000 sentences of 0 to 20 words whose frequencies fall as in real text.

    Each word depends on the one before it, so that every order has n-grams seen once, twice and
    more; the same in each run.
    """
    generator = random.Random(7)
    words = [f"w{rank}" for rank in range(800)]
    weights = [1 / (rank + 2) for rank in range(800)]
    followers = [generator.choices(words, weights, k=40) for _ in words]
    lines = []
    for _ in range(2000):
        sentence: list[str] = []
        for _ in range(generator.randrange(21)):
            if sentence and generator.random() < 0.7:
                sentence.append(generator.choice(followers[int(sentence[-1][1:])][:12]))
            else:
                sentence.append(generator.choices(words, weights)[0])
        lines.append(" ".join(sentence))
    return lines


@pytest.fixture
def zipf_text(tmp_path: Path, zipf_lines: list[str]) -> Path:
    """A file of `zipf_lines`."""
    path = tmp_path / "zipf.txt"
    path.write_text("".join(f"{line}\n" for line in zipf_lines), encoding="utf-8")
    return path
