"""ARPA and counts files in little memory: the same model as in much, and really little."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmkit.errors import UsageError
from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.countfiles import read_counts
from lmkit.ngram.model import NgramModel

LEAST = 64 << 20

LIMITED = """
import resource, sys
from lmkit.ngram.arpa import read_arpa
from lmkit.ngram.countfiles import read_counts

def used():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmData")).split()[1]) << 10

path, memory, room = sys.argv[1], int(sys.argv[2]) or None, int(sys.argv[3])
limit = used() + room
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
if path.endswith(".arpa"):
    model = read_arpa(path, memory=memory)
else:
    model = read_counts(path, smoothing="witten-bell", memory=memory)
print(sum(model.trie.sizes))
"""


def columns(model: NgramModel) -> list[tuple[int, str, str, bytes]]:
    """All that a model's trie holds."""
    return [
        (order, name, column.dtype.str, column.array().tobytes())
        for order, level in enumerate(model.trie.levels, 1)
        for name, column in level.columns()
    ]


def random_ngrams(seed: int) -> dict[int, list[str]]:
    """Some n-grams of order 2 to 4 in any order; many lack contexts and suffixes."""
    random.seed(seed)
    words = [f"w{number}" for number in range(9)]
    return {
        order: list({" ".join(random.choices(words, k=order)): None for _ in range(60)})
        for order in (2, 3, 4)
    }


def arpa_of(ngrams: dict[int, list[str]]) -> str:
    words = ["<unk>", "<s>", "</s>", *(f"w{number}" for number in range(9))]
    sections = {1: words, **ngrams}
    head = "\\data\\\n" + "".join(f"ngram {n}={len(of)}\n" for n, of in sections.items())
    body = "".join(
        f"\n\\{n}-grams:\n" + "".join(f"-{1 + k / 64}\t{g}\t-{k / 128}\n" for k, g in enumerate(of))
        for n, of in sections.items()
    )
    return f"{head}{body}\n\\end\\\n"


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What makes everything be done in scratch files, a few n-grams at a time."""

    def change() -> None:
        monkeypatch.setattr("lmkit.ngram.arpa.BYTES_PER_NGRAM", 1 << 40)
        monkeypatch.setattr("lmkit.ngram.arpa.CHUNK_BYTES", 200)
        monkeypatch.setattr("lmkit.ngram.growing.SORTED_AT_ONCE", 7)
        monkeypatch.setattr("lmkit.ngram.growing.STEP", 5)
        monkeypatch.setattr("lmkit.ngram.runs.STRIDE", 2)

    return change


@pytest.mark.parametrize("seed", range(6))
def test_arpa_in_small_steps(seed: int, tmp_path: Path, small_steps: Callable[[], None]) -> None:
    path = tmp_path / "given.arpa"
    path.write_text(arpa_of(random_ngrams(seed)), encoding="utf-8")
    expected = read_arpa(path)
    small_steps()
    model = read_arpa(path, memory=LEAST)
    assert columns(model) == columns(expected)
    assert model.facts == expected.facts and "were inserted" in str(model.facts)
    np.testing.assert_array_equal(model.score("w1 w2 w3")[0], expected.score("w1 w2 w3")[0])


@pytest.mark.parametrize("seed", range(6))
def test_counts_in_small_steps(seed: int, tmp_path: Path, small_steps: Callable[[], None]) -> None:
    lines = [ngram for of in random_ngrams(seed).values() for ngram in of]
    # Lines of one n-gram are added up wherever they stand.
    lines += lines[::3]
    random.shuffle(lines)
    path = tmp_path / "counts.tsv"
    path.write_text("".join(f"{ngram}\t{k}\n" for k, ngram in enumerate(lines)), encoding="utf-8")
    expected = read_counts(path, smoothing="witten-bell")
    small_steps()
    model = read_counts(path, smoothing="witten-bell", memory=LEAST)
    assert columns(model) == columns(expected)
    assert model.facts == expected.facts and "had no count" in str(model.facts)


@pytest.mark.parametrize("read", [read_arpa, read_counts])
def test_too_little_memory(read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "given").write_text(arpa_of({}), encoding="utf-8")
    with pytest.raises(UsageError, match="too few to count in"):
        read(tmp_path / "given", memory=1000)


def large_file(folder: Path, kind: str) -> Path:
    """2.25 million n-grams, of any order."""
    words = [f"word{number}" for number in range(1500)]
    order = np.random.default_rng(1).permutation(1500).tolist()
    path = folder / f"large.{kind}"
    with open(path, "w", encoding="utf-8") as file:
        if kind == "arpa":
            file.write(f"\\data\\\nngram 1=1503\nngram 2={1500 * 1500}\n\n\\1-grams:\n")
            file.write("".join(f"-3\t{w}\t0\n" for w in ("<unk>", "<s>", "</s>", *words)))
            file.write("\\2-grams:\n")
        for first in order:
            if kind == "arpa":
                file.write("".join(f"-1.5\t{words[first]} {word}\n" for word in words))
            else:
                file.write("".join(f"{words[first]} {word}\t3\n" for word in words))
        if kind == "arpa":
            file.write("\\end\\\n")
    return path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize("kind, room", [("arpa", 120 << 20), ("counts", 160 << 20)])
def test_a_limit_of_memory_is_kept_to(kind: str, room: int, tmp_path: Path) -> None:
    """With the bound a process may use so much more than it does at its start; without one the
    same limit is not enough."""
    path = large_file(tmp_path, kind)

    def run(memory: int) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", LIMITED, str(path), str(memory), str(room)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    bounded = run(LEAST)
    assert bounded.returncode == 0, bounded.stderr
    assert int(bounded.stdout) >= 1500 * 1500
    # A bound that is no bound, or none at all.
    unbounded = run(1 << 40 if kind == "arpa" else 0)
    assert unbounded.returncode and "MemoryError" in unbounded.stderr
