"""Where the n-grams of a trie stand in a text: held-out text, and the training text itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmkit.ngram.counting import count_ngrams
from lmkit.ngram.heldout import HeldOut, Occurrences, in_training_text
from lmkit.ngram.trie import Trie
from lmkit.text.corpus import Corpus

from ..small_models import corpus_of, held_out_corpus, texts


def counted(lines: list[str], order: int) -> tuple[Corpus, Trie]:
    corpus = corpus_of(lines)
    return corpus, count_ngrams(corpus.chunks(), order, len(corpus.vocabulary))


def facts(occurrences: Occurrences) -> Counter:
    """Rows and contexts of each occurrence as one tuple, and how often it stands there."""
    found: Counter = Counter()
    table = np.array([*occurrences.rows, *occurrences.contexts]).T.tolist()
    for entry, weight in zip(table, occurrences.weights.tolist(), strict=True):
        found[tuple(entry)] += weight
    return found


@given(lines=texts(), order=st.integers(1, 5))
def test_the_counts_know_the_training_text(lines: list[str], order: int) -> None:
    """Looking the training text up finds what its counts alone tell."""
    corpus, trie = counted(lines, order)
    assert facts(in_training_text(trie, 10_000)) == facts(HeldOut(trie, corpus.chunks()))


@given(lines=texts(), order=st.integers(1, 4), most=st.integers(1, 30))
def test_a_sample_stands_for_the_whole(lines: list[str], order: int, most: int) -> None:
    corpus, trie = counted(lines, order)
    whole = facts(in_training_text(trie, 10_000))
    sample = facts(in_training_text(trie, most))
    assert sum(sample.values()) == pytest.approx(corpus.tokens)
    assert len(sample) <= most or corpus.tokens <= most
    assert set(sample) <= set(whole)
    # At equal distances: an n-gram that is seen more often is drawn more often, give or take
    # one draw.
    for entry, weight in whole.items():
        assert abs(sample[entry] - weight) <= corpus.tokens / most + 1e-9


@pytest.mark.slow
def test_a_sample_over_several_pieces(
    zipf_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, trie = counted(zipf_lines[:300], 3)
    at_once = facts(in_training_text(trie, 500))
    monkeypatch.setattr("lmkit.ngram.heldout.BLOCK_ROWS", 64)
    assert facts(in_training_text(trie, 500)) == at_once
    everything = facts(in_training_text(trie, 10**6))
    monkeypatch.undo()
    assert facts(in_training_text(trie, 10**6)) == everything


def test_held_out_rows_by_hand() -> None:
    # Order 2 of "a b": <unk> <s> </s> a b are 0 to 4; bigrams <s> a: 0, a b: 1, b </s>: 2.
    # Sorted by context: <s> (1), a (3), b (4).
    corpus, trie = counted(["a b"], 2)
    held_out = HeldOut(trie, held_out_corpus(["b", "a x"], corpus).chunks())
    assert held_out.rows[0].tolist() == [4, 2, 3, 0, 2]
    assert held_out.contexts[0].tolist() == [0, 0, 0, 0, 0]
    assert held_out.rows[1].tolist() == [-1, 2, 0, -1, -1]
    assert held_out.contexts[1].tolist() == [1, 4, 1, 3, 0]
    counts = np.array([5, 6, 7])
    assert held_out.of_ngrams(2, counts).tolist() == [0, 7, 5, 0, 0]
    assert held_out.of_contexts(2, np.arange(10, 15)).tolist() == [11, 14, 11, 13, 10]


def test_held_out_chunks_are_one_text() -> None:
    _, trie = counted(["a b", "b a a"], 3)
    one = HeldOut(trie, [np.array([3, 4, 2, 4, 2, 3, 2], np.int32)])
    two = HeldOut(trie, [np.array([3, 4, 2], np.int32), np.array([4, 2, 3, 2], np.int32)])
    assert facts(one) == facts(two)
    assert len(one) == 7
    assert len(HeldOut(trie, [])) == 0
