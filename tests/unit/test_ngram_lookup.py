"""Finding n-grams in a trie, by both ways, against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.model import EOS
from lmkit.ngram.counting import count_ngrams
from lmkit.ngram.lookup import (
    MANY,
    _search_keys,
    _search_ranges,
    find_children,
    sort_keys,
)
from lmkit.ngram.trie import Trie, row_dtype

from .ngram_support import ngrams_of

SIZE = 12
texts = st.lists(st.lists(st.integers(3, SIZE - 1), max_size=9), min_size=1, max_size=12)


def trie_of(sentences: list[list[int]], order: int) -> Trie:
    ids = np.array([i for sentence in sentences for i in (*sentence, EOS)], np.int32)
    return count_ngrams([ids], order, SIZE)


@settings(max_examples=60, deadline=None)
@given(sentences=texts, order=st.integers(2, 4))
def test_every_pair_of_context_and_token(sentences: list[list[int]], order: int) -> None:
    trie = trie_of(sentences, order)
    for n in range(2, order + 1):
        rows = {ngram: row for row, ngram in enumerate(ngrams_of(trie, n))}
        contexts = ngrams_of(trie, n - 1)
        asked = [(c, w) for c in range(len(contexts)) for w in range(SIZE)]
        expected = [rows.get((*contexts[c], w), -1) for c, w in asked]
        columns = [np.array(column) for column in zip(*asked, strict=True)] or [
            np.zeros(0, int)
        ] * 2
        for shuffled in (np.arange(len(asked)), np.random.default_rng(1).permutation(len(asked))):
            wanted = np.array(expected)[shuffled].tolist()
            arguments = trie, n, columns[0][shuffled], columns[1][shuffled]
            assert find_children(*arguments).tolist() == wanted
            assert _search_ranges(*arguments).tolist() == wanted
            if trie[n].size:
                assert _search_keys(*arguments).tolist() == wanted


def test_questions_that_come_often_are_looked_up_by_keys_and_give_the_same(
    zipf_lines: list[str],
) -> None:
    words = sorted({word for line in zipf_lines for word in line.split()})
    ids = {word: number for number, word in enumerate(words, 3)}
    text = [i for line in zipf_lines for i in (*map(ids.get, line.split()), EOS)]
    trie = count_ngrams([np.array(text, np.int32)], 2, len(ids) + 3)
    assert trie[2].size > 2 * trie[1].size
    generator = np.random.default_rng(4)
    contexts, tokens = generator.integers(0, len(ids) + 3, (2, 100))
    expected = _search_ranges(trie, 2, contexts, tokens).tolist()
    ways = []
    for _ in range(trie[2].size // 8 // 100 + 2):
        assert find_children(trie, 2, contexts, tokens).tolist() == expected
        ways.append(bool(trie._keys))
    assert ways[0] is False
    assert ways[-1] is True


def test_many_questions_give_the_same(zipf_lines: list[str]) -> None:
    words = sorted({word for line in zipf_lines for word in line.split()})
    ids = {word: number for number, word in enumerate(words, 3)}
    text = np.array(
        [i for line in zipf_lines for i in (*map(ids.get, line.split()), EOS)], np.int32
    )
    trie = count_ngrams([text], 3, len(ids) + 3)
    generator = np.random.default_rng(2)
    contexts = generator.integers(0, trie[2].size, 4 * MANY)
    tokens = generator.integers(0, len(ids) + 3, 4 * MANY)
    whole = find_children(trie, 3, contexts, tokens)
    pieces = [
        find_children(trie, 3, contexts[i : i + 100], tokens[i : i + 100])
        for i in range(0, len(contexts), 100)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))
    assert (whole >= 0).any() and (whole < 0).any()


def test_no_questions() -> None:
    trie = trie_of([[3, 4]], 2)
    assert find_children(trie, 2, np.zeros(0, int), np.zeros(0, int)).tolist() == []


def test_many_questions_to_an_empty_order() -> None:
    trie = trie_of([[3]], 5)
    assert trie.sizes[3:] == [0, 0]
    nothing = np.zeros(2 * MANY, int)
    assert set(find_children(trie, 4, nothing, nothing).tolist()) == {-1}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(keys=st.lists(st.integers(0, 2**20), max_size=50), bits=st.sampled_from([21, 62]))
def test_sorted_keys_know_where_they_stood(keys: list[int], bits: int) -> None:
    # With 62 bits there is no room for the places beside the keys: another way is taken.
    array = np.array(keys, np.uint64)
    ordered, places = sort_keys(array.copy(), bits)
    assert ordered.tolist() == sorted(keys)
    assert array[places].tolist() == sorted(keys)
    assert sorted(places.tolist()) == list(range(len(keys)))


@settings(max_examples=60, deadline=None)
@given(sentences=texts, order=st.integers(1, 4), rows=st.integers(1, 20))
def test_blocks_are_whole_contexts(sentences: list[list[int]], order: int, rows: int) -> None:
    trie = trie_of(sentences, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmkit.ngram.trie.BLOCK_ROWS", rows)
        blocks = list(trie.context_blocks(order))
    assert [i for r, _, _ in blocks for i in range(r.start, r.stop)] == [*range(trie[order].size)]
    contexts = 1 if order == 1 else trie[order - 1].size
    assert [i for _, c, _ in blocks for i in range(c.start, c.stop)] == [*range(contexts)]
    sizes = [size for _, _, sizes in blocks for size in sizes.tolist()]
    if order > 1:
        first = trie[order - 1].first_child
        assert first is not None
        assert sizes == np.diff(first.array()).tolist()
        assert all(r.stop - r.start <= rows or len(s) == 1 for r, _, s in blocks)
    else:
        assert sizes == [SIZE]


def test_packed_keys_are_made_once() -> None:
    trie = trie_of([[3, 4], [4, 3, 5]], 2)
    keys = trie.packed_keys(2)
    assert trie.packed_keys(2) is keys
    assert [divmod(key, 1 << trie.token_bits) for key in keys.tolist()] == ngrams_of(trie, 2)


def test_row_numbers_take_64_bits_only_where_they_must() -> None:
    assert row_dtype(2**31 - 2) is np.int32
    assert row_dtype(2**31) is np.int64
