"""Counting by sorted keys, against `collections.Counter`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lmkit.errors import LmkitError, UsageError
from lmkit.model import BOS, EOS
from lmkit.ngram.counting import LEAST_MEMORY, Workspace, count_ngrams
from lmkit.ngram.estimation import left_contexts
from lmkit.ngram.trie import Trie

from .ngram_support import Ngram, column_of, counted, ngrams_of

Sentences = list[list[int]]

SIZE = 9
"""Of the vocabulary: three special tokens and six words."""

texts = st.lists(st.lists(st.sampled_from([0, *range(3, SIZE)]), max_size=9), max_size=12)


def chunks_of(sentences: Sentences, at: int | None = None) -> Iterator[NDArray[np.int32]]:
    """``sentences`` as a corpus gives them, in chunks of ``at`` sentences."""
    step = at or max(len(sentences), 1)
    for start in range(0, len(sentences), step):
        yield np.array([i for s in sentences[start : start + step] for i in (*s, EOS)], np.int32)


def bounded_trie(sentences: Sentences, order: int, positions: int) -> Trie:
    """Counted in stretches of ``positions``, far fewer than any memory bound gives."""
    with pytest.MonkeyPatch.context() as patch:
        bounded = Workspace.bounded(LEAST_MEMORY)
        patch.setattr(Workspace, "bounded", lambda memory: Workspace(bounded.directory, positions))
        patch.setattr("lmkit.ngram.runs.STRIDE", 3)
        return count_ngrams(chunks_of(sentences), order, SIZE, memory=LEAST_MEMORY)


def assert_counts(trie: Trie, sentences: Sentences) -> None:
    for order in range(1, trie.order + 1):
        expected = counted(sentences, order)
        ngrams = ngrams_of(trie, order)
        counts = column_of(trie, order, "count")
        if order == 1:
            assert counts == [expected[i,] for i in range(SIZE)]
        else:
            assert dict(zip(ngrams, counts, strict=True)) == expected
            assert len(ngrams) == trie[order].size == len(expected)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(sentences=texts, order=st.integers(1, 7), at=st.none() | st.integers(1, 4))
@example(sentences=[], order=3, at=None)
@example(sentences=[[]], order=3, at=None)
@example(sentences=[[3]], order=1, at=None)
@example(sentences=[[], [], [3, 3, 3, 3], []], order=6, at=1)
def test_counts_are_those_of_a_counter(sentences: Sentences, order: int, at: int | None) -> None:
    assert_counts(count_ngrams(chunks_of(sentences, at), order, SIZE), sentences)


@settings(max_examples=100, deadline=None)
@given(sentences=texts, order=st.integers(2, 6))
def test_the_trie_is_sorted_and_linked(sentences: Sentences, order: int) -> None:
    trie = count_ngrams(chunks_of(sentences), order, SIZE)
    assert trie.order == order
    for n in range(2, order + 1):
        ngrams, shorter = ngrams_of(trie, n), ngrams_of(trie, n - 1)
        # By context row, then token: contexts are sorted in the same way, so this is by tuple.
        assert ngrams == sorted(set(ngrams))
        suffixes = column_of(trie, n, "suffix")
        assert [shorter[row] for row in suffixes] == [ngram[1:] for ngram in ngrams]
        first = column_of(trie, n - 1, "first_child")
        assert (len(first), first[0], first[-1]) == (len(shorter) + 1, 0, len(ngrams))
        start, stop = trie.bos_range(n)
        assert {ngram[0] for ngram in ngrams[start:stop]} <= {BOS}
        assert BOS not in {ngram[0] for ngram in [*ngrams[:start], *ngrams[stop:]]}
    assert trie[order].first_child is None


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(sentences=texts, order=st.integers(1, 5), positions=st.integers(1, 40))
def test_a_memory_bound_changes_no_bit(sentences: Sentences, order: int, positions: int) -> None:
    plain = count_ngrams(chunks_of(sentences), order, SIZE)
    bounded = bounded_trie(sentences, order, positions)
    assert plain.sizes == bounded.sizes
    for level, other in zip(plain.levels, bounded.levels, strict=True):
        columns, same = dict(level.columns()), dict(other.columns())
        assert columns.keys() == same.keys()
        for name, column in columns.items():
            assert column.dtype == same[name].dtype, name
            np.testing.assert_array_equal(column.array(), same[name].array(), err_msg=name)


@pytest.mark.slow
def test_a_real_memory_bound_changes_no_bit(zipf_lines: list[str]) -> None:
    ids: dict[str, int] = defaultdict(lambda: len(ids) + 3)
    sentences = [[ids[word] for word in line.split()] for line in zipf_lines * 4]
    chunk = np.array([i for s in sentences for i in (*s, EOS)], np.int32)
    assert len(chunk) > 1 << 16
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmkit.ngram.counting.BYTES_PER_POSITION", 1 << 9)
        assert Workspace.bounded(LEAST_MEMORY).positions == 1 << 16
        bounded = count_ngrams([chunk], 5, len(ids) + 3, memory=LEAST_MEMORY)
    plain = count_ngrams([chunk], 5, len(ids) + 3)
    for level, other in zip(plain.levels, bounded.levels, strict=True):
        for (name, column), (_, same) in zip(level.columns(), other.columns(), strict=True):
            assert column.dtype == same.dtype, name
            np.testing.assert_array_equal(column.array(), same.array(), err_msg=name)


def test_by_hand() -> None:
    # Two sentences, "x y x" and "x y", as ids 3 4 3 2 and 3 4 2:
    # <s> x 2, x y 2, x </s> 1, y x 1, y </s> 1; <s> x y 2, x y x 1, x y </s> 1, y x </s> 1.
    trie = count_ngrams([np.array([3, 4, 3, 2, 3, 4, 2], np.int32)], 3, 5)
    assert trie.sizes == [5, 5, 4]
    assert column_of(trie, 1, "count") == [0, 2, 2, 3, 2]
    assert column_of(trie, 1, "first_child") == [0, 0, 1, 1, 3, 5]
    assert column_of(trie, 2, "token") == [3, 2, 4, 2, 3]
    assert column_of(trie, 2, "count") == [2, 1, 2, 1, 1]
    assert column_of(trie, 2, "suffix") == [3, 2, 4, 2, 3]
    assert column_of(trie, 2, "first_child") == [0, 1, 1, 3, 3, 4]
    assert column_of(trie, 3, "token") == [4, 2, 3, 2]
    assert column_of(trie, 3, "count") == [2, 1, 1, 1]
    assert column_of(trie, 3, "suffix") == [2, 3, 4, 1]


def test_an_order_longer_than_any_line() -> None:
    sentences = [[3, 4], [5]]
    trie = count_ngrams(chunks_of(sentences), 9, SIZE)
    # The longest n-gram is <s> 3 4 </s>.
    assert trie.sizes[3:] == [1, 0, 0, 0, 0, 0]
    assert_counts(trie, sentences)


def test_one_word() -> None:
    trie = count_ngrams(chunks_of([[3]]), 3, 4)
    assert ngrams_of(trie, 2) == [(BOS, 3), (3, EOS)]
    assert ngrams_of(trie, 3) == [(BOS, 3, EOS)]


@settings(max_examples=60, deadline=None)
@given(sentences=texts, order=st.integers(2, 5))
def test_left_contexts(sentences: Sentences, order: int) -> None:
    trie = count_ngrams(chunks_of(sentences), order, SIZE)
    for n in range(1, order):
        seen: Counter[Ngram] = Counter(ngram[1:] for ngram in counted(sentences, n + 1))
        assert left_contexts(trie, n).tolist() == [seen[ngram] for ngram in ngrams_of(trie, n)]


@pytest.mark.parametrize(
    "most, dtype", [(1, np.uint8), (255, np.uint8), (256, np.uint16), (70000, np.uint32)]
)
def test_counts_take_the_smallest_type(most: int, dtype: type) -> None:
    trie = count_ngrams([np.array([3, EOS] * most, np.int32)], 2, 4)
    column = trie[2].count
    assert column is not None
    assert column.array().tolist() == [most, most]
    assert column.dtype == dtype


def test_large_ids_and_many_rows() -> None:
    # Keys beyond 32 bits: a vocabulary of millions, of which a few words stand in the text.
    size = 3_000_000
    sentences = [[size - 1, size - 2, size - 1], [size - 1, 3, size - 2]]
    trie = count_ngrams(chunks_of(sentences), 3, size)
    assert ngrams_of_tail(trie) == dict(counted(sentences, 3))


def ngrams_of_tail(trie: Trie) -> dict[Ngram, int]:
    """The trigrams, without listing all the unigrams as `ngrams_of` does."""
    first, second = (np.asarray(column_of(trie, n, "first_child")) for n in (1, 2))
    tokens = [column_of(trie, n, "token") for n in (2, 3)]
    found = {}
    for row, (token, count) in enumerate(zip(tokens[1], column_of(trie, 3, "count"), strict=True)):
        middle = int(np.searchsorted(second, row, side="right")) - 1
        head = int(np.searchsorted(first, middle, side="right")) - 1
        found[head, tokens[0][middle], token] = count
    return found


def test_progress_is_told_of_each_order() -> None:
    seen: list[tuple[int, int]] = []
    count_ngrams(chunks_of([[3]]), 4, SIZE, progress=lambda *step: seen.append(step))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("order", [0, -1])
def test_an_order_below_one_is_refused(order: int) -> None:
    with pytest.raises(UsageError, match="order must be from 1 to 1,000"):
        count_ngrams([], order, 3)


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(UsageError, match="too few to count in"):
        count_ngrams([], 2, 3, memory=LEAST_MEMORY - 1)


def test_no_room_for_scratch_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/at/all")
    with pytest.raises(LmkitError, match="cannot keep intermediate results in /nowhere") as e:
        count_ngrams(chunks_of([[3]]), 2, SIZE, memory=LEAST_MEMORY)
    assert e.value.hint is not None and "TMPDIR" in e.value.hint
