"""Claims on a target: one process at a time, named to the others, gone with its process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lmkit
from lmkit.errors import LmkitError
from lmkit.files.claims import claimed
from lmkit.ngram.tables import write_tables

HOLDER = """
import sys
from pathlib import Path
from lmkit.files.claims import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def model(tmp_path: Path, tiny_text: Path) -> Path:
    lmkit.train(tiny_text, order=2, output=tmp_path / "model.lm")
    return tmp_path / "model.lm"


def holder(path: Path, root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_whoever_writes_a_model_is_refused_beside_another_process(
    model: Path, tiny_text: Path, tmp_path: Path, root: Path
) -> None:
    old = model.read_bytes()
    other = tmp_path / "other.lm"
    (tmp_path / "link.lm").symlink_to(model)
    calls = [
        lambda: lmkit.train(tiny_text, output=model),
        lambda: lmkit.train(tiny_text, output=tmp_path / "link.lm"),
        lambda: lmkit.append(model, tiny_text, output=model),
        lambda: lmkit.prune(model, cutoffs=(0, 1), output=model),
        lambda: lmkit.api.resmooth(other, smoothing="katz", output=model),
        lambda: write_tables(model),
        lambda: lmkit.mix([other, other], valid=tiny_text, output=model),
    ]
    lmkit.train(tiny_text, order=2, output=other)
    with holder(model, root) as process:
        for call in calls:
            with pytest.raises(LmkitError, match=f"process {process.pid} is at work on"):
                call()
        # What only reads it is not held up.
        lmkit.append(model, tiny_text, output=other)
        process.communicate("\n")
    assert model.read_bytes() == old
    for call in calls:
        call()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_killed_process_has_claimed_nothing(model: Path, root: Path) -> None:
    with holder(model, root) as process:
        process.kill()
    with claimed(model):
        pass
    assert [path.name for path in model.parent.iterdir() if path.name.startswith(".")] == []


def test_one_of_two_threads_is_refused(model: Path) -> None:
    """Which ever comes first; both at once would lose a change."""
    inside, refused = threading.Barrier(2), []

    def second() -> None:
        inside.wait(60)
        try:
            with claimed(model):
                pass
        except LmkitError as error:
            refused.append(str(error))
        inside.wait(60)

    thread = threading.Thread(target=second)
    thread.start()
    with claimed(model):
        inside.wait(60)
        inside.wait(60)
    thread.join(60)
    assert len(refused) == 1 and f"process {os.getpid()}" in refused[0]


def test_where_nothing_can_be_locked_everybody_may_write(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int) -> bool:
        raise OSError(95, "not supported")

    monkeypatch.setattr("lmkit.files.claims.try_lock", no_locks)
    with claimed(model), claimed(model):
        pass
    assert [path.name for path in model.parent.iterdir() if path.name.startswith(".")] == []
