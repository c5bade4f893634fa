"""Merging sorted runs, against a counter."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.ngram.runs import Run, merge_runs
from lmkit.store.columns import Builder, MemoryColumn

counted = st.dictionaries(st.integers(0, 60) | st.integers(2**63, 2**63 + 9), st.integers(1, 2**40))


def suffix_of(key: int) -> int:
    return key % 1000


def run_of(counts: dict[int, int]) -> Run:
    keys = sorted(counts)
    return Run(
        MemoryColumn(np.array(keys, np.uint64)),
        MemoryColumn(np.array([counts[key] for key in keys], np.int64)),
        MemoryColumn(np.array([suffix_of(key) for key in keys], np.int32)),
    )


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(parts=st.lists(counted, min_size=1, max_size=5), stride=st.integers(1, 5))
def test_merged_runs_are_summed_counters(parts: list[dict[int, int]], stride: int) -> None:
    runs = [run_of(part) for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmkit.ngram.runs.STRIDE", stride)
        merged = merge_runs(runs, Builder)
    expected: Counter[int] = Counter()
    for part in parts:
        expected.update(part)
    keys = merged.keys.array().tolist()
    assert keys == sorted(expected)
    assert merged.counts.array().tolist() == [expected[key] for key in keys]
    assert merged.suffixes.array().tolist() == [suffix_of(key) for key in keys]
    assert merged.suffixes.dtype == np.int32
    for run in runs:
        assert run.merged_rows is not None
        rows = run.merged_rows.array().tolist()
        assert [keys[row] for row in rows] == run.keys.array().tolist()


def test_long_runs_are_merged_range_by_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmkit.ngram.runs.STRIDE", 8)
    longest = 0
    generator = np.random.default_rng(3)
    runs = [
        run_of({int(key): 1 for key in np.unique(generator.integers(0, 1 << 40, 20_000))})
        for _ in range(3)
    ]

    class Watched(Builder):
        def append(self, values: np.ndarray) -> None:  # type: ignore[type-arg]
            nonlocal longest
            longest = max(longest, len(values))
            super().append(values)

    merged = merge_runs(runs, Watched)
    assert len(merged.keys) == len({key for run in runs for key in run.keys.array().tolist()})
    assert 0 < longest < 8 * (64 + 3 * 2)


def test_a_run_may_move() -> None:
    run = run_of({5: 2, 3: 1})
    moved = run.moved_to(Builder)
    for name in ("keys", "counts", "suffixes"):
        column, same = getattr(run, name), getattr(moved, name)
        assert column.dtype == same.dtype
        assert column.array().tolist() == same.array().tolist()
