"""Dropping n-grams: everything that stays is found where it was, under new numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmkit.ngram.backend import NgramBackend
from lmkit.ngram.model import NgramModel
from lmkit.ngram.pruning import Flags, keep_ngrams
from lmkit.ngram.trie import Trie
from lmkit.store.columns import ScratchColumn

from .ngram_support import Ngram, column_of, ngrams_of, train

LINES = ["a b c a b d", "the cat sat on the mat", "", "a rat sat on a cat", "b a b a b c", "d"]
ORDER = 4


@pytest.fixture(scope="module")
def model() -> NgramModel:
    return train(LINES, ORDER, "modified-kneser-ney")


def spelt(model: NgramModel, order: int) -> list[tuple[str, ...]]:
    tokens = model.vocabulary.tokens
    return [tuple(tokens[i] for i in ngram) for ngram in ngrams_of(model.trie, order)]


def values_by_ngram(model: NgramModel, name: str) -> dict[tuple[str, ...], Any]:
    """A column of all orders that have it, by the words of the n-grams."""
    return {
        ngram: value
        for order in range(1, model.order + 1)
        if getattr(model.trie[order], name) is not None
        for ngram, value in zip(
            spelt(model, order), column_of(model.trie, order, name), strict=True
        )
    }


def closed_by_hand(trie: Trie, kept: list[Flags]) -> set[Ngram]:
    """The n-grams that ``kept`` means, with their contexts and words."""
    chosen: set[Ngram] = {(0,), (1,), (2,)}
    for order, flags in enumerate(kept, 1):
        for row, ngram in enumerate(ngrams_of(trie, order)):
            if flags is None or flags[row]:
                chosen |= {ngram[:length] for length in range(1, order + 1)}
                chosen |= {(word,) for word in ngram}
    return chosen


def assert_kept(before: NgramModel, after: NgramModel, kept: list[Flags]) -> None:
    tokens = before.vocabulary.tokens
    expected = {tuple(tokens[i] for i in n) for n in closed_by_hand(before.trie, kept)}
    assert {n for order in range(1, ORDER + 1) for n in spelt(after, order)} == expected
    for name in ("count", "log_prob", "log_backoff"):
        old = values_by_ngram(before, name)
        assert values_by_ngram(after, name) == {n: v for n, v in old.items() if n in expected}
    for order in range(2, ORDER + 1):
        shorter = spelt(after, order - 1)
        for ngram, row in zip(
            spelt(after, order), column_of(after.trie, order, "suffix"), strict=True
        ):
            assert (shorter[row] if row >= 0 else None) == (
                ngram[1:] if ngram[1:] in shorter else None
            )
    for level in after.trie.levels:
        for _, column in level.columns():
            assert len(column) in (level.size, level.size + 1)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_set_of_ngrams(model: NgramModel, data: st.DataObject) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    parts = data.draw(st.lists(st.floats(0, 1) | st.none(), min_size=ORDER, max_size=ORDER))
    kept: list[Flags] = [
        None if part is None else generator.random(size) < part
        for part, size in zip(parts, model.trie.sizes, strict=True)
    ]
    assert_kept(model, keep_ngrams(model, kept, {"test": 1}), kept)


def test_a_stored_model_is_pruned_alike(model: NgramModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.lm")
    kept: list[Flags] = [np.arange(size) % 3 == 0 for size in model.trie.sizes]
    opened = NgramBackend.open(tmp_path / "model.lm")
    pruned = keep_ngrams(opened, kept, {"test": 1})
    assert_kept(model, pruned, kept)
    pruned.save(tmp_path / "pruned.lm")
    again = NgramBackend.open(tmp_path / "pruned.lm")
    assert_kept(model, again, kept)
    assert again.facts == pruned.facts
    assert again.facts["pruned"] == {"test": 1}


def test_bounded_memory_gives_the_same(model: NgramModel) -> None:
    kept: list[Flags] = [None, *(np.arange(size) % 2 == 0 for size in model.trie.sizes[1:])]
    plain = keep_ngrams(model, kept, {})
    bounded = keep_ngrams(model, kept, {}, memory=64 << 20)
    for one, other in zip(plain.trie.levels, bounded.trie.levels, strict=True):
        for (name, column), (_, same) in zip(one.columns(), other.columns(), strict=True):
            assert isinstance(same, ScratchColumn)
            assert column.dtype == same.dtype, name
            np.testing.assert_array_equal(column.array(), same.array())


def test_the_model_itself_does_not_change(model: NgramModel) -> None:
    before = [
        {name: column.array().copy() for name, column in level.columns()}
        for level in model.trie.levels
    ]
    kept: list[Flags] = [np.arange(size) % 5 == 0 for size in model.trie.sizes]
    pruned = keep_ngrams(model, kept, {"test": 1})
    pruned.runs.append({"what": "test"})
    assert model.facts["pruned"] is None
    assert model.runs == []
    assert kept[0] is not None and kept[0].sum() == len(range(0, len(kept[0]), 5))
    for level, columns in zip(model.trie.levels, before, strict=True):
        assert level.size == len(columns["log_prob"])
        for name, column in level.columns():
            np.testing.assert_array_equal(column.array(), columns[name])


def test_keeping_everything_is_the_model_itself(model: NgramModel) -> None:
    assert keep_ngrams(model, [None] * ORDER, {"test": 1}) is model
    everything: list[Flags] = [np.ones(size, bool) for size in model.trie.sizes]
    assert keep_ngrams(model, everything, {"test": 1}) is model


def test_dropped_words_are_unknown_words(model: NgramModel) -> None:
    tokens = model.vocabulary.tokens
    stay = np.array([token in ("a", "cat") for token in tokens])
    nothing: list[Flags] = [np.zeros(size, bool) for size in model.trie.sizes[1:]]
    pruned = keep_ngrams(model, [stay, *nothing], {"test": 1})
    vocabulary = pruned.vocabulary
    assert vocabulary.tokens == ["<unk>", "<s>", "</s>", "a", "cat"]
    assert vocabulary.limited
    assert not model.vocabulary.limited
    # Of 25 words a is 2 + 2 + 2 and cat 1 + 1; the other 17 are counted as unknown.
    assert vocabulary.counts.tolist() == [17, len(LINES), len(LINES), 6, 2]
    batch = pruned.encoder.encode(["a cat sat"])
    assert batch.ids.tolist() == [3, 4, 0, 2]
    assert batch.unknown is not None and batch.unknown.spellings == ("sat",)
    assert np.isfinite(pruned.encoder.spelling_log_probs(["sat"])).all()
    assert pruned.trie.sizes == [5, 0, 0, 0]


def test_special_tokens_always_stay(model: NgramModel) -> None:
    nothing: list[Flags] = [np.zeros(size, bool) for size in model.trie.sizes]
    assert keep_ngrams(model, nothing, {}).trie.sizes == [3, 0, 0, 0]
